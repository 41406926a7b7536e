//! A console for tests: commands as a person types them, replies as redis-cli shows them in one line.
//!
//! `check("SET k v PX 10; +11ms; GET k", "OK; nil")`. Time stands still but for `+Nms` (or `+Ns`) steps; sessions other
//! than the first are addressed as `2> GET k`. What goes on in steps is run to its end; nothing parks, since one thread
//! runs everything.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_resp::Version;
use dunlin_store::Settings;
use dunlin_store::stripes::{ReadyList, Waiter, Wake};
use dunlin_structures::rope::Rope;

use crate::args::OwnedArgs;
use crate::context::Host;
use crate::dispatch::{Call, Executed, Stepped};
use crate::engine::{Engine, WorkerState};
use crate::session::Session;

/// Where the console's clock starts, in milliseconds since 1970.
pub const START_MS: u64 = 1_700_000_000_000;

struct NoOne;

impl Wake for NoOne {
    fn wake(&self) {}
}

struct TestHost {
    now_us: u64,
}

impl Host for TestHost {
    fn unix_time_us(&mut self) -> u64 {
        self.now_us
    }
    fn sleep_us(&mut self, us: u64) {
        self.now_us += us;
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// An engine with sessions, driven by text.
pub struct Console {
    /// The engine under test.
    pub engine: Arc<Engine>,
    worker: WorkerState,
    sessions: BTreeMap<u64, Session>,
    /// Messages to sessions that were not looked at yet.
    messages: BTreeMap<u64, Rope>,
    waiter: Arc<Waiter>,
    now_ms: u64,
}

impl Default for Console {
    fn default() -> Console {
        Console::new(Arc::new(Engine::new(&Settings::default(), &[])))
    }
}

impl Console {
    /// A console over this engine.
    pub fn new(engine: Arc<Engine>) -> Console {
        let mut worker = engine.worker(0, 42);
        worker.local.clock = (START_MS / 1000) as u32;
        let waiter = Waiter::new(ReadyList::new(NoOne), 0);
        Console {
            engine,
            worker,
            sessions: BTreeMap::new(),
            messages: BTreeMap::new(),
            waiter,
            now_ms: START_MS,
        }
    }

    /// The session of that number, made when first asked for.
    pub fn session(&mut self, id: u64) -> &mut Session {
        self.sessions
            .entry(id)
            .or_insert_with(|| Session::new(id, true))
    }

    /// Lets time pass.
    pub fn advance_ms(&mut self, ms: u64) {
        self.now_ms += ms;
        self.worker.local.clock = (self.now_ms / 1000) as u32;
    }

    /// Removes what is due, as a worker's idle turn does.
    pub fn expire(&mut self) {
        self.engine
            .store
            .expire_some(&mut self.worker.local, self.now_ms, usize::MAX);
    }

    /// Runs one command of session `id` and returns the encoded reply.
    pub fn call(&mut self, id: u64, args: &[&[u8]]) -> Vec<u8> {
        self.session(id);
        let owned = OwnedArgs::of(args.iter().copied());
        let session = self.sessions.get_mut(&id).expect("made above");
        let mut host = TestHost {
            now_us: self.now_ms * 1000,
        };
        let mut out = Rope::new();
        let mut none = OwnedArgs::default();
        macro_rules! call {
            ($args:expr) => {
                Call {
                    args: $args.as_args(),
                    id: None,
                    first_hash: None,
                    session: &mut *session,
                    out: &mut out,
                    host: &mut host,
                    worker: &mut self.worker,
                    waiter: &self.waiter,
                    now_ms: self.now_ms,
                }
            };
        }
        match self.engine.execute(call!(owned)) {
            Executed::Done { .. } => {}
            Executed::Parked { .. } => panic!("one thread has nobody to wait for"),
            Executed::Blocked(_) => panic!("a console waits for nobody"),
            Executed::Continue(mut continuation) => loop {
                match self.engine.step(call!(none), &mut *continuation, false) {
                    Stepped::More => {}
                    Stepped::Done => break,
                    Stepped::Parked => panic!("one thread has nobody to wait for"),
                }
            },
            Executed::Away(_) => unreachable!("only commands of the server go away"),
            Executed::Again { .. } => unreachable!("only the auxiliary thread says so"),
            Executed::Heavy(heavy) => {
                let _ = &mut none;
                self.engine.run_heavy(call!(owned), *heavy);
            }
        }
        self.now_ms = host.now_us / 1000;
        content(&mut out)
    }

    /// Messages that came for session `id` since the last time, separated by `; `.
    pub fn messages(&mut self, id: u64) -> String {
        let (sessions, messages) = (&self.sessions, &mut self.messages);
        let pubsub = &self.engine.pubsub;
        self.worker.local.tell_now(&self.engine.store, |telling| {
            pubsub.deliver(0, telling, |token, run| {
                // A session's token is its number.
                if let Some(session) = sessions.get(&token) {
                    run.append_to(messages.entry(token).or_default(), session.version);
                }
            });
        });
        self.worker.local.wakes.clear();
        show_all(&content(&mut self.messages.remove(&id).unwrap_or_default()))
    }

    /// Runs a script of commands separated by `;` and returns the replies separated by `; `.
    pub fn run(&mut self, script: &str) -> String {
        let mut replies = Vec::new();
        for line in script.split(';').map(str::trim).filter(|l| !l.is_empty()) {
            if let Some(step) = line.strip_prefix('+') {
                let ms = match step.strip_suffix("ms") {
                    Some(ms) => ms.parse::<u64>().expect("a number of milliseconds"),
                    None => {
                        step.trim_end_matches('s')
                            .parse::<u64>()
                            .expect("a number of seconds")
                            * 1000
                    }
                };
                self.advance_ms(ms);
                continue;
            }
            let (id, command) = match line.split_once("> ") {
                Some((id, command)) if id.chars().all(|c| c.is_ascii_digit()) => {
                    (id.parse().expect("digits"), command)
                }
                _ => (1, line),
            };
            let words = dunlin_resp::split_words(command.as_bytes()).expect("balanced quotes");
            let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let reply = self.call(id, &args);
            replies.push(show(&reply));
        }
        replies.join("; ")
    }
}

/// Runs a script in a fresh console and compares the replies.
#[track_caller]
pub fn check(script: &str, expected: &str) {
    assert_eq!(Console::default().run(script), expected, "{script}");
}

/// All bytes of a rope, which is empty then.
fn content(rope: &mut Rope) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !rope.is_empty() {
        let piece = rope.first().to_vec();
        rope.advance(piece.len());
        bytes.extend(piece);
    }
    bytes
}

/// Encoded replies one behind the other, separated by `; `.
pub fn show_all(mut replies: &[u8]) -> String {
    let mut shown = Vec::new();
    while !replies.is_empty() {
        shown.push(show_one(&mut replies));
    }
    shown.join("; ")
}

/// One encoded reply on one line: `OK`, `nil`, `3`, `[a b]`, `{k v}`, `(error) ERR ...`.
pub fn show(reply: &[u8]) -> String {
    let mut rest = reply;
    let shown = show_one(&mut rest);
    assert!(
        rest.is_empty(),
        "bytes behind the reply: {:?}",
        String::from_utf8_lossy(rest)
    );
    shown
}

fn show_one(rest: &mut &[u8]) -> String {
    let end = rest
        .windows(2)
        .position(|w| w == b"\r\n")
        .expect("a reply has a line end");
    let line = String::from_utf8_lossy(&rest[1..end]).into_owned();
    let kind = rest[0];
    *rest = &rest[end + 2..];
    let count = || line.parse::<i64>().expect("a length");
    match kind {
        b'+' | b':' | b',' | b'(' | b'#' => line,
        b'-' => format!("(error) {line}"),
        b'_' => "nil".into(),
        b'$' | b'=' => match usize::try_from(count()) {
            Err(_) => "nil".into(),
            Ok(len) => {
                let text = rest[..len].escape_ascii().to_string();
                *rest = &rest[len + 2..];
                text
            }
        },
        b'*' | b'~' | b'>' | b'%' => match usize::try_from(count()) {
            Err(_) => "nil".into(),
            Ok(n) => {
                let n = if kind == b'%' { 2 * n } else { n };
                let items: Vec<String> = (0..n).map(|_| show_one(rest)).collect();
                let (open, close) = if kind == b'%' { ('{', '}') } else { ('[', ']') };
                format!("{open}{}{close}", items.join(" "))
            }
        },
        other => panic!("reply of unknown kind {:?}", other as char),
    }
}

/// The version that `HELLO 3` sets, for tests of RESP3 replies.
pub fn resp3(console: &mut Console) {
    console.session(1).version = Version::Resp3;
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_key_lives_and_dies() {
        check(
            "SET k v PX 10; GET k; +9ms; GET k; +1ms; GET k",
            "OK; v; v; nil",
        );
        check(
            "SET k v; DEL k k; GET k; set k 12; KEYS *; nosuch a b",
            concat!(
                "OK; 1; nil; OK; [k]; ",
                "(error) ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "
            ),
        );
    }

    #[test]
    fn transactions_depend_on_watched_keys() {
        check(
            "WATCH k; MULTI; SET k 1; EXEC; GET k",
            "OK; OK; QUEUED; [OK]; 1",
        );
        check(
            "WATCH k; 2> SET k 2; MULTI; SET k 1; EXEC; GET k",
            "OK; OK; OK; QUEUED; nil; 2",
        );
        check(
            "SET k v PX 5; WATCH k; +5ms; MULTI; GET k; EXEC",
            "OK; OK; OK; QUEUED; nil",
        );
        check(
            "MULTI; GET; EXEC",
            "OK; (error) ERR wrong number of arguments for 'get' command; \
            (error) EXECABORT Transaction discarded because of previous errors.",
        );
    }
}
