//! Access control beyond the rules: the log of what was denied, users in files, and the connections of users who lose rights.
//!
//! Invariant: users change as a whole. A file that can't be read or holds a bad line leaves everybody as they were.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_engine::Session;
use dunlin_engine::acl::{
    Changed, NamedRules, RuleError, Rules, Setting, User, Users, is_plain_name, merge_selectors,
};
use dunlin_engine::pubsub::Kind;
use dunlin_engine::table::Table;

use crate::config::{Config, errno_text, replace_file};
use crate::shared::Shared;

/// What happens again within this time adds to its entry.
const GROUP_MS: u64 = 60_000;
/// So many of the newest entries are looked at for one to add to.
const GROUP_ENTRIES: usize = 10;
/// Longest ACL file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why something was denied.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// A login.
    Auth,
}

impl Reason {
    /// As ACL LOG names it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

/// One entry of the log: something that was denied, once or several times in a row.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How often.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// Where.
    pub setting: Setting,
    /// Name of the command, the key or the channel.
    pub object: Vec<u8>,
    /// To whom.
    pub user: Vec<u8>,
    /// The client's line, of the last time.
    pub client: String,
    /// Unique for the life of the server.
    pub id: u64,
    /// The first time, milliseconds since 1970.
    pub created_ms: u64,
    /// The last time.
    pub updated_ms: u64,
}

/// The newest things that were denied, newest first.
#[derive(Debug, Default)]
pub struct AccessLog {
    entries: Mutex<VecDeque<Entry>>,
    entries_max: AtomicUsize,
}

impl AccessLog {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps so many entries from the next one on: `acllog-max-len`.
    pub fn set_entries_max(&self, max: usize) {
        self.entries_max.store(max, Ordering::Relaxed);
    }

    /// Adds an entry, or adds to one that is alike. Id and count are given by this.
    pub fn add(&self, mut new: Entry) {
        let mut entries = self.lock();
        let is_alike = |old: &Entry| {
            old.reason == new.reason
                && old.setting == new.setting
                && old.object == new.object
                && old.user == new.user
                && old.updated_ms.abs_diff(new.updated_ms) <= GROUP_MS
        };
        let alike = entries.iter().take(GROUP_ENTRIES).position(is_alike);
        if let Some(mut old) = alike.and_then(|at| entries.remove(at)) {
            old.count += 1;
            old.client = new.client;
            old.updated_ms = new.updated_ms;
            entries.push_front(old);
            return;
        }
        static NEXT_ID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        new.id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        new.count = 1;
        entries.push_front(new);
        entries.truncate(self.entries_max.load(Ordering::Relaxed));
    }

    /// The newest entries.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        self.lock().iter().take(count).cloned().collect()
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.lock().clear();
    }
}

/// Users as the lines of a file.
pub fn describe_all(users: &Users) -> Vec<Vec<u8>> {
    let line = |user: &User| {
        let rules = user.with_rules(Rules::describe);
        [&b"user "[..], user.name(), b" ", &rules].concat()
    };
    users.all().iter().map(|user| line(user)).collect()
}

/// The same, if they are not what the configuration gives without them.
pub fn described_beside(users: &Users, table: &Table, config: &Config) -> Vec<Vec<u8>> {
    let mut plain = Rules::of_default(table);
    plain.set_only_password(config.text("requirepass"));
    let all = users.all();
    if all.len() == 1 && *users.default_user().rules() == plain {
        return Vec::new();
    }
    describe_all(users)
}

/// Makes the users that the configuration names, by its lines or in a file.
///
/// # Errors
/// What is wrong, in Redis's words where it has some.
pub fn load_at_start(shared: &Shared) -> Result<(), String> {
    let config = shared.config().clone();
    let file = config.aclfile();
    if file.is_some() && !config.users().is_empty() {
        return Err("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup \
             is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users \
             directly in your redis.conf, but not both."
            .to_owned());
    }
    let engine = &shared.engine;
    if let Some(file) = file {
        let new = read_file(&engine.users, &engine.table, file)
            .map_err(|errors| format!("Aborting Redis startup because of ACL errors: {errors}"))?;
        engine.users.replace(&engine.table, new);
        return Ok(());
    }
    for (name, rules) in config.users() {
        let words: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
        let mut all = vec![&b"reset"[..]];
        all.extend_from_slice(&words);
        let shown = String::from_utf8_lossy(name);
        let Changed { user, .. } =
            engine
                .users
                .set(&engine.table, name, &all)
                .map_err(|error| {
                    let error = String::from_utf8_lossy(&error).into_owned();
                    format!("Error loading the user named '{shown}': {error}")
                })?;
        if user.with_rules(|rules| !rules.enabled) {
            tracing::info!(
                "The user '{shown}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a \
                 configuration error."
            );
        }
    }
    Ok(())
}

