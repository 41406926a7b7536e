//! What holds of a log whatever its bytes are: used by the tests on stable and by the fuzz target under `fuzz/`.

use std::io::{self, Read};

use dunlin_persist::Error;
use dunlin_persist::aof::{Item, Manifest, Scanner};

/// Gives what it has in pieces of one size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(out.len()).min(self.1);
        out[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Commands in order, up to where the log is whole, and whether it is broken there: `Some(true)` where it only ends too early.
fn scan(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, u64, Option<bool>) {
    let mut scanner = Scanner::new(Pieces(bytes, piece), 0);
    let (mut commands, mut before) = (Vec::new(), 0);
    loop {
        assert!(scanner.whole() >= before && scanner.whole() <= bytes.len() as u64);
        before = scanner.whole();
        match scanner.next() {
            Ok(Item::Command(command)) => {
                assert!(command.len() > 0);
                assert!(command.args().map(<[u8]>::len).sum::<usize>() < command.bytes.len());
                commands.push(command.bytes.to_vec());
            }
            Ok(Item::Eof) => return (commands, scanner.whole(), None),
            Ok(_) => {}
            Err(error) => {
                let is_short = matches!(error, Error::Truncated { .. });
                return (commands, scanner.whole(), Some(is_short));
            }
        }
    }
}

/// However the bytes come, the same is found; what is cut where it is whole is sound.
pub(crate) fn check_log(bytes: &[u8]) {
    let all = scan(bytes, usize::MAX);
    assert_eq!(scan(bytes, 1), all);
    let (commands, whole, error) = all;
    if error.is_none() {
        assert_eq!(whole as usize, bytes.len());
    }
    let (left, end, error) = scan(&bytes[..whole as usize], 7);
    assert_eq!((end, error), (whole, None));
    assert_eq!(left, commands[..left.len()]);
}

/// The same of bytes that look like a log here and there.
pub(crate) fn check_log_like(input: &[u8]) {
    const WORDS: [&[u8]; 12] = [
        b"*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n",
        b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n",
        b"#TS:12\r\n",
        b"#CRC:0123456789abcdef:0000000010\r\n",
        b"#CRC:",
        b"*3\r\n",
        b"$2\r\n",
        b"ab\r\n",
        b"\r\n",
        b"\0\0\0\0",
        b"#\r\n",
    ];
    let mut bytes = Vec::new();
    for byte in input {
        match WORDS.get(usize::from(*byte)) {
            Some(word) => bytes.extend_from_slice(word),
            None => bytes.push(*byte),
        }
    }
    check_log(&bytes);
}

/// A manifest is refused, or stays what it is when it is written and read again.
pub(crate) fn check_manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let text = manifest.format();
        if manifest.files().len() + manifest.history().len() > 0 {
            let again = Manifest::parse(text.as_bytes()).expect("what was written is sound");
            assert_eq!(again.format(), text);
        }
    }
}
