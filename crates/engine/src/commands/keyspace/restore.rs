//! RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]: the value that DUMP gave. <https://redis.io/commands/restore>

use std::sync::atomic::Ordering;

use dunlin_persist::rdb::{self, RestoreError};
use dunlin_store::Event;

use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::number::parse_i64;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// So many bytes of a payload take about as long as an element of a collection.
const BYTES_PER_ELEMENT: usize = 16;

/// RESTORE.
pub(super) const RESTORE: Command = Command {
    name: "restore",
    full_name: "restore",
    arity: -4,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::KEYSPACE
        .and(Categories::WRITE)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[KeySpec::one(1, &["OW", "update"])],
    scope: Scope::Keys,
    group: "generic",
    since: "2.6.0",
    complexity: "O(bytes of the value), and O(n log n) for the members of a big collection",
    summary: "Makes a key of the bytes that DUMP gave for its value.",
    history: &[
        ("3.0.0", "Takes REPLACE."),
        ("5.0.0", "Takes ABSTTL."),
        ("5.0.0", "Takes IDLETIME and FREQ."),
    ],
    arguments: &[
        Argument::KEY,
        Argument::new("ttl", ArgKind::Integer),
        Argument::new("serialized-value", ArgKind::String),
        Argument::token("replace", "REPLACE")
            .optional()
            .since("3.0.0"),
        Argument::token("absttl", "ABSTTL")
            .optional()
            .since("5.0.0"),
        Argument::new("seconds", ArgKind::Integer)
            .with_token("IDLETIME")
            .optional()
            .since("5.0.0"),
        Argument::new("frequency", ArgKind::Integer)
            .with_token("FREQ")
            .optional()
            .since("5.0.0"),
    ],
    handler: restore,
    ..Command::BASE
};

#[derive(Debug, Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, ReplyError> {
        let mut options = Options::default();
        let number = |i: usize| parse_i64(args.at(i)).ok_or(ReplyError::NotInteger);
        let mut i = 4;
        while i < args.len() {
            let has_value = i + 1 < args.len();
            if args.is(i, "replace") {
                options.replace = true;
            } else if args.is(i, "absttl") {
                options.absolute = true;
            } else if args.is(i, "idletime") && has_value && options.frequency.is_none() {
                i += 1;
                let idle_s = u64::try_from(number(i)?);
                options.idle_s = Some(idle_s.map_err(|_| ReplyError::InvalidIdleTime)?);
            } else if args.is(i, "freq") && has_value && options.idle_s.is_none() {
                i += 1;
                let frequency = u8::try_from(number(i)?);
                options.frequency = Some(frequency.map_err(|_| ReplyError::InvalidFrequency)?);
            } else {
                return Err(ReplyError::Syntax);
            }
            i += 1;
        }
        Ok(options)
    }
}

