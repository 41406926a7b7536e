//! The reply decoder against the encoders, and what it refuses.

mod invariants;

use dunlin_resp::{ProtocolError, ReplyLimits, ReplyParser, Value};
use invariants::{check_replies, check_round_trip, decode_in_pieces};
use proptest::prelude::*;

#[track_caller]
fn check(stream: &str, expected: &[Value]) {
    let found = decode_in_pieces(stream.as_bytes(), ReplyLimits::default(), &[usize::MAX]);
    assert_eq!(found, (expected.to_vec(), None, false), "{stream:?}");
    check_replies(stream.as_bytes(), &[2, 3]);
}

#[track_caller]
fn check_refused(stream: &str, expected: ProtocolError) {
    let (_, error, _) = decode_in_pieces(stream.as_bytes(), ReplyLimits::default(), &[usize::MAX]);
    assert_eq!(error, Some(expected), "{stream:?}");
    check_replies(stream.as_bytes(), &[2, 3]);
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.into())
}

#[test]
fn every_type() {
    check(
        "+OK\r\n-ERR x\r\n:-12\r\n",
        &[
            Value::Simple(b"OK".to_vec()),
            Value::Error(b"ERR x".to_vec()),
            Value::Integer(-12),
        ],
    );
    check("$3\r\na\r\n\r\n$0\r\n\r\n", &[bulk("a\r\n"), bulk("")]);
    check(
        "$-1\r\n*-1\r\n_\r\n",
        &[Value::Null, Value::NullArray, Value::Null],
    );
    check(
        ",1.5\r\n,inf\r\n,-inf\r\n,10\r\n",
        &[
            Value::Double(1.5),
            Value::Double(f64::INFINITY),
            Value::Double(f64::NEG_INFINITY),
            Value::Double(10.0),
        ],
    );
    check(
        "#t\r\n#f\r\n(-123456789012345678901\r\n",
        &[
            Value::Boolean(true),
            Value::Boolean(false),
            Value::BigNumber("-123456789012345678901".into()),
        ],
    );
    check(
        "!5\r\nERR x\r\n=6\r\ntxt:hi\r\n",
        &[
            Value::BulkError(b"ERR x".to_vec()),
            Value::Verbatim {
                format: *b"txt",
                text: b"hi".to_vec(),
            },
        ],
    );
    check(
        "*0\r\n*2\r\n:1\r\n*1\r\n$1\r\na\r\n~1\r\n:1\r\n>1\r\n+x\r\n",
        &[
            Value::Array(vec![]),
            Value::Array(vec![Value::Integer(1), Value::Array(vec![bulk("a")])]),
            Value::Set(vec![Value::Integer(1)]),
            Value::Push(vec![Value::Simple(b"x".to_vec())]),
        ],
    );
    check(
        "%2\r\n$1\r\na\r\n%0\r\n:1\r\n~0\r\n",
        &[Value::Map(vec![
            (bulk("a"), Value::Map(vec![])),
            (Value::Integer(1), Value::Set(vec![])),
        ])],
    );
}

#[test]
fn attributes_belong_to_the_value_behind_them() {
    check(
        "*2\r\n|1\r\n+ttl\r\n:3\r\n:7\r\n|0\r\n*0\r\n",
        &[Value::Array(vec![
            Value::Attributed {
                attributes: vec![(Value::Simple(b"ttl".to_vec()), Value::Integer(3))],
                value: Box::new(Value::Integer(7)),
            },
            Value::Attributed {
                attributes: vec![],
                value: Box::new(Value::Array(vec![])),
            },
        ])],
    );
}

