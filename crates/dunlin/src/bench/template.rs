//! A request encoded once, with the places in it that change from one sending to the next.
//!
//! Invariant: all sendings of a template have the same length, since what changes are 12 digits.

use dunlin_resp::reply;
use memchr::memmem;

use super::keys::Keys;

/// Stands for a number of the key space, in the same number of digits.
const PLACEHOLDER: &[u8] = b"__rand_int__";
/// Stands for the payload.
const DATA: &[u8] = b"__data__";
const DIGITS: usize = PLACEHOLDER.len();
/// Fits 12 digits.
const NUMBERS: u64 = 1_000_000_000_000;

/// The request.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where numbers go.
    slots: Vec<usize>,
}

impl Template {
    /// A command's words; `data` takes the place of `__data__`. `random`: numbers take the places of `__rand_int__`.
    pub(super) fn new(words: &[Vec<u8>], data: &[u8], random: bool) -> Template {
        let filled: Vec<Vec<u8>> = words.iter().map(|word| replaced(word, data)).collect();
        let mut bytes = Vec::new();
        reply::request(&mut bytes, &filled);
        Template::raw(bytes, random)
    }

    /// Bytes as they are.
    pub(super) fn raw(bytes: Vec<u8>, random: bool) -> Template {
        let slots = match random {
            true => memmem::find_iter(&bytes, PLACEHOLDER).collect(),
            false => Vec::new(),
        };
        Template { bytes, slots }
    }

    /// Appends it `n` times, with the next keys.
    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>, n: usize, keys: &mut Keys) {
        for _ in 0..n {
            let at = out.len();
            out.extend_from_slice(&self.bytes);
            for slot in &self.slots {
                write_number(&mut out[at + slot..at + slot + DIGITS], keys.next());
            }
        }
    }

    /// Length of one sending.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn replaced(word: &[u8], data: &[u8]) -> Vec<u8> {
    match memmem::find(word, DATA) {
        None => word.to_vec(),
        Some(at) => [&word[..at], data, &word[at + DATA.len()..]].concat(),
    }
}

/// Writes 12 digits, two at a time.
#[inline]
fn write_number(out: &mut [u8], number: u64) {
    let mut left = number % NUMBERS;
    for pair in out.rchunks_exact_mut(2) {
        let two = (left % 100) as u8;
        left /= 100;
        pair[0] = b'0' + two / 10;
        pair[1] = b'0' + two % 10;
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Distribution;
    use super::*;

    #[test]
    fn numbers_and_data_take_their_places() {
        let words = ["SET", "key:__rand_int__", "<__data__>"].map(|word| word.as_bytes().to_vec());
        let template = Template::new(&words, b"xyz", true);
        let mut keys = Keys::new(Distribution::Sequential, 1_000, 0, 0, 1);
        let mut out = Vec::new();
        template.write(&mut out, 2, &mut keys);
        let request = |n: u32| format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{n:012}\r\n$5\r\n<xyz>\r\n");
        assert_eq!(
            String::from_utf8(out).expect("ASCII"),
            request(0) + &request(1)
        );
        let fixed = Template::new(&words, b"", false);
        let mut out = Vec::new();
        fixed.write(&mut out, 1, &mut keys);
        assert!(memmem::find(&out, PLACEHOLDER).is_some());
        assert_eq!(out.len(), fixed.len());
    }
}
