//! Glob patterns over names: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
//!
//! Invariant: no recursion, and at most pattern times name steps, whatever the pattern.

/// Whether letters of different case are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    Ignored,
}

/// True if the whole of `name` matches `pattern`.
pub(super) fn matches(pattern: &[u8], name: &[u8], case: Case) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where to go on after the last star: one more byte of the name goes to it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, read));
            continue;
        }
        let step = match name.get(read) {
            None if at == pattern.len() => return true,
            None => None,
            Some(byte) => one(&pattern[at..], *byte, case),
        };
        if let Some(length) = step {
            at += length;
            read += 1;
            continue;
        }
        match retry {
            Some((after_star, from)) if from < name.len() => {
                at = after_star;
                read = from + 1;
                retry = Some((after_star, read));
            }
            _ => return false,
        }
    }
}

/// Matches one byte against the front of the pattern; answers the length of that front.
fn one(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    let same = |left: u8, right: u8| match case {
        Case::Exact => left == right,
        Case::Ignored => left.eq_ignore_ascii_case(&right),
    };
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => same(*escaped, byte).then_some(2),
        [b'[', set @ ..] => {
            let (length, hit) = in_set(set, byte, case, same);
            hit.then_some(1 + length)
        }
        [literal, ..] => same(*literal, byte).then_some(1),
    }
}

/// Looks a byte up in a set such as `^a-z\]]`; answers the length of the set with its bracket (an unclosed one ends with the pattern).
fn in_set(set: &[u8], byte: u8, case: Case, same: impl Fn(u8, u8) -> bool) -> (usize, bool) {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut hit = false;
    let fold = |byte: u8| {
        if case == Case::Ignored {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    loop {
        match &set[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                hit |= same(*escaped, byte);
                at += 2;
            }
            [first, b'-', last, ..] => {
                let (low, high) = (fold(*first.min(last)), fold(*first.max(last)));
                hit |= (low..=high).contains(&fold(byte));
                at += 3;
            }
            [literal, ..] => {
                hit |= same(*literal, byte);
                at += 1;
            }
        }
    }
    (at, hit != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("max*", "maxmemory", true),
            ("*-max-*-entries", "hash-max-listpack-entries", true),
            ("*-max-*-entries", "hash-max-listpack-value", false),
            ("h?z", "hz", false),
            ("?z", "hz", true),
            ("[gh]z", "hz", true),
            ("[^gh]z", "hz", false),
            ("[a-h]z", "hz", true),
            ("[h-a]z", "hz", true),
            ("[hz", "h", true),
            (r"\*z", "*z", true),
            (r"\*z", "hz", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("HZ", "hz", false),
        ] {
            let exact = matches(pattern.as_bytes(), name.as_bytes(), Case::Exact);
            assert_eq!(exact, expected, "{pattern} {name}");
        }
        assert!(matches(b"H[A-Z]", b"hz", Case::Ignored));
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = b"*a".repeat(1_000);
        assert!(!matches(&pattern, &b"a".repeat(999), Case::Exact));
    }
}
