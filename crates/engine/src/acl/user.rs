//! Users by name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::{RuleError, Rules, merge_selectors};
use crate::table::Table;

/// Who a connection is before it says otherwise.
pub const DEFAULT_USER: &[u8] = b"default";

/// A user of a file: name and rules.
pub type NamedRules = (Box<[u8]>, Rules);

/// A user, shared by its sessions.
#[derive(Debug)]
pub struct User {
    name: Box<[u8]>,
    restricted: AtomicBool,
    rules: ArcSwap<Rules>,
}

impl User {
    fn new(name: &[u8], rules: Rules) -> User {
        User {
            name: name.into(),
            restricted: AtomicBool::new(rules.is_restricted()),
            rules: ArcSwap::from_pointee(rules),
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether it is the user that everybody is at first.
    pub fn is_default(&self) -> bool {
        *self.name == *DEFAULT_USER
    }

    /// Whether anything is denied to it.
    #[inline]
    pub fn is_restricted(&self) -> bool {
        self.restricted.load(Ordering::Relaxed)
    }

    /// Its rules as of now.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Calls `f` with its rules as of now.
    pub fn with_rules<T>(&self, f: impl FnOnce(&Rules) -> T) -> T {
        f(&self.rules.load())
    }

    fn set(&self, rules: Rules) {
        // Never unrestricted while restricting rules stand.
        let restricted = rules.is_restricted();
        if restricted {
            self.restricted.store(true, Ordering::Relaxed);
        }
        self.rules.store(Arc::new(rules));
        self.restricted.store(restricted, Ordering::Relaxed);
    }
}

/// All users. See [`super`].
#[derive(Debug)]
pub struct Users {
    default: Arc<User>,
    by_name: Mutex<BTreeMap<Box<[u8]>, Arc<User>>>,
    /// What a new user may do with channels: `acl-pubsub-default`.
    all_channels: AtomicBool,
    /// New connections have to authenticate.
    password_required: AtomicBool,
}

impl Users {
    /// The default user alone, who may do everything.
    pub fn new(table: &Table) -> Users {
        let default = Arc::new(User::new(DEFAULT_USER, Rules::of_default(table)));
        let by_name = BTreeMap::from([(DEFAULT_USER.into(), Arc::clone(&default))]);
        Users {
            default,
            by_name: Mutex::new(by_name),
            all_channels: AtomicBool::new(false),
            password_required: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<[u8]>, Arc<User>>> {
        // A panic aborts the process, so a poisoned lock is never seen in production.
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who a connection is before it says otherwise.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    /// Whether a new connection has to authenticate: the default user has a password, or is off.
    #[inline]
    pub fn password_required(&self) -> bool {
        self.password_required.load(Ordering::Relaxed)
    }

    /// What users that are made from now on, or reset, may do with channels.
    pub fn set_all_channels(&self, all: bool) {
        self.all_channels.store(all, Ordering::Relaxed);
    }

    fn all_channels(&self) -> bool {
        self.all_channels.load(Ordering::Relaxed)
    }

    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.lock().get(name).cloned()
    }

    /// All users in the order of their names.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.lock().values().cloned().collect()
    }

    /// The user of this name, if that is its password and it may log in.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        let user = self.find(name)?;
        user.with_rules(|rules| rules.admits(password))
            .then_some(user)
    }

    /// Changes a user by rules, or makes it: all of them apply, or none.
    ///
    /// # Errors
    /// The text that ACL SETUSER answers.
    pub fn set(&self, table: &Table, name: &[u8], words: &[&[u8]]) -> Result<Changed, Vec<u8>> {
        let words = merge_selectors(words).map_err(|at| {
            let start = words[at];
            [
                &b"Unmatched parenthesis in acl selector starting at '"[..],
                start,
                b"'.",
            ]
            .concat()
        })?;
        let mut users = self.lock();
        let before = users.get(name).map(|user| user.rules());
        let mut rules = match &before {
            Some(rules) => Rules::clone(rules),
            None => Rules::new(table, self.all_channels()),
        };
        for word in &words {
            rules
                .apply(word, table, self.all_channels())
                .map_err(|error| {
                    let why = format!("': {error}");
                    [
                        &b"Error in ACL SETUSER modifier '"[..],
                        word,
                        why.as_bytes(),
                    ]
                    .concat()
                })?;
        }
        let user = self.put(&mut users, name, rules);
        Ok(Changed { user, before })
    }

    /// Gives a user these rules.
    fn put(
        &self,
        users: &mut BTreeMap<Box<[u8]>, Arc<User>>,
        name: &[u8],
        rules: Rules,
    ) -> Arc<User> {
        if name == DEFAULT_USER {
            let required = !rules.nopass || !rules.enabled;
            self.password_required.store(required, Ordering::Relaxed);
        }
        match users.get(name) {
            Some(user) => {
                user.set(rules);
                Arc::clone(user)
            }
            None => {
                let user = Arc::new(User::new(name, rules));
                users.insert(name.into(), Arc::clone(&user));
                user
            }
        }
    }

    /// Removes a user, who can be anybody but the default one. Its sessions may do nothing any more, and should be closed.
    pub fn remove(&self, table: &Table, name: &[u8]) -> Option<Arc<User>> {
        assert!(name != DEFAULT_USER, "the default user stays");
        let user = self.lock().remove(name)?;
        user.set(Rules::new(table, false));
        Some(user)
    }

    /// Gives the default user the password of `requirepass` alone, or none.
    pub fn set_default_password(&self, password: &[u8]) {
        let mut users = self.lock();
        let mut rules = Rules::clone(&self.default.rules());
        rules.set_only_password(password);
        self.put(&mut users, DEFAULT_USER, rules);
    }

    /// Replaces all users by those of a file. The default user is as it was at first if the file lacks it. Returns its rules before, and
    /// the other users that there were; those that the file lacks may do nothing any more.
    pub fn replace(&self, table: &Table, new: Vec<NamedRules>) -> (Arc<Rules>, Vec<Arc<User>>) {
        let mut users = self.lock();
        let mut new: BTreeMap<_, _> = new.into_iter().collect();
        new.entry(DEFAULT_USER.into())
            .or_insert_with(|| Rules::of_default(table));
        let before = self.default.rules();
        let others = users.values().filter(|user| user.name() != DEFAULT_USER);
        let others: Vec<Arc<User>> = others.cloned().collect();
        users.retain(|name, user| {
            let stays = new.contains_key(name);
            if !stays {
                user.set(Rules::new(table, false));
            }
            stays
        });
        for (name, rules) in new {
            self.put(&mut users, &name, rules);
        }
        (before, others)
    }

    /// Fresh rules for a user of a file, from its words.
    ///
    /// # Errors
    /// The first word that is no rule, and why; the words joined as [`merge_selectors`] does.
    pub fn rules_of(&self, table: &Table, words: &[Vec<u8>]) -> Result<Rules, (usize, RuleError)> {
        let mut rules = Rules::new(table, self.all_channels());
        for (i, word) in words.iter().enumerate() {
            rules
                .apply(word, table, self.all_channels())
                .map_err(|error| (i, error))?;
        }
        Ok(rules)
    }
}

/// What [`Users::set`] did.
#[derive(Debug)]
pub struct Changed {
    /// The user.
    pub user: Arc<User>,
    /// Its rules before, if it was there.
    pub before: Option<Arc<Rules>>,
}

/// Whether a user can have this name: neither blanks nor zero bytes.
pub fn is_plain_name(name: &[u8]) -> bool {
    let bad = |&byte: &u8| byte == 0 || byte == 0x0b || byte.is_ascii_whitespace();
    !name.iter().any(bad)
}
