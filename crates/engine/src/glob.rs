//! Glob patterns as Redis matches them: `*`, `?`, `[a-z]`, `[^...]`, `\` before any byte.
//!
//! Iterative: a star that turns out too short is lengthened, and only the last one needs to be. The work is at most
//! pattern length times text length, whatever the pattern, without recursion.
//!
//! What may surprise is Redis's: a class that is not closed ends with the pattern, an empty text matches the empty pattern
//! alone (but KEYS treats `*` as "all"), and nothing is matched behind [`STARS_MAX`] stars.

/// A text that is not matched before so many stars in a row of attempts does not match, as in Redis, which counts
/// its recursion there.
pub const STARS_MAX: usize = 1000;

/// A pattern, ready to match.
#[derive(Clone, Debug)]
pub struct Glob {
    pattern: Vec<u8>,
    /// The pattern is `*`.
    all: bool,
}

impl Glob {
    /// Takes a pattern; every byte string is one.
    pub fn new(pattern: &[u8]) -> Glob {
        Glob {
            pattern: pattern.to_vec(),
            all: pattern == b"*",
        }
    }

    /// Whether everything matches.
    pub fn matches_all(&self) -> bool {
        self.all
    }

    /// The only text that matches, if no byte of the pattern has a meaning of its own.
    pub fn literal(&self) -> Option<&[u8]> {
        let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        (!self.pattern.iter().any(special)).then_some(&self.pattern)
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.all || matches(&self.pattern, text, false)
    }
}

/// Whether `text` matches `pattern`; letter case aside if `fold`. At most O(pattern x text).
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t, mut stars) = (0, 0, 0);
    // Where to go on when the last star swallows one byte more: behind the star, and the text it had reached.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            if t == text.len() {
                return false;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((p, t));
        }
        if t == text.len() {
            return p == pattern.len();
        }
        match one(&pattern[p..], text[t], fold) {
            Some(consumed) => {
                p += consumed;
                t += 1;
            }
            None => match &mut retry {
                None => return false,
                Some((star, reached)) => {
                    *reached += 1;
                    (p, t) = (*star, *reached);
                }
            },
        }
    }
}

/// Matches one byte against the head of the pattern; how much of the pattern that took.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (hit, len) = class_matches(class, byte, fold);
            hit.then_some(len + 1)
        }
        [b'\\', escaped, ..] => same(escaped, byte, fold).then_some(2),
        [plain, ..] => same(plain, byte, fold).then_some(1),
    }
}

