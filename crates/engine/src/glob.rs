//! Glob patterns as Redis matches them: `*`, `?`, `[a-z]`, `[^...]`, `\` before any byte.
//!
//! Iterative: the work is at most pattern length times text length, without recursion, whatever the pattern.

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
        Glob { pattern: pattern.to_vec(), all: pattern == b"*" }
    }

    /// Whether everything matches.
    pub fn matches_all(&self) -> bool {
        self.all
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.all || matches(&self.pattern, text, false)
    }
}

/// Whether `text` matches `pattern`; letter case aside if `fold`.
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the last star swallows one byte more: behind the star, and the text it had reached.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            while p < pattern.len() && pattern[p] == b'*' {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
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
    let lower = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    let same = |a: u8, b: u8| lower(a) == lower(b);
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (hit, len) = class_matches(class, byte, &lower);
            hit.then_some(len + 1)
        }
        [b'\\', escaped, ..] => same(escaped, byte).then_some(2),
        [plain, ..] => same(plain, byte).then_some(1),
    }
}

/// Matches a byte against a class, given without its `[`; whether it fits, and the class's length with its `]`.
/// A class that is not closed ends with the pattern, as in Redis.
fn class_matches(class: &[u8], byte: u8, lower: &impl Fn(u8) -> u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut i = usize::from(negated);
    let mut hit = false;
    while i < class.len() && class[i] != b']' {
        if class[i] == b'\\' && i + 1 < class.len() {
            hit |= lower(class[i + 1]) == lower(byte);
            i += 2;
        } else if i + 2 < class.len() && class[i + 1] == b'-' {
            let (a, b, byte) = (lower(class[i]), lower(class[i + 2]), lower(byte));
            hit |= (a.min(b)..=a.max(b)).contains(&byte);
            i += 3;
        } else {
            hit |= lower(class[i]) == lower(byte);
            i += 1;
        }
    }
    (hit != negated, (i + 1).min(class.len()))
}