#[test]
fn refused() {
    use ProtocolError::*;
    check_refused("?\r\n", UnknownReplyType(b'?'));
    check_refused("\r\n", UnknownReplyType(b'\r'));
    for length in [
        "$",
        "$x",
        "$-2",
        "$+1",
        "$?",
        "*?",
        "*-2",
        "%-1",
        "~-1",
        "*18446744073709551616",
        "%9223372036854775808",
    ] {
        check_refused(&format!("{length}\r\n"), InvalidReplyLength);
    }
    check_refused(":1x\r\n", MalformedReply("integer"));
    check_refused(":9223372036854775808\r\n", MalformedReply("integer"));
    check_refused(",x\r\n", MalformedReply("double"));
    check_refused("(1.5\r\n", MalformedReply("big number"));
    check_refused("#x\r\n", MalformedReply("boolean"));
    check_refused("_x\r\n", MalformedReply("null"));
    check_refused("=3\r\ntxt\r\n", MalformedReply("verbatim string"));
    check_refused("+a\rb\r\n", MissingLineEnd);
    check_refused("+a\nb\r\n", MissingLineEnd);
    check_refused("$1\r\nabc", MissingLineEnd);
    check_refused("$536870913\r\n", ReplyTooBig);
    check_refused(&"*1\r\n".repeat(65), ReplyTooDeep);
    check_refused(&format!("+{}", "x".repeat(65 * 1024)), ReplyTooBig);
    check(
        &format!("{}:1\r\n", "*1\r\n".repeat(64)),
        &[(0..64).fold(Value::Integer(1), |value, _| Value::Array(vec![value]))],
    );
}

#[test]
fn a_reply_as_a_whole_is_bounded() {
    let limits = ReplyLimits {
        reply_bytes_max: 100,
        ..ReplyLimits::default()
    };
    let stream = format!("*3\r\n{}", ":1\r\n".repeat(3)).repeat(100);
    assert_eq!(
        decode_in_pieces(stream.as_bytes(), limits, &[7]).0.len(),
        100
    );
    let stream = format!("*30\r\n{}", ":1\r\n".repeat(30));
    assert_eq!(
        decode_in_pieces(stream.as_bytes(), limits, &[7]).1,
        Some(ProtocolError::ReplyTooBig)
    );
}

#[test]
fn an_announced_length_reserves_nothing() {
    for announced in ["*1000000000\r\n", "$500000000\r\n", "%1000000000\r\n"] {
        let mut parser = ReplyParser::new(ReplyLimits::default());
        let decoded = parser.feed(announced.as_bytes()).unwrap();
        assert_eq!((decoded.consumed, decoded.value), (announced.len(), None));
        assert!(parser.is_partial());
        assert!(parser.allocated_bytes() < 1024, "{announced:?}");
    }
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        any::<u8>().prop_filter("a line", |b| !b"\r\n".contains(b)),
        0..20,
    )
}

fn leaf() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        line().prop_map(Value::Simple),
        line().prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        bytes().prop_map(Value::Bulk),
        Just(Value::Null),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        "-?[0-9]{1,40}".prop_map(Value::BigNumber),
        bytes().prop_map(Value::BulkError),
        (prop::array::uniform3(b'a'..=b'z'), bytes())
            .prop_map(|(format, text)| Value::Verbatim { format, text }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 5, |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..5);
        let pairs = || prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            items().prop_map(Value::Array),
            items().prop_map(Value::Set),
            items().prop_map(Value::Push),
            pairs().prop_map(Value::Map),
            (pairs(), inner.clone()).prop_map(|(attributes, value)| Value::Attributed {
                attributes,
                value: Box::new(value),
            }),
        ]
    })
}

/// The limit is reached in the middle of a bulk whose end is wrong as well: which error comes must not depend on the cuts.
#[test]
fn the_limit_comes_before_what_stands_behind_it() {
    for last in [40, 80, 100] {
        let mut stream = b"*3\r\n$70\r\n".to_vec();
        stream.extend([b'x'; 70]);
        stream.extend(b"\r\n$40\r\n");
        stream.extend([b'y'; 40]);
        stream.extend(format!("\r\n${last}\r\n").bytes());
        stream.extend(vec![b'z'; last]);
        stream.extend(b"??");
        check_replies(&stream, &[7, 60]);
    }
}

proptest! {
    #[test]
    fn values_survive_the_wire(value in value()) {
        check_round_trip(&value);
    }

    #[test]
    fn cuts_and_damage_change_nothing_but_the_result(
        values in prop::collection::vec(value(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        pieces in prop::collection::vec(1usize..50, 1..8),
    ) {
        let mut stream = Vec::new();
        for value in &values {
            value.encode(&mut stream, dunlin_resp::Version::Resp3);
        }
        for (at, byte) in damage {
            *at.get_mut(&mut stream) = byte;
        }
        check_replies(&stream, &pieces);
    }
}