/// Reads the file anew: ACL LOAD. As in Redis, the connections of all users but the default one are closed; `me`, if it is one of
/// them, gets its reply first.
///
/// # Errors
/// All that is wrong with it, in Redis's words.
pub fn reload(shared: &Shared, file: &Path, me: &mut Session) -> Result<(), String> {
    let engine = &shared.engine;
    let new = read_file(&engine.users, &engine.table, file)?;
    let (before, after) = engine.users.replace(&engine.table, new);
    close_listeners_of(shared, engine.users.default_user(), &before);
    for user in &after {
        close_clients_of(shared, user, Some(me));
    }
    Ok(())
}

/// Writes all users to the file: ACL SAVE.
pub fn save(shared: &Shared, file: &Path) -> std::io::Result<()> {
    let mut text = describe_all(&shared.engine.users).join(&b'\n');
    text.push(b'\n');
    let file = std::path::absolute(file)?;
    replace_file(&file, &text)
}

fn read_file(users: &Users, table: &Table, file: &Path) -> Result<Vec<NamedRules>, String> {
    let shown = file.display();
    let failed = |error: &std::io::Error| {
        let why = errno_text(error);
        format!("Error loading ACLs, opening file '{shown}': {why}")
    };
    let length = std::fs::metadata(file)
        .map_err(|error| failed(&error))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(format!("Error loading ACLs, file '{shown}' is too long"));
    }
    let text = std::fs::read(file).map_err(|error| failed(&error))?;
    let mut found: Vec<NamedRules> = Vec::new();
    let mut errors = String::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        if let Err(error) = read_line(users, table, line, &mut found) {
            let _ = match error {
                LineError::At(what) => write!(errors, "{shown}:{number}: {what}. "),
                LineError::Start => write!(
                    errors,
                    "{shown}:{number} should start with user keyword followed by the username. "
                ),
                LineError::Twice(name) => write!(
                    errors,
                    "WARNING: Duplicate user '{name}' found on line {number}. "
                ),
            };
        }
    }
    if errors.is_empty() {
        return Ok(found);
    }
    errors.push_str(
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
    );
    Err(errors)
}

enum LineError {
    At(String),
    Start,
    Twice(String),
}

fn read_line(
    users: &Users,
    table: &Table,
    line: &[u8],
    found: &mut Vec<NamedRules>,
) -> Result<(), LineError> {
    let words: Vec<&[u8]> = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    let (name, rules) = match words[..] {
        [] => return Ok(()),
        [b"user", name, ref rules @ ..] => (name, rules),
        _ => return Err(LineError::Start),
    };
    let shown = String::from_utf8_lossy(name);
    if !is_plain_name(name) {
        return Err(LineError::At(format!(
            "username '{shown}' contains invalid characters"
        )));
    }
    if found.iter().any(|(known, _)| **known == *name) {
        return Err(LineError::Twice(shown.into_owned()));
    }
    let rules = merge_selectors(rules)
        .map_err(|_| LineError::At("Unmatched parenthesis in selector definition".to_owned()))?;
    let made = users.rules_of(table, &rules).map_err(|(at, error)| {
        // Only the name of a command is no secret.
        LineError::At(match error {
            RuleError::Unknown => {
                let rule = String::from_utf8_lossy(&rules[at]);
                format!("Error in applying operation '{rule}': {error}")
            }
            _ => error.to_string(),
        })
    })?;
    found.push((name.into(), made));
    Ok(())
}

