//! The protocol byte for byte, both ways, and every split of it.

mod invariants;

use dunlin_frame::{AckBase, AckResult, Codec, Decoded, FrameError, Id, Packet};
use proptest::prelude::*;

fn id(number: u32) -> Id {
    Id::new(number).unwrap()
}

/// What stands on the wire, and what it says.
fn vectors() -> Vec<(AckBase, &'static [u8], Packet<'static>)> {
    use AckBase::{X80, X81};
    vec![
        (
            X81,
            b"\x00\x00\x00\x0d\x0100000001",
            Packet::Conn {
                id: id(1),
                payload: b"",
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x14\x0100000001meter-7",
            Packet::Conn {
                id: id(1),
                payload: b"meter-7",
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x0d\x0200000002",
            Packet::Submit {
                id: id(2),
                payload: b"",
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x12\x0299999999hello",
            Packet::Submit {
                id: id(99_999_999),
                payload: b"hello",
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x10\x0200000000\x00\xff\r",
            Packet::Submit {
                id: id(0),
                payload: b"\x00\xff\r",
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x0e\x8100000001\x00",
            Packet::ConnAck {
                id: id(1),
                result: AckResult::Ok,
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x0e\x8100000001\x01",
            Packet::ConnAck {
                id: id(1),
                result: AckResult::Error,
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x0e\x8212345678\x00",
            Packet::SubmitAck {
                id: id(12_345_678),
                result: AckResult::Ok,
            },
        ),
        (
            X81,
            b"\x00\x00\x00\x0e\x8212345678\x01",
            Packet::SubmitAck {
                id: id(12_345_678),
                result: AckResult::Error,
            },
        ),
        (
            X80,
            b"\x00\x00\x00\x0e\x8000000001\x00",
            Packet::ConnAck {
                id: id(1),
                result: AckResult::Ok,
            },
        ),
        (
            X80,
            b"\x00\x00\x00\x0e\x8112345678\x01",
            Packet::SubmitAck {
                id: id(12_345_678),
                result: AckResult::Error,
            },
        ),
        (
            X80,
            b"\x00\x00\x00\x0d\x0200000002",
            Packet::Submit {
                id: id(2),
                payload: b"",
            },
        ),
    ]
}

fn codec(ack_base: AckBase) -> Codec {
    Codec {
        ack_base,
        ..Codec::default()
    }
}

#[test]
fn the_wire_byte_for_byte() {
    for (base, wire, packet) in vectors() {
        let codec = codec(base);
        let mut out = b"before".to_vec();
        codec.encode(&packet, &mut out).unwrap();
        assert_eq!(&out[6..], wire, "{packet:?}");
        let end = wire.len();
        assert_eq!(codec.decode(wire), Ok(Decoded::Packet { packet, end }));
        let longer = [wire, b"\x00\x00\x00\x00"].concat();
        assert_eq!(codec.decode(&longer), Ok(Decoded::Packet { packet, end }));
        for cut in 0..end {
            let decoded = codec.decode(&wire[..cut]);
            let Ok(Decoded::NeedMore { hint }) = decoded else {
                panic!("{decoded:?} after {cut} bytes of {packet:?}");
            };
            assert!(hint > 0 && cut + hint <= end.max(5), "{hint} after {cut}");
        }
    }
}

#[test]
fn what_is_no_frame() {
    let cases: Vec<(&[u8], FrameError)> = vec![
        (b"\x00\x00\x00\x00", FrameError::TooShort { length: 0 }),
        (b"\x00\x00\x00\x03", FrameError::TooShort { length: 3 }),
        (b"\x00\x00\x00\x04\x01", FrameError::TooShort { length: 4 }),
        (
            b"\x00\x10\x00\x01",
            FrameError::TooLong {
                length: (1 << 20) + 1,
                limit: 1 << 20,
            },
        ),
        (
            b"\xff\xff\xff\xff\x0200000001",
            FrameError::TooLong {
                length: u32::MAX,
                limit: 1 << 20,
            },
        ),
        (
            b"\x80\x00\x00\x00",
            FrameError::TooLong {
                length: 1 << 31,
                limit: 1 << 20,
            },
        ),
        (
            b"\x00\x00\x00\x05\x03",
            FrameError::UnknownCommand { code: 3 },
        ),
        (
            b"\x00\x00\x00\x0e\x80",
            FrameError::UnknownCommand { code: 0x80 },
        ),
        (
            b"\x00\x00\x00\x05\x02",
            FrameError::NoId {
                packet: "Submit",
                length: 5,
            },
        ),
        (
            b"\x00\x00\x00\x0c\x010000000",
            FrameError::NoId {
                packet: "Conn",
                length: 12,
            },
        ),
        (
            b"\x00\x00\x00\x20\x020000000x",
            FrameError::BadId {
                packet: "Submit",
                bytes: *b"0000000x",
            },
        ),
        (
            b"\x00\x00\x00\x0d\x8100000000",
            FrameError::BadAckLength {
                packet: "ConnAck",
                length: 13,
            },
        ),
        (
            b"\x00\x00\x00\x0f\x8200000000\x00\x00",
            FrameError::BadAckLength {
                packet: "SubmitAck",
                length: 15,
            },
        ),
        (
            b"\x00\x00\x00\x0e\x8200000000\x02",
            FrameError::BadResult {
                packet: "SubmitAck",
                code: 2,
            },
        ),
    ];
    for (wire, error) in cases {
        assert_eq!(Codec::default().decode(wire), Err(error));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_limit_is_the_whole_frame() {
    let codec = Codec {
        frame_bytes_max: 20,
        ..Codec::default()
    };
    let fits = Packet::Submit {
        id: id(1),
        payload: b"1234567",
    };
    let does_not = Packet::Submit {
        id: id(1),
        payload: b"12345678",
    };
    let mut out = Vec::new();
    codec.encode(&fits, &mut out).unwrap();
    assert_eq!(out.len(), 20);
    assert!(matches!(
        codec.decode(&out),
        Ok(Decoded::Packet { end: 20, .. })
    ));
    let too_long = FrameError::TooLong {
        length: 21,
        limit: 20,
    };
    assert_eq!(codec.encode(&does_not, &mut out), Err(too_long));
    assert_eq!(out.len(), 20, "nothing is appended");
    out.clear();
    Codec::default().encode(&does_not, &mut out).unwrap();
    assert_eq!(codec.decode(&out), Err(too_long));
    assert_eq!(codec.overlong_submit(&out), Some(id(1)));
    assert_eq!(codec.overlong_submit(&out[..12]), None);
    assert_eq!(Codec::default().overlong_submit(&out), None);
}

#[test]
fn every_split_of_a_stream() {
    let codec = Codec::default();
    let mut stream = Vec::new();
    for (base, wire, _) in vectors() {
        if base == AckBase::X81 {
            stream.extend_from_slice(wire);
        }
    }
    let whole = invariants::decode_in_pieces(&stream, &codec, &[]);
    assert_eq!(whole.0.len(), 9);
    stream.extend_from_slice(b"\x00\x00\x00\x0d\x02000000x0");
    for first in 0..=stream.len() {
        for second in [1, 2, 3, 5, 8, 13, stream.len()] {
            let (packets, error) = invariants::decode_in_pieces(&stream, &codec, &[first, second]);
            assert_eq!(packets, whole.0, "cut at {first}, then by {second}");
            assert!(matches!(error, Some(FrameError::BadId { .. })));
        }
    }
}

proptest! {
    #[test]
    fn any_packet_comes_back(number in 0..=99_999_999u32, kind in 0..4, payload: Vec<u8>, base_x80: bool) {
        let id = id(number);
        let result = if payload.is_empty() { AckResult::Ok } else { AckResult::Error };
        let packet = match kind {
            0 => Packet::Conn { id, payload: &payload },
            1 => Packet::Submit { id, payload: &payload },
            2 => Packet::ConnAck { id, result },
            _ => Packet::SubmitAck { id, result },
        };
        let codec = codec(if base_x80 { AckBase::X80 } else { AckBase::X81 });
        let mut out = Vec::new();
        codec.encode(&packet, &mut out).unwrap();
        prop_assert_eq!(codec.decode(&out), Ok(Decoded::Packet { packet, end: out.len() }));
    }

    #[test]
    fn any_bytes_in_any_pieces(stream: Vec<u8>, pieces in proptest::collection::vec(0usize..20, 0..6)) {
        invariants::check(&stream, &pieces);
        invariants::check(&invariants::frame_like(&stream), &pieces);
    }
}