fn restore(cx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse(cx.args)?;
    let (db, key) = (cx.db(), cx.key(1));
    if !options.replace && cx.keys.find(db, &key).is_some() {
        return Err(ReplyError::BusyKey);
    }
    let ttl = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let ttl = u64::try_from(ttl).map_err(|_| ReplyError::InvalidTtl)?;
    let payload = cx.args.at(3);
    if cx.is_heavy(payload.len() / BYTES_PER_ELEMENT) {
        return Ok(Flow::Heavy);
    }
    let now_ms = cx.keys.now_ms();
    let (store, encodings) = (cx.keys.store(), &cx.engine.encodings);
    let clock = store
        .eviction
        .clock_of(options.idle_s, options.frequency, now_ms);
    let rules = encodings.rules(store.hasher(), clock, now_ms);
    let checked = !cx.engine.payloads.any_checksum.load(Ordering::Relaxed);
    let entry = match rdb::restore(payload, key.bytes, &rules, checked) {
        Ok(entry) => entry,
        Err(RestoreError::Footer) => return Err(ReplyError::DumpFooter),
        Err(RestoreError::Value(why)) => {
            cx.host.refused_value(key.bytes, &why);
            return Err(ReplyError::BadDataFormat);
        }
    };
    let deadline = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => Some(ttl.saturating_add(now_ms)),
    };
    match entry {
        Some(entry) if deadline.is_none_or(|at| at > now_ms) => {
            // Taken out first: as in Redis, what comes is a new key.
            if let Some(old) = cx.keys.remove(db, &key) {
                cx.keys.discard(old);
            }
            cx.keys.put_entry(db, &key, entry, deadline);
            let at = deadline.unwrap_or(0).to_string();
            let effect = [
                &b"RESTORE"[..],
                key.bytes,
                at.as_bytes(),
                payload,
                b"REPLACE",
                b"ABSTTL",
            ];
            let event = Event::generic("restore");
            cx.keys
                .record_args(db, key.bytes, event, effect.into_iter());
        }
        // It would be gone at once: what was there before goes.
        _ => {
            if let Some(old) = cx.keys.remove(db, &key) {
                cx.keys.discard(old);
                let effect = ["DEL".into(), key.bytes.into()];
                cx.keys
                    .record(db, key.bytes, Event::generic("del"), &effect);
            }
        }
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Console, START_MS, check, show};

    /// The payload of redis-server 7.2.4 for the string `foo`.
    const FOO: &str = r#""\x00\x03foo\x0b\x00\x1a\x96\x84\xa8\xb0^S\x1e""#;

    #[test]
    fn makes_a_key() {
        check(
            &format!(
                "RESTORE k 0 {FOO}; GET k; PTTL k; RESTORE k 0 {FOO}; RESTORE k 50 {FOO} REPLACE; PTTL k; \
                 OBJECT ENCODING k; +50ms; GET k"
            ),
            "OK; foo; -1; (error) BUSYKEY Target key name already exists.; OK; 50; embstr; nil",
        );
    }

    #[test]
    fn deadlines_may_be_absolute_or_past() {
        let later = START_MS + 70;
        check(
            &format!(
                "RESTORE k {later} {FOO} ABSTTL; PTTL k; RESTORE k 1 {FOO} absttl replace; EXISTS k"
            ),
            "OK; 70; OK; 0",
        );
        check(&format!("RESTORE k 1 {FOO} ABSTTL; EXISTS k"), "OK; 0");
        // Watchers hear of what goes, and of nothing where nothing was.
        check(
            &format!(
                "SET k v; WATCH k; 2> RESTORE k 1 {FOO} ABSTTL REPLACE; MULTI; PING; EXEC; \
                 WATCH k; 2> RESTORE k 1 {FOO} ABSTTL; MULTI; PING; EXEC"
            ),
            "OK; OK; OK; OK; QUEUED; nil; OK; OK; OK; QUEUED; [PONG]",
        );
    }

    #[test]
    fn takes_idle_times() {
        check(
            &format!(
                "RESTORE k 0 {FOO} IDLETIME 1000; OBJECT IDLETIME k; RESTORE l 0 {FOO} FREQ 100; OBJECT IDLETIME l"
            ),
            "OK; 1000; OK; 0",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        check(
            &format!(
                "SET k v; RESTORE k 0; RESTORE k x y; RESTORE n x y; RESTORE n -1 y; RESTORE n 0 y; RESTORE n 0 {FOO} NX; \
                 RESTORE n 0 {FOO} IDLETIME; RESTORE n 0 {FOO} IDLETIME -1; RESTORE n 0 {FOO} IDLETIME x; \
                 RESTORE n 0 {FOO} FREQ 256; RESTORE n 0 {FOO} FREQ 1 IDLETIME 1; EXISTS n"
            ),
            "OK; (error) ERR wrong number of arguments for 'restore' command; \
             (error) BUSYKEY Target key name already exists.; \
             (error) ERR value is not an integer or out of range; (error) ERR Invalid TTL value, must be >= 0; \
             (error) ERR DUMP payload version or checksum are wrong; (error) ERR syntax error; \
             (error) ERR syntax error; (error) ERR Invalid IDLETIME value, must be >= 0; \
             (error) ERR value is not an integer or out of range; \
             (error) ERR Invalid FREQ value, must be >= 0 and <= 255; (error) ERR syntax error; 0",
        );
    }

    #[test]
    fn a_wrong_byte_is_refused() {
        let mut console = Console::default();
        console.run("SET k foo");
        let mut payload = dumped(&mut console, b"k");
        for at in 0..payload.len() {
            payload[at] ^= 4;
            let reply = console.call(1, &[b"RESTORE", b"n", b"0", &payload]);
            assert_eq!(
                show(&reply),
                "(error) ERR DUMP payload version or checksum are wrong",
                "byte {at}"
            );
            payload[at] ^= 4;
        }
        console
            .engine
            .payloads
            .any_checksum
            .store(true, Ordering::Relaxed);
        payload[0] = 99;
        let reply = console.call(1, &[b"RESTORE", b"n", b"0", &payload]);
        assert_eq!(show(&reply), "(error) ERR Bad data format");
        payload[0] = 0;
        let last = payload.len() - 1;
        payload[last] ^= 1;
        let reply = console.call(1, &[b"RESTORE", b"n", b"0", &payload]);
        assert_eq!(show(&reply), "OK");
    }

    fn dumped(console: &mut Console, key: &[u8]) -> Vec<u8> {
        let reply = console.call(1, &[b"DUMP", key]);
        let head = reply.windows(2).position(|two| two == b"\r\n");
        let head = head.expect("a line of the length") + 2;
        reply[head..reply.len() - 2].to_vec()
    }

    #[test]
    fn gives_back_what_dump_took() {
        let long = "x".repeat(100_000);
        let many = |prefix: &str, count: usize| -> String {
            (0..count).map(|n| format!(" {prefix}{n}")).collect()
        };
        let pairs: String = (0..1000).map(|n| format!(" f{n} v{n}")).collect();
        let scores: String = (0..1000).map(|n| format!(" {n}.5 m{n}")).collect();
        let mut console = Console::default();
        console.run(&format!(
            "SET int 1234567; SET embstr v; SET raw {}; SET chunked {long}; RPUSH list a 1 b; RPUSH biglist{}; \
             SADD ints 1 2 300000 -7; SADD set a b 3; SADD bigset{}; HSET hash a 1 b 2; HSET bighash{pairs}; \
             ZADD zset 1 a -inf b 2.25 c; ZADD bigzset{scores}; XADD stream 1-1 a b; XADD stream 2-1 c d e f; XADD stream 3-0 a x; \
             XDEL stream 2-1; XGROUP CREATE stream g 0; XREADGROUP GROUP g alice COUNT 1 STREAMS stream >; \
             HSET timed a 1 b 2; HPEXPIRE timed 5000 FIELDS 1 a; HSET bigtimed{pairs}; HPEXPIRE bigtimed 7000 FIELDS 2 f1 f2",
            "y".repeat(60),
            many("element", 3000),
            many("member", 1000),
        ));
        let keys = [
            "int", "embstr", "raw", "chunked", "list", "biglist", "ints", "set", "bigset", "hash",
            "bighash", "zset", "bigzset", "stream", "timed", "bigtimed",
        ];
        for key in keys {
            let payload = dumped(&mut console, key.as_bytes());
            let reply = console.call(1, &[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"]);
            assert_eq!(show(&reply), "OK", "{key}");
            for question in ["OBJECT ENCODING {}", "TYPE {}"] {
                let ask =
                    |console: &mut Console, key: &str| console.run(&question.replace("{}", key));
                assert_eq!(
                    ask(&mut console, "copy"),
                    ask(&mut console, key),
                    "{question} of {key}"
                );
            }
            assert_eq!(
                dumped(&mut console, b"copy").len(),
                payload.len(),
                "{key}: the elements of some are in another order"
            );
        }
        assert_eq!(
            console
                .run("HPTTL copy FIELDS 3 f1 f2 f3; HLEN copy; DUMP timed; +5s; HGETALL timed")
                .split("; ")
                .next(),
            Some("[7000 7000 -1]")
        );
    }

    #[test]
    fn fields_past_their_deadline_are_left_out() {
        let mut console = Console::default();
        console.run("HSET timed a 1 b 2; HPEXPIRE timed 5000 FIELDS 1 a; HSET all a 1; HPEXPIRE all 5000 FIELDS 1 a");
        let (timed, all) = (dumped(&mut console, b"timed"), dumped(&mut console, b"all"));
        console.advance_ms(5000);
        console.call(1, &[b"RESTORE", b"copy", b"0", &timed]);
        let reply = console.call(1, &[b"RESTORE", b"none", b"0", &all]);
        assert_eq!(show(&reply), "OK");
        assert_eq!(
            console.run("HGETALL copy; EXISTS none; OBJECT ENCODING copy"),
            "[b 2]; 0; listpack"
        );
    }
}
