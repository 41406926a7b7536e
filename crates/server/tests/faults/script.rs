//! What a client asks next, and what it has to be answered.
//!
//! Invariant: a key that a client reads and writes by itself is its alone, so its replies follow from its own requests; every value is used
//! once in a run, so a reply that belongs elsewhere is seen.

use std::collections::BTreeSet;

use dunlin_resp::{Value, reply};
use dunlin_simulator::Random;

use super::expect::Expect;
use super::ledger::{COUNTERS, Ledger};

/// Keys of a client's own.
const OWN_KEYS: usize = 3;
/// Lists that everybody pushes to and pops from.
pub(crate) const QUEUES: usize = 2;
/// Channels.
const CHANNELS: usize = 3;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Script {
    uid: u64,
    tokens: u64,
    /// The longest values.
    value_bytes_max: usize,
    own: [Option<Vec<u8>>; OWN_KEYS],
    published: [u64; CHANNELS],
    subscribed: BTreeSet<usize>,
    resp3: bool,
    /// Whether anybody in this run uses CLIENT PAUSE.
    pub(crate) pauses: bool,
}

/// Requests, and the replies that they get.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Vec<Expect>,
}

impl Requests {
    fn push<A: AsRef<[u8]>>(&mut self, words: &[A], expected: Expect) {
        self.push_silent(words);
        self.expected.push(expected);
    }

    fn push_silent<A: AsRef<[u8]>>(&mut self, words: &[A]) {
        reply::request(&mut self.bytes, words);
    }
}

/// The name of a counter.
pub(crate) fn counter(which: usize) -> String {
    format!("counter{which}")
}

/// The name of a list.
pub(crate) fn queue(which: usize) -> String {
    format!("queue{which}")
}

impl Script {
    pub(crate) fn new(uid: u64, value_bytes_max: usize, pauses: bool) -> Script {
        Script {
            uid,
            tokens: 0,
            value_bytes_max,
            own: Default::default(),
            published: [0; CHANNELS],
            subscribed: BTreeSet::new(),
            resp3: false,
            pauses,
        }
    }

    /// A value that nobody else uses.
    fn token(&mut self, random: &mut Random) -> Vec<u8> {
        self.tokens += 1;
        let mut token = format!("t{}.{}.", self.uid, self.tokens).into_bytes();
        let filler = match random.below(8) {
            0 => random.below(self.value_bytes_max + 1),
            _ => random.below(20),
        };
        let unit = token.clone();
        token.extend(unit.iter().cycle().take(filler));
        token
    }

    fn own_key(&self, which: usize) -> String {
        format!("own{}.{which}", self.uid)
    }

    /// The next request, or a few that belong together.
    pub(crate) fn next(&mut self, random: &mut Random, ledger: &mut Ledger) -> Requests {
        let mut out = Requests::default();
        if !self.subscribed.is_empty() && (!self.resp3 || random.one_in(4)) {
            self.while_subscribed(random, &mut out);
            return out;
        }
        match random.below(32) {
            0..=3 => self.echo(random, &mut out),
            4..=11 => {
                let expected = self.simple(random, ledger, &mut out.bytes);
                out.expected.push(expected);
            }
            12..=15 => self.transaction(random, ledger, &mut out),
            16..=18 => self.pop(random, &mut out),
            19..=21 => self.publish(random, &mut out),
            22 | 23 => self.subscribe(random, &mut out),
            24 => self.silence(random, &mut out),
            25 => self.refused(random, &mut out),
            26 => self.everything(random, &mut out),
            27 if !self.resp3 => {
                self.resp3 = true;
                out.push(&["HELLO", "3"], Expect::Hello);
            }
            28 => out.push(&["CLIENT", "ID"], Expect::ClientId),
            29 => self.kill(random, ledger, &mut out),
            30 if self.pauses => {
                let ms = (1 + random.below(40)).to_string();
                let kind = ["ALL", "WRITE"][random.below(2)];
                out.push(&["CLIENT", "PAUSE", &ms, kind], Expect::ok());
            }
            _ => {
                let text = self.token(random);
                out.push(&[b"PING", &text[..]], Expect::bulk(&text));
            }
        }
        out
    }

