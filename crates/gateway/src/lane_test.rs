//! Lanes with a store whose every word is written here.

use std::rc::Rc;

use dunlin_frame::{AckResult, Id};
use dunlin_reactor::{
    CloseReason, ConnId, Epoll, EventLoop, Handler, Input, Io, Limits, Peer, Socket, SystemBackend,
};

use super::Lane;
use crate::settings::{Settings, Store};
use crate::token::{Token, Tokens};

/// Remembers a connection.
struct Remember(Option<ConnId>);

impl Handler for Remember {
    fn opened(&mut self, io: &mut Io<'_>, conn: ConnId, _: &Peer) {
        self.0 = Some(conn);
        io.stop(0);
    }
    fn inputs(&mut self, _: &mut Io<'_>, _: &mut [Input]) {}
    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
}

/// Only a loop makes these.
fn some_conn() -> ConnId {
    let mut event_loop = EventLoop::new(Epoll::open().unwrap(), Limits::default());
    let (one, _other) = Socket::pair().unwrap();
    event_loop.adopter().adopt(one).unwrap();
    let mut remember = Remember(None);
    event_loop.run(&mut remember).unwrap();
    remember.0.unwrap()
}

struct Script {
    lane: Lane,
    tokens: Tokens,
    settings: Rc<Settings>,
    conn: ConnId,
}

const WALL_US: u64 = 1_000;

impl Script {
    /// A lane whose store has greeted it.
    fn new() -> Script {
        let store = Store::At(
            "127.0.0.1:1"
                .parse()
                .map(dunlin_reactor::ConnectAddress::Tcp)
                .unwrap(),
        );
        let settings = Rc::new(Settings::new(store, b"s").unwrap());
        let mut script = Script {
            lane: Lane::new(Rc::clone(&settings)),
            tokens: Tokens::default(),
            settings,
            conn: some_conn(),
        };
        script.connect();
        script
    }

    fn connect(&mut self) {
        self.lane.connected(0);
        assert_eq!(self.sent(), "TYPE s");
        self.hear("+none\r\n");
    }

    fn token(&mut self, name: &str) -> Rc<Token> {
        self.tokens.of(name.as_bytes(), &self.settings.names)
    }

    fn push(&mut self, token: &str, number: u32) {
        let token = (!token.is_empty()).then(|| self.token(token));
        let id = Id::new(number).unwrap();
        self.lane.push(self.conn, id, token, b"x", 0);
    }

    /// What the lane sends now: commands by `; `, without the zeros of IDs.
    fn sent(&mut self) -> String {
        self.lane.pump(0);
        let mut bytes = Vec::new();
        while !self.lane.out.is_empty() {
            let first = self.lane.out.first().to_vec();
            self.lane.out.advance(first.len());
            bytes.extend_from_slice(&first);
        }
        let mut commands: Vec<Vec<String>> = Vec::new();
        for line in String::from_utf8(bytes).unwrap().split("\r\n") {
            match line.bytes().next() {
                Some(b'*') if line.len() > 1 => commands.push(Vec::new()),
                Some(b'$') | None => {}
                _ => {
                    let is_id = line.len() == 8 && line.starts_with('0');
                    let word = if is_id {
                        line.trim_start_matches('0')
                    } else {
                        line
                    };
                    commands.last_mut().unwrap().push(word.to_owned());
                }
            }
        }
        let commands: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
        commands.join("; ")
    }

    fn hear(&mut self, replies: &str) {
        self.lane.feed(replies.as_bytes(), WALL_US, 0).unwrap();
    }

