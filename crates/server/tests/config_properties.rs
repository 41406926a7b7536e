//! Properties of the parser and of values, over generated input.

use dunlin_server::config::{Change, Config, Origin, table::TABLE};
use proptest::prelude::*;

fn read(text: Vec<u8>) -> Result<Config, String> {
    Config::load_from(&["-"], || std::io::Cursor::new(text))
        .map(|loaded| loaded.config)
        .map_err(|error| error.to_string())
}

/// A word in double quotes, every byte escaped.
fn escaped(bytes: &[u8]) -> String {
    let inner: String = bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect();
    format!("\"{inner}\"")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes at all survive quoting in a file, and as an argument of the command line.
    #[test]
    fn any_password_can_be_written(password in proptest::collection::vec(1u8.., 0..40)) {
        let config = read(format!("requirepass {}", escaped(&password)).into_bytes()).unwrap();
        prop_assert_eq!(config.text("requirepass"), &password[..]);

        use std::os::unix::ffi::OsStringExt;
        let argument = std::ffi::OsString::from_vec(password.clone());
        if password != b"-" {
            let arguments = ["--requirepass".into(), argument];
            let config = Config::load(&arguments).unwrap().config;
            prop_assert_eq!(config.text("requirepass"), &password[..]);
        }
    }

    /// Whatever the bytes, reading ends in a configuration or in one line of text.
    #[test]
    fn any_file_is_read_or_refused_in_one_line(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        // Not an include: the property is about bytes, not about this machine's files.
        prop_assume!(!text.to_ascii_lowercase().windows(7).any(|part| part == b"include"));
        if let Err(error) = read(text) {
            prop_assert!(!error.contains(['\n', '\r', '\x1b']), "{error:?}");
        }
    }

    /// What CONFIG SET takes, CONFIG GET shows in a form that CONFIG SET takes again without a change.
    #[test]
    fn what_is_shown_can_be_set(
        at in 0..TABLE.len(),
        value in prop_oneof![
            "[0-9]{1,20}(k|kb|m|mb|g|gb|%)?",
            "-?[0-9]{1,5}",
            "(yes|no|YES|default|now|force|local|always|debug|noeviction)( (save|nosave|now))?",
            "[0-9]{1,4} [0-9]{1,4}( [0-9]{1,4} [0-9]{1,4})?",
            "(normal|slave|replica|pubsub) [0-9]{1,4}(kb|g)? [0-9]{1,3} [0-9]{1,3}",
            "[Ag$lshzxeKEtmdn]{0,12}",
            "\\PC{0,20}",
        ],
    ) {
        let key = TABLE[at];
        prop_assume!(key.holds_value() && key.change == Change::AnyTime);
        let mut config = Config::default();
        if config.set(&[(key.name, &value)], Origin::Local).is_ok() {
            let shown = config.matching(key.name.as_bytes()).remove(0).1;
            let changed = config.set(&[(key.name, &shown)], Origin::Local).unwrap();
            prop_assert!(changed.is_empty() || key.volatile, "{} {value:?} {}", key.name, String::from_utf8_lossy(&shown));
        }
    }
}