fn lower(byte: u8, fold: bool) -> u8 {
    if fold {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

fn same(a: u8, b: u8, fold: bool) -> bool {
    lower(a, fold) == lower(b, fold)
}

/// Matches a byte against a class, given without its `[`; whether it fits, and the class's length with its `]`.
fn class_matches(class: &[u8], byte: u8, fold: bool) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut i = usize::from(negated);
    let mut hit = false;
    while i < class.len() && class[i] != b']' {
        if class[i] == b'\\' && i + 1 < class.len() {
            // Escaped bytes are compared exactly, as in Redis.
            hit |= class[i + 1] == byte;
            i += 2;
        } else if i + 2 < class.len() && class[i + 1] == b'-' {
            let (a, b) = (class[i].min(class[i + 2]), class[i].max(class[i + 2]));
            hit |= (lower(a, fold)..=lower(b, fold)).contains(&lower(byte, fold));
            i += 3;
        } else {
            hit |= same(class[i], byte, fold);
            i += 1;
        }
    }
    (hit != negated, (i + 1).min(class.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, by trying everything.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|n| model(rest, &text[n..])),
            _ => text.split_first().is_some_and(|(&byte, later)| {
                one(pattern, byte, false).is_some_and(|consumed| model(&pattern[consumed..], later))
            }),
        }
    }

    /// All strings over `alphabet` of at most `len` bytes.
    fn strings(alphabet: &[u8], len: usize) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = vec![vec![]];
        let mut last = 0;
        for _ in 0..len {
            let end = all.len();
            for i in last..end {
                let shorter = all[i].clone();
                all.extend(
                    alphabet
                        .iter()
                        .map(|&byte| [&shorter[..], &[byte]].concat()),
                );
            }
            last = end;
        }
        all
    }

    #[test]
    fn agrees_with_trying_everything() {
        let texts = strings(b"ab", 4);
        for pattern in strings(b"ab*?", 5) {
            for text in texts.iter().filter(|text| !text.is_empty()) {
                let (found, expected) = (matches(&pattern, text, false), model(&pattern, text));
                assert_eq!(
                    found,
                    expected,
                    "{:?} {:?}",
                    pattern.escape_ascii(),
                    text.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn classes_agree_with_their_definition() {
        for pattern in strings(b"a-c[]^\\", 5) {
            for byte in *b"abc-]^\\[" {
                // Nothing is read outside the pattern, and what is left of it is matched further.
                if let Some(consumed) = one(&pattern, byte, false) {
                    assert!(consumed <= pattern.len() && consumed > 0);
                }
            }
        }
    }

    #[track_caller]
    fn yes(pattern: &str, text: &str) {
        assert!(
            matches(pattern.as_bytes(), text.as_bytes(), false),
            "{pattern} {text}"
        );
    }

    #[track_caller]
    fn no(pattern: &str, text: &str) {
        assert!(
            !matches(pattern.as_bytes(), text.as_bytes(), false),
            "{pattern} {text}"
        );
    }

    #[test]
    fn the_manual_s_examples() {
        for text in ["hello", "hallo", "hxllo"] {
            yes("h?llo", text);
        }
        yes("h*llo", "hllo");
        yes("h*llo", "heeeello");
        yes("h[ae]llo", "hello");
        no("h[ae]llo", "hillo");
        no("h[^e]llo", "hello");
        yes("h[^e]llo", "hbllo");
        yes("h[a-b]llo", "hallo");
        no("h[a-b]llo", "hcllo");
        yes("h\\*llo", "h*llo");
        no("h\\*llo", "hello");
    }

    #[test]
    fn corners_of_classes() {
        yes("[b-a]", "a");
        yes("[a", "a");
        no("[", "a");
        no("[]", "a");
        yes("[^]", "a");
        yes("[^", "a");
        yes("[\\]]", "]");
        // The bracket is the end of the range, and the class stays open.
        yes("[a-]", "_");
        no("[a-]", "-");
        no("[\\a-c]", "b");
        yes("[\\a-c]", "-");
        yes("\\", "\\");
        yes("[a]]", "a]");
        // A range whose end is the bracket leaves the class open.
        yes("[a-]b", "b");
    }

    #[test]
    fn letter_case() {
        assert!(matches(b"H[A-C]L*", b"hblX", true));
        assert!(!matches(b"H[A-C]L*", b"hblX", false));
        assert!(matches(b"[^A]", b"b", true));
        assert!(!matches(b"[^A]", b"a", true));
    }

    #[test]
    fn the_empty_text() {
        no("*", "");
        yes("", "");
        assert!(Glob::new(b"*").matches(b""));
        assert!(!Glob::new(b"**").matches(b""));
    }

    #[test]
    fn literals_are_recognised() {
        assert_eq!(Glob::new(b"user:1").literal(), Some(&b"user:1"[..]));
        assert_eq!(Glob::new(b"").literal(), Some(&b""[..]));
        for pattern in ["a*", "a?", "[a]", "\\a"] {
            assert_eq!(Glob::new(pattern.as_bytes()).literal(), None);
        }
        assert_eq!(Glob::new(b"]a").literal(), Some(&b"]a"[..]));
    }

    /// Comparisons that a match may take: recursion would need 2^n or n^k of them and never come back.
    #[test]
    fn hostile_patterns_end_soon() {
        let text = "a".repeat(40);
        no(&format!("{}b", "a*".repeat(20)), &text);
        let text = "a".repeat(20_000);
        no(&format!("{}b", "*a".repeat(900)), &text);
        no(&format!("*{}b", "a".repeat(2000)), &text);
        // Redis gives up behind a thousand stars.
        yes(&"*?".repeat(1000), &text);
        no(&"*?".repeat(1001), &text);
        no(&"*?".repeat(20_000), &text);
        yes(&format!("{}*", "*?".repeat(1000)), &text);
    }
}