    /// The outcomes since the last call: `7 ok; 8 error`.
    fn outcomes(&mut self) -> String {
        let mut out = Vec::new();
        while let Some(batch) = self.lane.finished.pop_front() {
            for (index, submit) in batch.submits.iter().enumerate() {
                let result = match batch.outcome(index).1 {
                    AckResult::Ok => "ok",
                    AckResult::Error => "error",
                };
                out.push(format!("{} {result}", submit.id.number()));
            }
            self.lane.recycle(batch);
        }
        out.join("; ")
    }
}

const CHECK: &str = "WATCH {s}:kept:a; TYPE s; ZMSCORE {s}:kept:a 1";
const COMMIT: &str = "MULTI; XADD s * id 1 token a payload x; ZADD {s}:kept:a 1000 1; \
                      ZREMRANGEBYRANK {s}:kept:a 0 -10001; EXPIRE {s}:kept:a 604800; EXEC";
const QUEUED: &str = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n";
const EXECUTED: &str = "*4\r\n$3\r\n1-0\r\n:1\r\n:0\r\n:1\r\n";

#[test]
fn two_rounds() {
    let mut script = Script::new();
    script.push("a", 1);
    assert_eq!(script.sent(), CHECK);
    assert_eq!(script.outcomes(), "");
    script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
    assert_eq!(script.sent(), COMMIT);
    script.hear(QUEUED);
    assert_eq!(script.outcomes(), "", "not before EXEC is answered");
    script.hear(EXECUTED);
    assert_eq!(script.outcomes(), "1 ok");
    // It is there now: no second round. The next message needs neither a cut nor a deadline.
    script.push("a", 1);
    script.push("a", 2);
    assert_eq!(
        script.sent(),
        "WATCH {s}:kept:a; TYPE s; ZMSCORE {s}:kept:a 1 2"
    );
    script.hear("+OK\r\n+stream\r\n*2\r\n$1\r\n1\r\n$-1\r\n");
    assert_eq!(
        script.sent(),
        "MULTI; XADD s * id 2 token a payload x; ZADD {s}:kept:a 1002 2; EXEC"
    );
    script.hear("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n2-0\r\n:1\r\n");
    assert_eq!(script.outcomes(), "1 ok; 2 ok");
    script.push("a", 2);
    script.sent();
    script.hear("+OK\r\n+stream\r\n*1\r\n$1\r\n1\r\n");
    assert_eq!(script.sent(), "UNWATCH");
    assert_eq!(script.outcomes(), "2 ok");
    script.hear("+OK\r\n");
}

#[test]
fn replies_in_any_pieces() {
    let mut script = Script::new();
    script.push("a", 1);
    script.sent();
    for byte in "+OK\r\n+none\r\n*1\r\n$-1\r\n".chars() {
        script.hear(&byte.to_string());
    }
    assert_eq!(script.sent(), COMMIT);
    for byte in format!("{QUEUED}{EXECUTED}").chars() {
        script.hear(&byte.to_string());
    }
    assert_eq!(script.outcomes(), "1 ok");
}

#[test]
fn repeats_within_a_batch_share_one_fate() {
    let mut script = Script::new();
    for number in [2, 1, 2] {
        script.push("a", number);
    }
    script.push("b", 2);
    assert_eq!(
        script.sent(),
        "WATCH {s}:kept:a {s}:kept:b; TYPE s; ZMSCORE {s}:kept:a 1 2; ZMSCORE {s}:kept:b 2"
    );
    script.hear("+OK\r\n+none\r\n*2\r\n$1\r\n5\r\n$-1\r\n*1\r\n$-1\r\n");
    let sent = script.sent();
    assert!(sent.starts_with(
        "MULTI; XADD s * id 2 token a payload x; XADD s * id 2 token b payload x; ZADD {s}:kept:a 1000 2; "
    ), "{sent}");
    script.hear("+OK\r\n-OOM not now\r\n");
    script.hear(&"+QUEUED\r\n".repeat(7));
    script.hear("-EXECABORT no\r\n");
    assert_eq!(script.outcomes(), "2 error; 1 ok; 2 error; 2 error");
    assert_eq!(script.lane.complaint.take().unwrap().0, b"OOM not now");
}

#[test]
fn without_tokens_nothing_is_watched() {
    let mut script = Script::new();
    script.push("", 1);
    script.push("", 1);
    let one = "XADD s * id 1 payload x";
    assert_eq!(script.sent(), format!("{one}; {one}"));
    script.push("", 2);
    script.sent();
    script.hear("$3\r\n1-0\r\n");
    assert_eq!(script.outcomes(), "");
    script.hear("-WRONGTYPE no stream\r\n$3\r\n2-0\r\n");
    assert_eq!(script.outcomes(), "1 ok; 1 error; 2 ok");
}

#[test]
fn what_was_appended_is_not_appended_again() {
    let mut script = Script::new();
    for number in 1..=3 {
        script.push("", number);
    }
    script.sent();
    script.hear("$3\r\n1-0\r\n-OOM not now\r\n");
    script.lane.lost();
    script.connect();
    assert_eq!(script.sent(), "XADD s * id 3 payload x");
    script.hear("$3\r\n2-0\r\n");
    assert_eq!(script.outcomes(), "1 ok; 2 error; 3 ok");
}

#[test]
fn the_next_check_travels_with_the_commit_and_is_void_if_that_fails() {
    let mut script = Script::new();
    script.push("a", 1);
    script.sent();
    script.push("a", 2);
    assert_eq!(script.sent(), "", "not between a WATCH and its EXEC");
    script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
    let next = "WATCH {s}:kept:a; TYPE s; ZMSCORE {s}:kept:a 2";
    assert_eq!(script.sent(), format!("{COMMIT}; {next}"));
    // Somebody was in the way: the first is to commit before the second.
    script.hear(&format!("{QUEUED}*-1\r\n"));
    assert_eq!(script.sent(), "");
    script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
    assert_eq!(script.sent(), format!("UNWATCH; {CHECK}"));
    assert_eq!(script.outcomes(), "");
    script.hear("+OK\r\n+OK\r\n+stream\r\n*1\r\n$1\r\n5\r\n");
    assert_eq!(script.sent(), format!("UNWATCH; {next}"));
    assert_eq!(script.outcomes(), "1 ok");
}

#[test]
fn conflicts_end_at_last() {
    let mut script = Script::new();
    script.push("a", 1);
    for _ in 0..=script.settings.limits.conflicts_max {
        assert_eq!(script.sent(), CHECK);
        script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
        let sent = script.sent();
        // What would have been tended to is still to be.
        assert!(sent.ends_with("EXPIRE {s}:kept:a 604800; EXEC"), "{sent}");
        assert_eq!(script.outcomes(), "");
        script.hear(&format!("{QUEUED}*-1\r\n"));
    }
    assert_eq!(script.sent(), "");
    assert_eq!(script.outcomes(), "1 error");
}

#[test]
fn what_is_lost_is_run_again_in_order() {
    let mut script = Script::new();
    script.push("a", 1);
    script.sent();
    script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
    script.push("a", 2);
    script.sent();
    script.push("a", 3);
    // The transaction may have happened or not.
    script.lane.lost();
    assert_eq!(script.sent(), "", "there is no connection");
    script.connect();
    assert_eq!(script.sent(), CHECK);
    script.hear("+OK\r\n+stream\r\n*1\r\n$1\r\n5\r\n");
    assert_eq!(
        script.sent(),
        "UNWATCH; WATCH {s}:kept:a; TYPE s; ZMSCORE {s}:kept:a 2"
    );
    assert_eq!(script.outcomes(), "1 ok");
    script.hear("+OK\r\n+OK\r\n+stream\r\n*1\r\n$1\r\n5\r\n");
    assert_eq!(
        script.sent(),
        "UNWATCH; WATCH {s}:kept:a; TYPE s; ZMSCORE {s}:kept:a 3"
    );
    assert_eq!(script.outcomes(), "2 ok");
}

#[test]
fn a_store_that_cannot_serve_now_is_asked_again() {
    for refusal in [
        "-LOADING wait\r\n",
        "-READONLY replica\r\n",
        "-NOAUTH who\r\n",
    ] {
        let mut script = Script::new();
        script.push("a", 1);
        script.sent();
        script.hear(refusal);
        assert!(script.lane.must_reconnect());
        assert_eq!(
            (script.sent().as_str(), script.outcomes().as_str()),
            ("", "")
        );
        script.lane.lost();
        script.connect();
        assert!(!script.lane.must_reconnect());
        assert_eq!(script.sent(), CHECK);
    }
}

#[test]
fn what_was_noted_and_not_appended_is_taken_back() {
    let failed = "*4\r\n-WRONGTYPE no stream\r\n:1\r\n:0\r\n:1\r\n";
    let mut script = Script::new();
    script.push("a", 1);
    script.sent();
    script.hear("+OK\r\n+none\r\n*1\r\n$-1\r\n");
    script.push("a", 1);
    script.sent();
    script.hear(&format!("{QUEUED}{failed}"));
    assert_eq!(script.sent(), "ZREM {s}:kept:a 1");
    assert_eq!(script.outcomes(), "");
    // The check behind it saw the note: it counts for nothing.
    script.hear("+OK\r\n+stream\r\n*1\r\n$1\r\n5\r\n");
    assert_eq!(script.outcomes(), "");
    // Giving up would leave the note, and so would a loss.
    script.lane.lost();
    script.lane.give_up_before(u64::MAX);
    assert_eq!(script.outcomes(), "1 error", "the second one");
    script.connect();
    assert_eq!(script.sent(), "ZREM {s}:kept:a 1");
    script.hear(":1\r\n");
    assert_eq!(script.outcomes(), "1 error");
}

#[test]
fn a_stream_of_another_type_refuses_all() {
    let mut script = Script::new();
    script.push("a", 1);
    script.push("", 2);
    script.sent();
    script.hear("+OK\r\n+list\r\n*1\r\n$-1\r\n");
    assert_eq!(script.sent(), "UNWATCH");
    assert_eq!(script.outcomes(), "1 error; 2 error");
}

#[test]
fn batches_have_limits() {
    let mut script = Script::new();
    script.sent();
    let max = script.settings.limits.batch_submits_max as u32;
    for number in 0..=max {
        script.push("a", number);
    }
    let sent = script.sent();
    assert_eq!(
        sent.split(' ').count(),
        2 + 2 + 2 + max as usize,
        "{max} IDs"
    );
    script.lane.abandon();
    assert_eq!(script.outcomes().split("; ").count(), 1 + max as usize);
}

#[test]
fn since_when_an_answer_is_owed() {
    let mut script = Script::new();
    assert_eq!(script.lane.waits_since_ms(), None);
    script.push("a", 1);
    script.lane.pump(7);
    assert_eq!(script.lane.waits_since_ms(), Some(7));
    script.lane.lost();
    assert_eq!(script.lane.waits_since_ms(), None);
    // Not even a greeting.
    script.lane.connected(9);
    assert_eq!(script.lane.waits_since_ms(), Some(9));
}

#[test]
fn nonsense_from_the_store() {
    let mut script = Script::new();
    assert!(script.lane.feed(b"+OK\r\n", 0, 0).is_err(), "nobody asked");
    let mut script = Script::new();
    script.push("a", 1);
    script.sent();
    assert!(script.lane.feed(b"HTTP/1.1\r\n", 0, 0).is_err());
}
