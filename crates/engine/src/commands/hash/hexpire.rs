//! HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...], and HPEXPIRE, HEXPIREAT and HPEXPIREAT with times in other
//! units: deadlines of fields. <https://redis.io/commands/hexpire>

use dunlin_store::Event;
use dunlin_store::hash_value::{self, HashRef};

use super::fields::{FIELDS, NO_FIELD, first_field, record_fields};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, KeySpec, Scope};
use crate::commands::string::argument_count;
use crate::expiry::Unit;
use crate::number::parse_i64;
use crate::{Args, Ctx, Flow, Outcome, ReplyError};

/// The latest deadline of a field, in milliseconds since 1970: as Redis has it, 46 bits.
const DEADLINE_MS_MAX: i64 = (1 << 46) - 1;

const CONDITION: Argument = Argument::one_of(
    "condition",
    &[
        Argument::token("nx", "NX"),
        Argument::token("xx", "XX"),
        Argument::token("gt", "GT"),
        Argument::token("lt", "LT"),
    ],
)
.optional();

/// HEXPIRE.
pub(super) const HEXPIRE: Command = Command {
    name: "hexpire",
    full_name: "hexpire",
    arity: -6,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Categories::WRITE
        .and(Categories::HASH)
        .and(Categories::FAST),
    keys: &[KeySpec::one(1, &["RW", "update"])],
    scope: Scope::Keys,
    group: "hash",
    since: "7.4.0",
    complexity: "O(N log M) for N fields given out of M",
    summary: "Lets fields of a hash expire after so many seconds.",
    arguments: &[
        Argument::KEY,
        Argument::new("seconds", ArgKind::Integer),
        CONDITION,
        FIELDS,
    ],
    weight: Some(argument_count),
    handler: |cx| expire(cx, Unit::EX),
    ..Command::BASE
};

/// HPEXPIRE.
pub(super) const HPEXPIRE: Command = Command {
    name: "hpexpire",
    full_name: "hpexpire",
    summary: "Lets fields of a hash expire after so many milliseconds.",
    arguments: &[
        Argument::KEY,
        Argument::new("milliseconds", ArgKind::Integer),
        CONDITION,
        FIELDS,
    ],
    handler: |cx| expire(cx, Unit::PX),
    ..HEXPIRE
};

/// HEXPIREAT.
pub(super) const HEXPIREAT: Command = Command {
    name: "hexpireat",
    full_name: "hexpireat",
    summary: "Lets fields of a hash expire at a time in seconds since 1970.",
    arguments: &[
        Argument::KEY,
        Argument::new("unix-time-seconds", ArgKind::UnixTime),
        CONDITION,
        FIELDS,
    ],
    handler: |cx| expire(cx, Unit::EXAT),
    ..HEXPIRE
};

/// HPEXPIREAT.
pub(super) const HPEXPIREAT: Command = Command {
    name: "hpexpireat",
    full_name: "hpexpireat",
    summary: "Lets fields of a hash expire at a time in milliseconds since 1970.",
    arguments: &[
        Argument::KEY,
        Argument::new("unix-time-milliseconds", ArgKind::UnixTime),
        CONDITION,
        FIELDS,
    ],
    handler: |cx| expire(cx, Unit::PXAT),
    ..HEXPIRE
};

/// Which fields get the deadline.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// Those without.
    Nx,
    /// Those with one.
    Xx,
    /// Those with an earlier one; none at all counts as later than any.
    Gt,
    /// Those with a later one.
    Lt,
}

impl Condition {
    /// The condition at `index`, and where it ends.
    fn parse(args: Args<'_>, index: usize) -> (Condition, usize) {
        let conditions = [
            ("nx", Condition::Nx),
            ("xx", Condition::Xx),
            ("gt", Condition::Gt),
            ("lt", Condition::Lt),
        ];
        let found = conditions
            .into_iter()
            .find(|(word, _)| args.is(index, word));
        match found {
            Some((_, condition)) => (condition, index + 1),
            None => (Condition::Always, index),
        }
    }

    fn is_met(self, old: Option<u64>, new: u64) -> bool {
        match (self, old) {
            (Condition::Always, _) => true,
            (Condition::Nx, old) => old.is_none(),
            (Condition::Xx, old) => old.is_some(),
            (Condition::Gt, old) => old.is_some_and(|old| new > old),
            (Condition::Lt, old) => old.is_none_or(|old| new < old),
        }
    }
}

/// The deadline that the argument names.
fn deadline(cx: &Ctx<'_>, unit: Unit) -> Result<u64, ReplyError> {
    let time = parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    if time < 0 {
        return Err(ReplyError::err("invalid expire time, must be >= 0"));
    }
    let moment = unit.moment(time, cx.keys.now_ms());
    moment
        .filter(|at| *at <= DEADLINE_MS_MAX)
        .and_then(|at| u64::try_from(at).ok())
        .ok_or(ReplyError::InvalidExpire(cx.command.name))
}