    fn echo(&mut self, random: &mut Random, out: &mut Requests) {
        let text = self.token(random);
        if random.one_in(4) {
            out.bytes.extend_from_slice(b"ECHO ");
            out.bytes.extend_from_slice(&text);
            out.bytes.extend_from_slice(b"\r\n");
            out.expected.push(Expect::bulk(&text));
        } else {
            out.push(&[b"ECHO", &text[..]], Expect::bulk(&text));
        }
    }

    /// One command that can stand in a transaction too.
    fn simple(&mut self, random: &mut Random, ledger: &mut Ledger, out: &mut Vec<u8>) -> Expect {
        let which = random.below(OWN_KEYS);
        let key = self.own_key(which).into_bytes();
        let value = self.own[which].clone();
        match random.below(10) {
            0..=2 => {
                let token = self.token(random);
                reply::request(out, &[b"SET", &key[..], &token]);
                self.own[which] = Some(token);
                Expect::ok()
            }
            3 | 4 => {
                reply::request(out, &[b"GET", &key[..]]);
                value.map_or(Expect::Null, |value| Expect::bulk(&value))
            }
            5 => {
                let token = self.token(random);
                reply::request(out, &[b"APPEND", &key[..], &token]);
                let whole = [value.unwrap_or_default(), token].concat();
                let len = whole.len();
                self.own[which] = Some(whole);
                Expect::integer(len)
            }
            6 => {
                reply::request(out, &[b"DEL", &key[..]]);
                self.own[which] = None;
                Expect::integer(usize::from(value.is_some()))
            }
            7 | 8 => {
                let which = random.below(COUNTERS);
                reply::request(out, &["INCR", &counter(which)]);
                let floor = ledger.counters[which].floor();
                Expect::Counter { which, floor }
            }
            _ => {
                let token = self.token(random);
                ledger.will_push(&token);
                let name = queue(random.below(QUEUES));
                reply::request(out, &[b"RPUSH", name.as_bytes(), &token]);
                Expect::Pushed { token }
            }
        }
    }

    fn transaction(&mut self, random: &mut Random, ledger: &mut Ledger, out: &mut Requests) {
        if random.one_in(3) {
            // Nobody else changes it.
            let key = self.own_key(random.below(OWN_KEYS));
            out.push(&["WATCH", &key], Expect::ok());
        }
        out.push(&["MULTI"], Expect::ok());
        if random.one_in(8) {
            let text = self.token(random);
            out.push(
                &[b"ECHO", &text[..]],
                Expect::Is(Value::Simple(b"QUEUED".to_vec())),
            );
            out.push(&["DISCARD"], Expect::ok());
            return;
        }
        let mut inner = Vec::new();
        for _ in 0..1 + random.below(5) {
            inner.push(self.simple(random, ledger, &mut out.bytes));
            out.expected
                .push(Expect::Is(Value::Simple(b"QUEUED".to_vec())));
        }
        out.push(&["EXEC"], Expect::Exec(inner));
    }

    fn pop(&mut self, random: &mut Random, out: &mut Requests) {
        let name = queue(random.below(QUEUES));
        let seconds = format!("0.{:03}", 1 + random.below(400));
        match random.below(4) {
            0 => out.push(
                &["BLMOVE", &name, &queue(0), "LEFT", "RIGHT", &seconds],
                Expect::Moved,
            ),
            side => {
                let verb = ["BLPOP", "BRPOP"][side % 2];
                let queue = name.clone().into_bytes();
                out.push(&[verb, &name, &seconds], Expect::Popped { queue });
            }
        }
    }

    fn publish(&mut self, random: &mut Random, out: &mut Requests) {
        let channel = random.below(CHANNELS);
        self.published[channel] += 1;
        let message = format!("{channel}:{}:{}", self.uid, self.published[channel]);
        let name = format!("channel{channel}");
        out.push(&["PUBLISH", &name, &message], Expect::Published);
    }

    fn subscribe(&mut self, random: &mut Random, out: &mut Requests) {
        let channel = random.below(CHANNELS);
        self.subscribed.insert(channel);
        self.confirm("subscribe", channel, out);
    }

