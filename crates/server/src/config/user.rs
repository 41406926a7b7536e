//! `user` lines while there are no ACLs: one that only gives the default user a password is understood, others are refused.
//!
//! Invariant: a line that restricts anybody never starts a server that does not.

/// Why a `user` line is refused.
const NOT_BUILT: &str = "ACLs are not built in this server yet: without this line every client that knows 'requirepass' may do everything";

/// The password that a `user default ...` line leaves the default user with, empty for none.
pub(super) fn default_password(name: &[u8], rules: &[&[u8]]) -> Result<Vec<u8>, String> {
    let refused = |why: &str| Err(format!("{NOT_BUILT} ({why})"));
    if name != b"default" {
        return refused("there is only the user 'default'");
    }
    let mut password = None;
    for rule in rules {
        match *rule {
            [b'>', given @ ..] if password.is_none() => password = Some(given.to_vec()),
            b"nopass" => password = Some(Vec::new()),
            // What the default user may anyway.
            b"on"
            | b"~*"
            | b"allkeys"
            | b"&*"
            | b"allchannels"
            | b"+@all"
            | b"allcommands"
            | b"sanitize-payload"
            | b"skip-sanitize-payload" => {}
            [b'>', ..] => return refused("there can be one password"),
            [b'#', ..] => return refused("the password must be given in clear, as >password"),
            other => return refused(&format!("the rule '{}'", String::from_utf8_lossy(other))),
        }
    }
    password.map_or_else(|| refused("it gives no password"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        default_password(words[0], &words[1..])
            .map(|password| String::from_utf8_lossy(&password).into_owned())
    }

    #[test]
    fn only_a_password_is_understood() {
        assert_eq!(read("default on >secret ~* &* +@all"), Ok("secret".into()));
        assert_eq!(read("default nopass on"), Ok(String::new()));
        for line in [
            "alice on >p",
            "default on",
            "default off >p",
            "default >p ~cache:*",
            "default >p -@dangerous",
            "default #c0ffee",
            "default >p >q",
            "default >p resetkeys",
        ] {
            assert!(read(line).unwrap_err().starts_with(NOT_BUILT), "{line}");
        }
    }
}
