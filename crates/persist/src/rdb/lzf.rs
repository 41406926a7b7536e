//! LZF, in which texts are compressed: bytes as they are, and references to what stands before.
//!
//! ```text
//! 000nnnnn                      n + 1 bytes follow as they are
//! nnnddddd dddddddd             n + 2 bytes (n from 1 to 6) from d + 1 bytes before the end so far
//! 111ddddd nnnnnnnn dddddddd    n + 9 bytes likewise
//! ```

use super::cursor::Fault;

/// Most bytes that a compressed byte stands for: a reference of three bytes stands for 264.
const RATIO_MAX: usize = 88;

/// Appends the text that `packed` stands for, which has to be `len` bytes; faults are counted from `at` on.
pub(super) fn decompress(
    packed: &[u8],
    len: usize,
    at: usize,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let bad = |offset: usize, what: &'static str| Err(Fault::bad(at + offset, what));
    if len > packed.len().saturating_mul(RATIO_MAX) {
        return bad(0, "a compressed text that can't be as long as it claims");
    }
    let start = out.len();
    let end = start + len;
    out.reserve(len);
    let mut next = 0;
    while let Some(&control) = packed.get(next) {
        next += 1;
        let control = usize::from(control);
        if control < 32 {
            let Some(plain) = packed.get(next..next + control + 1) else {
                return bad(next, "a compressed text that ends too early");
            };
            if out.len() + plain.len() > end {
                return bad(next, "a compressed text that is longer than it claims");
            }
            out.extend_from_slice(plain);
            next += plain.len();
            continue;
        }
        let mut count = control >> 5;
        if count == 7 {
            let Some(&more) = packed.get(next) else {
                return bad(next, "a compressed text that ends too early");
            };
            count += usize::from(more);
            next += 1;
        }
        count += 2;
        let Some(&low) = packed.get(next) else {
            return bad(next, "a compressed text that ends too early");
        };
        next += 1;
        let distance = ((control & 0x1f) << 8 | usize::from(low)) + 1;
        if out.len() + count > end {
            return bad(next, "a compressed text that is longer than it claims");
        }
        let Some(from) = out.len().checked_sub(distance).filter(|at| *at >= start) else {
            return bad(next, "a compressed text that refers to before its start");
        };
        repeat(out, from, count);
    }
    if out.len() != end {
        return bad(next, "a compressed text that is shorter than it claims");
    }
    Ok(())
}

/// Appends `count` bytes from `from` on, of which the last ones may be those that are appended.
fn repeat(out: &mut Vec<u8>, from: usize, count: usize) {
    let mut left = count;
    while left > 0 {
        let piece = left.min(out.len() - from);
        out.extend_from_within(from..from + piece);
        left -= piece;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(packed: &[u8], len: usize) -> Result<Vec<u8>, Fault> {
        let mut out = b"before".to_vec();
        decompress(packed, len, 0, &mut out).map(|()| out.split_off(6))
    }

    #[test]
    fn bytes_and_references() {
        assert_eq!(plain(b"\x02abc", 3).as_deref(), Ok(&b"abc"[..]));
        // "ab", then 4 from 2 before.
        assert_eq!(plain(b"\x01ab\x40\x01", 6).as_deref(), Ok(&b"ababab"[..]));
        // "a", then 2 + 7 + 10 from 1 before.
        assert_eq!(
            plain(b"\x00a\xe0\x0a\x00", 20).as_deref(),
            Ok(&[b'a'; 20][..])
        );
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (packed, len) in [
            (&b"\x02ab"[..], 3),
            (b"\x02abc", 2),
            (b"\x02abc", 4),
            (b"\x00a\x20\x01", 4),
            (b"\x00a\xe0", 20),
            (b"\x00a\xe0\x0a", 20),
            (b"\x00a\x20", 4),
            (b"\x00a\xe0\x0a\x00", 19),
            (b"", 1),
            (b"\x00a", usize::MAX),
        ] {
            assert!(plain(packed, len).is_err(), "{packed:?} {len}");
        }
    }
}