/// What is answered for a field.
const NOT_MET: i64 = 0;
const SET: i64 = 1;
const DELETED: i64 = 2;

fn expire(cx: &mut Ctx<'_>, unit: Unit) -> Outcome {
    let (db, key, args) = (cx.db(), cx.key(1), cx.args);
    let hasher = cx.engine.store.hasher();
    let found = cx.keys.find(db, &key);
    if let Some(found) = found {
        HashRef::of(&cx.keys.entry(found)).ok_or(ReplyError::WrongType)?;
    }
    let at_ms = deadline(cx, unit)?;
    let (condition, index) = Condition::parse(args, 3);
    let first = first_field(cx, index, "Parameter `numFields` should be greater than 0")?;
    let fields = args.from(first);
    cx.reply.array(fields.len());
    let Some(found) = found else {
        fields.for_each(|_| cx.reply.integer(NO_FIELD));
        return Ok(Flow::Done);
    };
    // What the log says is carried out whatever the time is now.
    let is_past = at_ms <= cx.keys.now_ms() && !cx.session.replaying;
    let reply = &mut cx.reply;
    let (mut changed, mut is_empty) = (Vec::new(), false);
    cx.keys.update_fields(found, |mut entry| {
        for field in fields {
            let hash = HashRef::of(&entry).expect("its type was looked at");
            if hash.get(hasher, field).is_none() {
                reply.integer(NO_FIELD);
                continue;
            }
            let old = entry
                .timed()
                .and_then(|deadlines| deadlines.of_field(hasher, field));
            if !condition.is_met(old, at_ms) {
                reply.integer(NOT_MET);
            } else if is_past {
                (entry, _) = hash_value::remove(entry, hasher, field);
                changed.push(field);
                reply.integer(DELETED);
            } else {
                entry = hash_value::set_deadline(entry, hasher, field, Some(at_ms));
                changed.push(field);
                reply.integer(SET);
            }
        }
        is_empty = HashRef::of(&entry).is_some_and(HashRef::is_empty);
        (entry, !changed.is_empty())
    });
    if changed.is_empty() {
        return Ok(Flow::Done);
    }
    if !is_past {
        let head = ["HPEXPIREAT".into(), key.bytes.into(), at_ms.into()];
        record_fields(cx, &key, "hexpire", &head, &changed);
        return Ok(Flow::Done);
    }
    let effect = [&b"HDEL"[..], key.bytes];
    let effect: Vec<&[u8]> = effect.into_iter().chain(changed.iter().copied()).collect();
    cx.keys
        .record_args(db, key.bytes, Event::hash("hdel"), effect.into_iter());
    cx.keys.count_changes(changed.len() as u64 - 1);
    if is_empty {
        if let Some(entry) = cx.keys.remove(db, &key) {
            cx.keys.discard(entry);
        }
        cx.keys.tell(db, key.bytes, Event::generic("del"));
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Console, START_MS, check};

    #[test]
    fn fields_go_on_time_and_the_key_with_the_last() {
        check(
            "HSET h a 1 b 2 c 3; HPEXPIRE h 10 FIELDS 2 a nothing; HPEXPIRE h 20 FIELDS 1 b; +9ms; HMGET h a b c; +1ms; HGET h a; HLEN h; \
             HMGET h a b c; +10ms; HKEYS h; HPEXPIRE h 5 FIELDS 1 c; +5ms; EXISTS h; TYPE h; DBSIZE",
            "3; [1 -2]; [1]; [1 2 3]; nil; 2; [nil 2 3]; [c]; [1]; 0; none; 0",
        );
        check(
            &format!(
                "HSET h a 1 b 2; HEXPIRE h 1 FIELDS 1 a; HPEXPIREAT h {} FIELDS 1 b; +999ms; HLEN h; +1ms; HLEN h; +1s; EXISTS h",
                START_MS + 2000
            ),
            "2; [1]; [1]; 2; 1; 0",
        );
        check(
            &format!(
                "HSET h a 1; HEXPIREAT h {} FIELDS 1 a; +999ms; HLEN h; +1ms; HLEN h",
                START_MS / 1000 + 1
            ),
            "1; [1]; 1; 0",
        );
    }

    #[test]
    fn by_the_wheel_without_access() {
        let mut console = Console::default();
        console.run("HSET h a 1 b 2 c 3; HPEXPIRE h 5 FIELDS 1 a; HPEXPIRE h 300 FIELDS 1 b; HSET all x 1; HPEXPIRE all 5 FIELDS 1 x");
        console.advance_ms(5);
        console.expire();
        assert_eq!(console.engine.store.len(0), 1, "the emptied one is gone");
        assert_eq!(
            console.run("HMGET h a b c; HPERSIST h FIELDS 1 b"),
            "[nil 2 3]; [1]"
        );
        console.advance_ms(1000);
        console.expire();
        assert_eq!(console.run("HLEN h; HPEXPIRE h 1 FIELDS 2 b c"), "2; [1 1]");
        console.advance_ms(1);
        console.expire();
        assert_eq!(console.engine.store.len(0), 0);
    }

    #[test]
    fn many_fields_of_one_moment() {
        let mut console = Console::default();
        for at in 0..30 {
            let fields: Vec<String> = (0..100).map(|n| format!("f{at}-{n}")).collect();
            let pairs: Vec<String> = fields.iter().map(|field| format!("{field} x")).collect();
            console.run(&format!("HSET h {}", pairs.join(" ")));
            console.run(&format!("HPEXPIRE h 50 FIELDS 100 {}", fields.join(" ")));
        }
        console.run(
            "HSET h stays 1; PEXPIRE h 100; COPY h i; HSET i too 1; HPEXPIRE i 60 FIELDS 1 too",
        );
        console.advance_ms(50);
        // One by access, the other by the wheel.
        assert_eq!(
            console.run("HMGET i f0-0 stays too f29-99; HLEN i; HPTTL i FIELDS 2 stays too"),
            "[nil 1 1 nil]; 2; [-1 10]"
        );
        console.expire();
        assert_eq!(
            console.run("HLEN h; PTTL h; OBJECT ENCODING h"),
            "1; 50; hashtable"
        );
        console.advance_ms(50);
        assert_eq!(console.run("HLEN h; HLEN i; DBSIZE"), "0; 0; 0");
    }

    #[test]
    fn conditions() {
        check(
            "HSET h a 1 b 2; HPEXPIRE h 100 XX FIELDS 1 a; HPEXPIRE h 100 GT FIELDS 1 a; HPEXPIRE h 100 NX FIELDS 1 a; \
             HPEXPIRE h 200 nx FIELDS 2 a b; HPEXPIRE h 100 GT FIELDS 1 a; HPEXPIRE h 101 GT FIELDS 1 a; HPEXPIRE h 101 LT FIELDS 2 a b; \
             HPEXPIRE h 1 XX FIELDS 1 a; HPTTL h FIELDS 2 a b; HPERSIST h FIELDS 1 a; HPEXPIRE h 7 LT FIELDS 1 a",
            "2; [0]; [0]; [1]; [0 1]; [0]; [1]; [0 1]; [1]; [1 101]; [1]; [1]",
        );
    }

    #[test]
    fn a_time_in_the_past_deletes() {
        check(
            "HSET h a 1 b 2 c 3; HPEXPIREAT h 1 FIELDS 2 a x; HKEYS h; HEXPIRE h 0 FIELDS 3 b b c; EXISTS h; HSET h a 1; HPEXPIREAT h 1 XX FIELDS 1 a",
            "3; [2 -2]; [b c]; [2 -2 2]; 0; 1; [0]",
        );
    }

    #[test]
    fn what_keeps_a_deadline_and_what_does_not() {
        check(
            "HSET h a 1 b 2 c 3 d 4; HPEXPIRE h 50 FIELDS 4 a b c d; HSET h a 5; HINCRBY h b 1; HINCRBYFLOAT h c 1; HSETNX h d 1; \
             HPTTL h FIELDS 4 a b c d; HDEL h d; HSET h d 1; HPTTL h FIELDS 1 d; COPY h i; HPTTL i FIELDS 2 b a; RENAME i j; \
             HPTTL j FIELDS 2 b a; MOVE j 1; SELECT 1; HPTTL j FIELDS 2 b a; +50ms; HKEYS j; SELECT 0; HGETALL h",
            "4; [1 1 1 1]; 0; 3; 4; 0; [-1 50 50 50]; 1; 1; [-1]; 1; [50 -1]; OK; [50 -1]; 1; OK; [50 -1]; [a d]; OK; [a 5 d 1]",
        );
    }

    #[test]
    fn the_key_has_a_deadline_of_its_own() {
        check(
            "HSET h a 1 b 2; PEXPIRE h 100; HPEXPIRE h 50 FIELDS 1 a; PTTL h; +50ms; HKEYS h; PTTL h; PERSIST h; PTTL h; +100ms; HKEYS h",
            "2; 1; [1]; 100; [b]; 50; 1; -1; [b]",
        );
        check(
            "HSET h a 1 b 2; HPEXPIRE h 50 FIELDS 1 a; TTL h; PEXPIRE h 20; +20ms; EXISTS h; HSET h a 1; HPEXPIRE h 50 FIELDS 1 a; \
             COPY h i; PEXPIRE h 10; RENAME h j; PTTL j; HPTTL j FIELDS 1 a; +10ms; EXISTS j; HGET i a",
            "2; [1]; -1; 1; 0; 1; [1]; 1; 1; OK; 10; [50]; 0; 1",
        );
    }

    #[test]
    fn other_values_take_its_place() {
        check(
            "HSET h a 1; HPEXPIRE h 50 FIELDS 1 a; SET h v; PTTL h; +50ms; GET h; DEL h; HSET h a 1; HPEXPIRE h 50 FIELDS 1 a; \
             PEXPIRE h 70; SET h w KEEPTTL; PTTL h; +50ms; GET h; +20ms; GET h",
            "1; [1]; OK; -1; v; 1; 1; [1]; 1; OK; 70; w; nil",
        );
        check(
            "HSET h a 1; HPEXPIRE h 50 FIELDS 1 a; DEL h; LPUSH h x; +50ms; LLEN h; HSET g a 1; HPEXPIRE g 9 FIELDS 1 a; FLUSHALL; +9ms; DBSIZE",
            "1; [1]; 1; 1; 1; 1; [1]; OK; 0",
        );
    }

    #[test]
    fn encodings() {
        let long = "x".repeat(65);
        check(
            &format!(
                "HSET h a 1; HPEXPIRE h 50 FIELDS 1 a; OBJECT ENCODING h; HSET h b {long}; OBJECT ENCODING h; HSET i a {long}; \
                 HPEXPIRE i 50 FIELDS 1 a; OBJECT ENCODING i"
            ),
            "1; [1]; listpackex; 1; hashtable; 1; [1]; hashtable",
        );
    }

    #[test]
    fn a_transaction_that_is_taken_back_leaves_deadlines_as_they_were() {
        check(
            "HSET h a 1 b 2; HPEXPIRE h 50 FIELDS 1 a; MULTI; HPEXPIRE h 10 FIELDS 2 a b; HSET h a 5; NOSUCH; EXEC; HPTTL h FIELDS 2 a b; \
             WATCH h; 2> HPEXPIRE h 9 FIELDS 1 b; MULTI; PING; EXEC; WATCH h; 2> HPEXPIRE h 9 NX FIELDS 1 b; MULTI; PING; EXEC",
            "2; [1]; OK; QUEUED; QUEUED; (error) ERR unknown command 'NOSUCH', with args beginning with: ; \
             (error) EXECABORT Transaction discarded because of previous errors.; [50 -1]; \
             OK; [1]; OK; QUEUED; nil; OK; [0]; OK; QUEUED; [PONG]",
        );
    }

    #[test]
    fn what_is_taken_back_has_its_deadlines_again() {
        check(
            "HSET h a 1 b 2; HPEXPIRE h 50 FIELDS 1 a; SET s x; MULTI; HPEXPIRE h 10 FIELDS 2 a b; HDEL h a; INCR s; EXEC RB; \
             HPTTL h FIELDS 2 a b; +49ms; HLEN h; +1ms; HKEYS h; HSET g a 1; MULTI; HPEXPIRE g 10 FIELDS 1 a; INCR s; EXEC RB; +10ms; HLEN g",
            "2; [1]; OK; OK; QUEUED; QUEUED; QUEUED; \
             (error) EXECABORT Transaction rolled back: ERR value is not an integer or out of range; [50 -1]; 2; [b]; \
             1; OK; QUEUED; QUEUED; (error) EXECABORT Transaction rolled back: ERR value is not an integer or out of range; 1",
        );
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let position =
            "(error) ERR Mandatory argument FIELDS is missing or not at the right position";
        let number = "(error) ERR Parameter `numFields` should be greater than 0";
        let matching = "(error) ERR The `numfields` parameter must match the number of arguments";
        let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "HEXPIRE h 1 x 1 a; HEXPIRE h 1 NX NX 1 a; HEXPIRE h 1 FIELDS 0 a; HEXPIRE h 1 FIELDS x a; HEXPIRE h 1 FIELDS 2 a; \
             HEXPIRE h 1 NX FIELDS 1; HEXPIRE h x FIELDS 1 a; HEXPIRE h -1 FIELDS 1 a; HEXPIRE h 70368744178 FIELDS 1 a; \
             HPEXPIREAT h 70368744177664 FIELDS 1 a; HPEXPIREAT h 70368744177663 FIELDS 1 a; SET s v; HEXPIRE s x FIELDS 1 a; HEXPIRE h 1 FIELDS 1",
            &format!(
                "{position}; {position}; {number}; {number}; {matching}; {matching}; (error) ERR value is not an integer or out of range; \
                 (error) ERR invalid expire time, must be >= 0; (error) ERR invalid expire time in 'hexpire' command; \
                 (error) ERR invalid expire time in 'hpexpireat' command; [-2]; OK; {wrong}; \
                 (error) ERR wrong number of arguments for 'hexpire' command"
            ),
        );
    }
}
