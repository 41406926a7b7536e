//! Payloads that a person can tell apart: two words and a number, such as `quiet-otter-0042`.
//!
//! Invariant: the same device and message have the same payload in every run.

const FIRST: [&str; 16] = [
    "amber", "brave", "calm", "distant", "eager", "frosty", "gentle", "hidden", "ivory", "jolly",
    "keen", "lunar", "misty", "nimble", "quiet", "silver",
];
const SECOND: [&str; 16] = [
    "badger", "comet", "dune", "ember", "falcon", "glacier", "harbor", "island", "jackdaw",
    "kestrel", "lantern", "meadow", "otter", "prairie", "raven", "summit",
];

/// Appends the payload of a device's message, cut or filled to `bytes` if that is given.
pub(crate) fn push(out: &mut Vec<u8>, device: usize, message: u32, bytes: Option<usize>) {
    let start = out.len();
    let mixed = (device as u64 ^ u64::from(message) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    out.extend_from_slice(FIRST[(mixed >> 60) as usize].as_bytes());
    out.push(b'-');
    out.extend_from_slice(SECOND[(mixed >> 56 & 15) as usize].as_bytes());
    out.push(b'-');
    let number = message % 10_000;
    for divisor in [1_000, 100, 10, 1] {
        out.push(b'0' + (number / divisor % 10) as u8);
    }
    if let Some(bytes) = bytes {
        out.resize(start + bytes, b'.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_wanted() {
        let payload = |bytes| {
            let mut out = b"before".to_vec();
            push(&mut out, 3, 10_042, bytes);
            String::from_utf8(out[6..].to_vec()).unwrap()
        };
        let whole = payload(None);
        assert!(whole.ends_with("-0042"), "{whole}");
        assert_eq!(whole.split('-').count(), 3);
        assert_eq!(payload(Some(4)), whole[..4]);
        assert_eq!(payload(Some(0)), "");
        assert_eq!(payload(Some(50)).len(), 50);
    }
}
