//! Which lines are not remembered: those with secrets in them.
//!
//! Invariant: what cannot be read as words is remembered only if it does not begin like one of these.

/// Keys of the configuration that are secrets.
const SECRET_KEYS: [&str; 3] = ["masterauth", "masteruser", "requirepass"];

/// Whether these words hold a password.
pub(super) fn is_sensitive(words: &[Vec<u8>]) -> bool {
    let words: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_lowercase())
        .collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.len() > 1 && words[0].parse::<i64>().is_ok() {
        words.remove(0);
    }
    match words.as_slice() {
        ["auth", ..] | ["acl", "setuser", ..] => true,
        ["config", "set", pairs @ ..] => {
            pairs.iter().step_by(2).any(|key| SECRET_KEYS.contains(key))
        }
        ["hello", _, options @ ..] => options.contains(&"auth"),
        ["migrate", _, _, _, _, _, options @ ..] => {
            let before_keys = options.iter().take_while(|word| **word != "keys");
            before_keys
                .into_iter()
                .any(|word| matches!(*word, "auth" | "auth2"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_remembered() {
        let sensitive = |line: &str| {
            let words: Vec<Vec<u8>> = line
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect();
            is_sensitive(&words)
        };
        for line in [
            "AUTH x",
            "3 auth u x",
            "acl setuser bob >x",
            "CONFIG SET maxmemory 1 requirepass x",
            "hello 3 auth u x",
            "migrate h 1 k 0 5 copy auth x",
        ] {
            assert!(sensitive(line), "{line}");
        }
        for line in [
            "get auth",
            "config set maxmemory requirepass",
            "config get requirepass",
            "hello 3",
            "migrate h 1 \"\" 0 5 keys auth",
        ] {
            assert!(!sensitive(line), "{line}");
        }
    }
}
