//! The keys in the store: the stream, and beside it one sorted set for each token.
//!
//! Invariant: all lie in the same slot of a cluster, else no transaction could write them together. A slot is found from what stands
//! between the first `{` and the `}` behind it, unless that is empty; else from the whole name.

/// Stands between the stream's name and the token.
const INFIX: &[u8] = b":kept:";

/// Why a stream can't be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A key without a name.
    #[error("the stream needs a name")]
    Empty,
    /// The whole name decides on the slot, and braces in it keep it from being a hash tag of others.
    #[error(
        "a stream whose name has a '}}' needs a hash tag, such as {{devices}}: the keys beside it must lie in its slot"
    )]
    Brace,
}

/// Whether a stream can be called so.
///
/// # Errors
/// Why it can't.
pub fn check_stream(name: &[u8]) -> Result<(), NameError> {
    Names::of(name).map(|_| ())
}

/// The names of a gateway's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) stream: Vec<u8>,
    /// Of the tokens' keys.
    prefix: Vec<u8>,
}

impl Names {
    pub(crate) fn of(stream: &[u8]) -> Result<Names, NameError> {
        if stream.is_empty() {
            return Err(NameError::Empty);
        }
        let mut prefix = Vec::new();
        if has_tag(stream) {
            prefix.extend_from_slice(stream);
        } else if stream.contains(&b'}') {
            return Err(NameError::Brace);
        } else {
            prefix.push(b'{');
            prefix.extend_from_slice(stream);
            prefix.push(b'}');
        }
        prefix.extend_from_slice(INFIX);
        Ok(Names {
            stream: stream.to_vec(),
            prefix,
        })
    }

    /// The key with the IDs of a token's messages.
    pub(crate) fn kept(&self, token: &[u8]) -> Box<[u8]> {
        [&self.prefix, token].concat().into_boxed_slice()
    }
}

fn has_tag(name: &[u8]) -> bool {
    tag(name).is_some()
}

fn tag(name: &[u8]) -> Option<&[u8]> {
    let open = name.iter().position(|byte| *byte == b'{')?;
    let inner = &name[open + 1..];
    let close = inner.iter().position(|byte| *byte == b'}')?;
    (close > 0).then(|| &inner[..close])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What decides on the slot of a key.
    fn hashed(name: &[u8]) -> &[u8] {
        tag(name).unwrap_or(name)
    }

    #[test]
    fn all_keys_lie_in_the_streams_slot() {
        for stream in ["submissions", "{devices}", "a{b}c", "a{b", "a{b}c}d{e}"] {
            let names = Names::of(stream.as_bytes()).unwrap();
            for token in ["meter-7", "", "{other}", "}"] {
                let key = names.kept(token.as_bytes());
                assert_eq!(hashed(&key), hashed(stream.as_bytes()), "{stream} {token}");
                assert_ne!(&*key, stream.as_bytes());
            }
        }
        let key = Names::of(b"submissions").unwrap().kept(b"meter-7");
        assert_eq!(&*key, b"{submissions}:kept:meter-7");
    }

    #[test]
    fn names_that_cannot_be() {
        assert_eq!(Names::of(b""), Err(NameError::Empty));
        for stream in ["a}b", "{}a", "}{a}x}", "{}{a}"] {
            let names = Names::of(stream.as_bytes());
            if hashed(stream.as_bytes()) == stream.as_bytes() {
                assert_eq!(names, Err(NameError::Brace), "{stream}");
            } else {
                assert!(names.is_ok(), "{stream}");
            }
        }
    }
}
