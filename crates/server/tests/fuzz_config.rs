//! Fuzz target of the configuration parser: arbitrary bytes as a file, as arguments, and as CONFIG GET and SET.
//!
//! On stable Rust this is a random test for a second (`DUNLIN_FUZZ_SECONDS` for longer); under `cargo bolero test` it is
//! guided by coverage.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use dunlin_server::config::{Config, Origin, table::TABLE};

/// How long a target runs.
fn seconds() -> Duration {
    let seconds = std::env::var("DUNLIN_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// Lines that could read this machine's files are left out.
fn names_files(text: &[u8]) -> bool {
    text.to_ascii_lowercase()
        .windows(7)
        .any(|part| part == b"include")
}

/// Replaces each byte with the high bit set by the name of a key, so that random bytes get past the first word.
fn with_names(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in bytes {
        match byte.checked_sub(0x80) {
            Some(at) => {
                let key = TABLE[usize::from(at) * 2 % TABLE.len()];
                text.extend_from_slice(b"\n");
                text.extend_from_slice(key.name.as_bytes());
                text.extend_from_slice(b" ");
            }
            None => text.push(*byte),
        }
    }
    text
}

#[test]
fn fuzz_file() {
    bolero::check!()
        .with_test_time(seconds())
        .for_each(|bytes: &[u8]| {
            for text in [bytes.to_vec(), with_names(bytes)] {
                if !names_files(&text) {
                    match Config::load_from(&["-"], || text.as_slice()) {
                        Ok(loaded) => {
                            assert!(loaded.warnings.iter().all(|line| !line.contains('\n')))
                        }
                        Err(error) => assert!(!error.to_string().contains('\n')),
                    }
                }
            }
        });
}

#[test]
fn fuzz_arguments() {
    bolero::check!()
        .with_test_time(seconds())
        .for_each(|bytes: &[u8]| {
            let mut text = with_names(bytes);
            // The first argument would be a file, if it were not an option.
            text.splice(..0, *b"--hz 7\0");
            if !names_files(&text) {
                let arguments: Vec<&OsStr> = text
                    .split(|byte| *byte == 0)
                    .map(OsStr::from_bytes)
                    .collect();
                let _ = Config::load_from(&arguments, std::io::empty);
            }
        });
}

#[test]
fn fuzz_set_and_get() {
    let base = Config::default();
    bolero::check!()
        .with_test_time(seconds())
        .for_each(|bytes: &[u8]| {
            let Some((choice, value)) = bytes.split_first() else {
                return;
            };
            let key = TABLE[usize::from(*choice) % TABLE.len()];
            let mut config = base.clone();
            if config
                .set(&[(key.name.as_bytes(), value)], Origin::Local)
                .is_err()
            {
                assert_eq!(config.matching(b"*"), base.matching(b"*"));
            }
            let _ = config.matching(value);
        });
}
