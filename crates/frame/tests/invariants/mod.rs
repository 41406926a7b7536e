//! What must hold for any bytes from a peer. Shared by the property tests, the bolero targets and the cargo-fuzz crate.
//!
//! The codec is compared with a naive one that sees the whole stream and was written from the protocol.

// Each of the targets that include this file uses its own part of it.
#![allow(dead_code, unreachable_pub)]

use dunlin_frame::{AckBase, AckResult, Codec, Decoded, FrameError, Packet};

/// A packet's command, ID and rest, copied.
pub type Owned = (&'static str, u32, Vec<u8>);

/// Small enough that a fuzzer reaches it.
const SMALL_FRAME_BYTES_MAX: u32 = 300;

/// The first byte says how many more say how the rest arrives.
pub fn cut(bytes: &[u8]) -> (Vec<usize>, &[u8]) {
    let Some((&count, rest)) = bytes.split_first() else {
        return (Vec::new(), bytes);
    };
    let (pieces, stream) = rest.split_at(usize::from(count % 8).min(rest.len()));
    (
        pieces.iter().map(|&piece| usize::from(piece)).collect(),
        stream,
    )
}

/// Turns arbitrary bytes into something like frames, so that more than the first length is reached.
pub fn frame_like(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for chunk in bytes.chunks(24) {
        let (&how, payload) = chunk.split_first().expect("chunks are not empty");
        let code = [0x01, 0x02, 0x81, 0x82, 0x80, 0x02, 0x02, how][usize::from(how % 8)];
        let rest: &[u8] = match code {
            0x80..=0x82 => &[how / 8 % 2][..],
            _ => payload,
        };
        // Now and then a length, or an ID, that is not right.
        let length = 13 + rest.len() + usize::from(how == 0xf0);
        stream.extend_from_slice(&(length as u32).to_be_bytes());
        stream.push(code);
        stream.extend_from_slice(if how == 0xf1 {
            b"0000:000"
        } else {
            b"00000042"
        });
        stream.extend_from_slice(rest);
    }
    stream
}

/// Decodes a stream that arrives in pieces, as a server does: what is decoded is consumed, what is not is shown again.
///
/// `pieces` are the sizes of the pieces, repeated; 0 counts as 1.
pub fn decode_in_pieces(
    stream: &[u8],
    codec: &Codec,
    pieces: &[usize],
) -> (Vec<Owned>, Option<FrameError>) {
    let mut packets = Vec::new();
    let mut sizes = pieces.iter().cycle();
    let (mut consumed, mut arrived) = (0, 0);
    loop {
        let input = &stream[consumed..arrived];
        match codec.decode(input) {
            Err(error) => return (packets, Some(error)),
            Ok(Decoded::Packet { packet, end }) => {
                assert!(end >= 13 && end <= input.len());
                packets.push(owned(&packet, input));
                consumed += end;
            }
            Ok(Decoded::NeedMore { hint }) => {
                assert!(hint > 0 && input.len() + hint <= codec.frame_bytes_max as usize);
                if arrived == stream.len() {
                    return (packets, None);
                }
                let size = sizes.next().map_or(usize::MAX, |&size| size.max(1));
                arrived = arrived.saturating_add(size).min(stream.len());
            }
        }
    }
}

fn owned(packet: &Packet<'_>, input: &[u8]) -> Owned {
    let rest = match *packet {
        Packet::Conn { payload, .. } | Packet::Submit { payload, .. } => {
            let lies_in_input = input.as_ptr_range().contains(&payload.as_ptr());
            assert!(payload.is_empty() || lies_in_input, "nothing is copied");
            payload.to_vec()
        }
        Packet::ConnAck { result, .. } | Packet::SubmitAck { result, .. } => {
            vec![u8::from(result == AckResult::Error)]
        }
    };
    (packet.name(), packet.id().number(), rest)
}

/// All packets at the front of `stream`, and whether something wrong stands behind them.
fn naive(stream: &[u8], codec: &Codec) -> (Vec<Owned>, bool) {
    let base = if codec.ack_base == AckBase::X80 {
        0x80
    } else {
        0x81
    };
    let mut packets = Vec::new();
    let mut rest = stream;
    loop {
        if rest.len() < 4 {
            return (packets, false);
        }
        let length = rest[..4].iter().fold(0u64, |n, &b| n * 256 + u64::from(b));
        if !(5..=u64::from(codec.frame_bytes_max)).contains(&length) {
            return (packets, true);
        }
        let length = length as usize;
        let Some(&code) = rest.get(4) else {
            return (packets, false);
        };
        let name = match code {
            1 => "Conn",
            2 => "Submit",
            _ if code == base => "ConnAck",
            _ if code == base + 1 => "SubmitAck",
            _ => return (packets, true),
        };
        if length < 13 || (name.ends_with("Ack") && length != 14) {
            return (packets, true);
        }
        if rest.len() < 13 {
            return (packets, false);
        }
        let digits = std::str::from_utf8(&rest[5..13]).ok();
        let digits = digits.filter(|text| text.chars().all(|c| c.is_ascii_digit()));
        let Some(id) = digits.and_then(|text| text.parse().ok()) else {
            return (packets, true);
        };
        if rest.len() < length {
            return (packets, false);
        }
        let payload = rest[13..length].to_vec();
        if name.ends_with("Ack") && payload[0] > 1 {
            return (packets, true);
        }
        packets.push((name, id, payload));
        rest = &rest[length..];
    }
}

/// The stream in these pieces, at once and byte by byte: the same as the naive decoder finds, under every rule; and what was decoded
/// encodes to the bytes that it came from.
pub fn check(stream: &[u8], pieces: &[usize]) {
    for ack_base in [AckBase::X81, AckBase::X80] {
        for frame_bytes_max in [SMALL_FRAME_BYTES_MAX, 5, u32::MAX] {
            let codec = Codec {
                frame_bytes_max,
                ack_base,
            };
            let (expected, is_wrong) = naive(stream, &codec);
            let whole = decode_in_pieces(stream, &codec, &[]);
            assert_eq!(whole.0, expected);
            assert_eq!(whole.1.is_some(), is_wrong, "{:?}", whole.1);
            assert_eq!(decode_in_pieces(stream, &codec, pieces), whole);
            assert_eq!(decode_in_pieces(stream, &codec, &[1]), whole);
            check_encoding(stream, &codec);
        }
    }
}

fn check_encoding(stream: &[u8], codec: &Codec) {
    let mut rest = stream;
    while let Ok(Decoded::Packet { packet, end }) = codec.decode(rest) {
        let mut again = Vec::new();
        codec
            .encode(&packet, &mut again)
            .expect("it was within the limit");
        assert_eq!(again, &rest[..end]);
        rest = &rest[end..];
    }
}