/// Closes the connections of a user who is no more. `me`, if it is one of them, gets its reply first.
pub fn close_clients_of(shared: &Shared, user: &User, me: Option<&mut Session>) {
    let my_id = me.as_ref().map(|session| session.id);
    for client in shared.clients.all() {
        if Some(client.id) != my_id && *client.user() == *user.name() {
            shared.clients.kill(&client);
            shared.wake_worker(client.worker());
        }
    }
    if let Some(session) = me
        && session
            .user
            .as_ref()
            .is_some_and(|mine| std::ptr::eq(&**mine, user))
    {
        session.close_after_reply = true;
    }
}

/// Closes the connections of a user that listen to what it may not any more, its rules `before` having allowed it.
pub fn close_listeners_of(shared: &Shared, user: &User, before: &Rules) {
    let pubsub = &shared.engine.pubsub;
    if pubsub.subscribers() == 0 {
        return;
    }
    let now = user.rules();
    let lost = pubsub.subscribed_to(|kind, name| {
        let is_pattern = kind == Kind::Pattern;
        before.allows_channel(name, is_pattern) && !now.allows_channel(name, is_pattern)
    });
    if lost.is_empty() {
        return;
    }
    for client in shared.clients.all() {
        if *client.user() == *user.name() && lost.contains(&(client.worker(), client.token)) {
            shared.clients.kill(&client);
            shared.wake_worker(client.worker());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, at_ms: u64) -> Entry {
        Entry {
            count: 0,
            reason: Reason::Key,
            setting: Setting::TopLevel,
            object: object.into(),
            user: b"alice".to_vec(),
            client: String::new(),
            id: 0,
            created_ms: at_ms,
            updated_ms: at_ms,
        }
    }

    #[test]
    fn what_happens_again_soon_adds_up_and_old_entries_go() {
        let log = AccessLog::default();
        log.set_entries_max(2);
        for (object, at_ms) in [
            ("a", 0),
            ("b", 1),
            ("a", 60_000),
            ("b", 70_000),
            ("c", 70_000),
        ] {
            log.add(entry(object, at_ms));
        }
        let shown = |log: &AccessLog| -> Vec<(String, u64, u64)> {
            let entries = log.newest(usize::MAX);
            let show = |e: &Entry| {
                let object = String::from_utf8_lossy(&e.object).into_owned();
                (object, e.count, e.updated_ms)
            };
            entries.iter().map(show).collect()
        };
        // The second b came too late to be added, and pushed the first one out.
        assert_eq!(
            shown(&log),
            [("c".to_owned(), 1, 70_000), ("b".to_owned(), 1, 70_000)]
        );
        log.add(entry("b", 70_001));
        assert_eq!(shown(&log)[0], ("b".to_owned(), 2, 70_001));
        log.reset();
        assert!(shown(&log).is_empty());
    }

    fn read(text: &str) -> Result<Vec<String>, String> {
        let table = Table::new(dunlin_engine::commands::FAMILIES);
        let users = Users::new(&table);
        let name = format!("dunlin-acl-{}-{:p}", std::process::id(), &table);
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).unwrap();
        let read = read_file(&users, &table, &file);
        std::fs::remove_file(&file).unwrap();
        let read = read.map_err(|error| error.replace(&file.display().to_string(), "F"))?;
        let show = |(name, rules): &NamedRules| {
            let (name, rules) = (name.to_vec(), rules.describe());
            String::from_utf8([name, rules].join(&b' ')).unwrap()
        };
        Ok(read.iter().map(show).collect())
    }

    #[test]
    fn a_file_is_read_as_a_whole() {
        assert_eq!(
            read("user alice on nopass +get ~a:*\r\n\n  user bob off (+set\t~b) \n").unwrap(),
            [
                "alice on nopass sanitize-payload ~a:* resetchannels -@all +get",
                "bob off sanitize-payload resetchannels -@all (~b resetchannels -@all +set)",
            ]
        );
        assert_eq!(
            read("user alice on +nosuch >p bad\nusr bob\nuser alice\nuser alice\nuser c (+get")
                .unwrap_err(),
            "F:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. F:2 should start with user keyword \
             followed by the username. WARNING: Duplicate user 'alice' found on line 4. F:5: Unmatched parenthesis in selector \
             definition. WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        );
    }
}