    fn confirm(&self, verb: &'static str, channel: usize, out: &mut Requests) {
        let channel = format!("channel{channel}").into_bytes();
        let left = self.subscribed.len();
        out.push_silent(&[verb.as_bytes(), &channel]);
        out.expected.push(Expect::Confirmed {
            verb,
            channel,
            left,
        });
    }

    /// What a subscriber may ask, whatever protocol it speaks.
    fn while_subscribed(&mut self, random: &mut Random, out: &mut Requests) {
        match random.below(4) {
            0 => self.subscribe(random, out),
            1 => {
                let place = random.below(self.subscribed.len());
                if let Some(channel) = self.subscribed.iter().nth(place).copied() {
                    self.subscribed.remove(&channel);
                    self.confirm("unsubscribe", channel, out);
                }
            }
            _ => {
                let text = self.token(random);
                let expected = if self.resp3 {
                    Expect::bulk(&text)
                } else {
                    let parts = [b"pong".to_vec(), text.clone()].map(Value::Bulk);
                    Expect::Is(Value::Array(parts.to_vec()))
                };
                out.push(&[b"PING", &text[..]], expected);
            }
        }
    }

    /// Requests without replies.
    fn silence(&mut self, random: &mut Random, out: &mut Requests) {
        let text = self.token(random);
        if random.one_in(2) {
            out.push_silent(&["CLIENT", "REPLY", "SKIP"]);
            out.push_silent(&[b"ECHO", &text[..]]);
        } else {
            out.push_silent(&["CLIENT", "REPLY", "OFF"]);
            out.push_silent(&[b"ECHO", &text[..]]);
            out.push_silent(&["GET", "counter0"]);
            out.push(&["CLIENT", "REPLY", "ON"], Expect::ok());
        }
    }

    fn refused(&mut self, random: &mut Random, out: &mut Requests) {
        let text = self.token(random);
        match random.below(3) {
            0 => out.push(
                &[b"NOSUCH", &text[..]],
                Expect::Error("ERR unknown command"),
            ),
            1 => out.push(&["GET"], Expect::Error("ERR wrong number of arguments")),
            _ => out.push(&["LPUSH", &counter(0)], Expect::Error("ERR wrong number")),
        }
    }

    /// Commands that need every stripe.
    fn everything(&mut self, random: &mut Random, out: &mut Requests) {
        match random.below(3) {
            0 => out.push(&["KEYS", "nothing*"], Expect::Is(Value::Array(Vec::new()))),
            1 => {
                out.push(&["SELECT", "9"], Expect::ok());
                let mode = ["SYNC", "ASYNC"][random.below(2)];
                out.push(&["FLUSHDB", mode], Expect::ok());
                out.push(&["SELECT", "0"], Expect::ok());
            }
            _ => out.push(&["SWAPDB", "7", "8"], Expect::ok()),
        }
    }

    fn kill(&mut self, random: &mut Random, ledger: &mut Ledger, out: &mut Requests) {
        let others = ledger.ids.iter().filter(|(uid, _)| *uid != self.uid);
        let others: Vec<_> = others.copied().collect();
        if others.is_empty() {
            return self.echo(random, out);
        }
        let (uid, id) = others[random.below(others.len())];
        ledger.killed.insert(uid);
        out.push(&["CLIENT", "KILL", "ID", &id.to_string()], Expect::Killed);
    }

    /// The last request of a client that leaves in order.
    pub(crate) fn quit(&self) -> Requests {
        let mut out = Requests::default();
        out.push(&["QUIT"], Expect::ok());
        out
    }

    /// Bytes that are no request.
    pub(crate) fn garbage(&mut self, random: &mut Random) -> Requests {
        const BROKEN: [&[u8]; 5] = [
            b"*1\r\n:4\r\nPING\r\n",
            b"*abc\r\n",
            b"*2\r\n$4\r\nECHO\r\n$x\r\n",
            b"*1\r\n$-7\r\n",
            b"*99999999999\r\n",
        ];
        let mut out = Requests::default();
        out.bytes
            .extend_from_slice(BROKEN[random.below(BROKEN.len())]);
        out.expected.push(Expect::Error("ERR Protocol error"));
        let rest = random.below(200);
        out.bytes.extend((0..rest).map(|_| random.next_u64() as u8));
        out
    }
}
