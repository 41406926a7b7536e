//! The manifest of a log: which files it consists of, in which order.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//!
//! Types: the base, history (files that are not needed any more and will be removed), increments. Lines that begin with `#` are comments;
//! keys that are not known are passed over.
//!
//! Invariant: at most one base; the numbers of increments ascend; names are names, not paths.

use std::fmt;

/// Longest line, its end included.
const LINE_BYTES_MAX: usize = 1024;
/// Words of a line at least: three keys and their values.
const WORDS_MIN: usize = 6;

/// What a file is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The dataset at one moment.
    Base,
    /// Not needed any more.
    History,
    /// What happened afterwards.
    Increment,
}

impl FileKind {
    fn letter(self) -> char {
        match self {
            FileKind::Base => 'b',
            FileKind::History => 'h',
            FileKind::Increment => 'i',
        }
    }
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in the log's directory.
    pub name: String,
    /// Its number among those of its kind.
    pub seq: u64,
    /// What it is.
    pub kind: FileKind,
}

/// Why a manifest can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Number of the line, and the line; none where there is no line.
    pub line: Option<(usize, String)>,
    /// What is wrong, in Redis's words, which people search for.
    pub what: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((number, line)) => write!(f, "{} (line {number}: '{line}')", self.what),
            None => f.write_str(self.what),
        }
    }
}

impl std::error::Error for ManifestError {}

const FORMAT: &str = "Invalid AOF manifest file format";

/// See the module's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    base: Option<LogFile>,
    /// The last one retired comes first.
    history: Vec<LogFile>,
    increments: Vec<LogFile>,
    /// The last numbers given.
    base_seq: u64,
    increment_seq: u64,
}

impl Manifest {
    /// Of no files yet.
    pub fn new() -> Manifest {
        Manifest::default()
    }

    /// The manifest's own name, by `appendfilename`.
    pub fn file_name(append_name: &str) -> String {
        format!("{append_name}.manifest")
    }

    /// Under which a new manifest is written before it takes the other's place.
    pub fn temporary_name(append_name: &str) -> String {
        format!("temp-{append_name}.manifest")
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Whatever redis-server refuses, in its words.
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::new();
        if text.is_empty() {
            return Err(ManifestError {
                line: None,
                what: "Found an empty AOF manifest",
            });
        }
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.starts_with(b"#") {
                continue;
            }
            let fail = |what| ManifestError {
                line: Some((index + 1, line.trim_ascii().escape_ascii().to_string())),
                what,
            };
            if !line.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
                return Err(fail("The AOF manifest file contains too long line"));
            }
            let file = file_of(line.trim_ascii()).map_err(fail)?;
            manifest.add(file).map_err(fail)?;
        }
        Ok(manifest)
    }

    fn add(&mut self, file: LogFile) -> Result<(), &'static str> {
        match file.kind {
            FileKind::Base if self.base.is_some() => {
                return Err("Found duplicate base file information");
            }
            FileKind::Base => {
                self.base_seq = file.seq;
                self.base = Some(file);
            }
            FileKind::History => self.history.push(file),
            FileKind::Increment if file.seq <= self.increment_seq => {
                return Err("Found a non-monotonic sequence number");
            }
            FileKind::Increment => {
                self.increment_seq = file.seq;
                self.increments.push(file);
            }
        }
        Ok(())
    }

    /// The text to be written.
    pub fn format(&self) -> String {
        let files = self.base.iter().chain(&self.history);
        let mut text = String::new();
        for file in files.chain(&self.increments) {
            let name = quoted(&file.name);
            let (seq, kind) = (file.seq, file.kind.letter());
            text += &format!("file {name} seq {seq} type {kind}\n");
        }
        text
    }

    /// The base.
    pub fn base(&self) -> Option<&LogFile> {
        self.base.as_ref()
    }

    /// Increments in their order.
    pub fn increments(&self) -> &[LogFile] {
        &self.increments
    }

    /// Files that are not needed any more.
    pub fn history(&self) -> &[LogFile] {
        &self.history
    }

    /// The files that make the dataset, in the order in which they are loaded.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &LogFile> {
        let base = usize::from(self.base.is_some());
        let count = base + self.increments.len();
        (0..count).map(move |at| match (&self.base, at) {
            (Some(file), 0) => file,
            _ => &self.increments[at - base],
        })
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.files().len() == 0
    }

    /// Puts a new base in the place of the one before, which becomes history; its name. `is_rdb`: whether it is a dump file.
    pub fn new_base(&mut self, append_name: &str, is_rdb: bool) -> &str {
        if let Some(file) = self.base.take() {
            self.retire(file);
        }
        self.base_seq += 1;
        let format = if is_rdb { "rdb" } else { "aof" };
        let file = LogFile {
            name: format!("{append_name}.{}.base.{format}", self.base_seq),
            seq: self.base_seq,
            kind: FileKind::Base,
        };
        &self.base.insert(file).name
    }

    /// Makes a single file of the old layout the base: it keeps its name.
    pub fn adopt_base(&mut self, name: &str) {
        self.base_seq = 1;
        self.base = Some(LogFile {
            name: name.into(),
            seq: self.base_seq,
            kind: FileKind::Base,
        });
    }

    /// Adds an increment behind the others; its name.
    pub fn new_increment(&mut self, append_name: &str) -> &str {
        self.increment_seq += 1;
        self.increments.push(LogFile {
            name: format!("{append_name}.{}.incr.aof", self.increment_seq),
            seq: self.increment_seq,
            kind: FileKind::Increment,
        });
        &self.increments[self.increments.len() - 1].name
    }

    /// Makes all increments but the last `kept` history: a new base has what is in them.
    pub fn retire_increments(&mut self, kept: usize) {
        let retired = self.increments.len().saturating_sub(kept);
        let files: Vec<LogFile> = self.increments.drain(..retired).collect();
        // As redis-server orders them: the oldest of these comes first.
        for file in files.into_iter().rev() {
            self.retire(file);
        }
    }

    fn retire(&mut self, file: LogFile) {
        let kind = FileKind::History;
        self.history.insert(0, LogFile { kind, ..file });
    }

    /// Forgets the history; its files, to be removed once a manifest without them is durable.
    pub fn take_history(&mut self) -> Vec<LogFile> {
        std::mem::take(&mut self.history)
    }
}

/// The file of a line.
fn file_of(line: &[u8]) -> Result<LogFile, &'static str> {
    let words = words(line).ok_or(FORMAT)?;
    if words.len() < WORDS_MIN || words.len() % 2 == 1 {
        return Err(FORMAT);
    }
    let (mut name, mut seq, mut kind) = (None, 0, None);
    for pair in words.chunks_exact(2) {
        match &*pair[0].to_ascii_lowercase() {
            b"file" => {
                let value = String::from_utf8(pair[1].clone()).map_err(|_| FORMAT)?;
                if value.contains(['/', '\\']) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value);
            }
            b"seq" => seq = leading_number(&pair[1]),
            b"type" => kind = pair[1].first().copied(),
            _ => {}
        }
    }
    let (Some(name), Some(kind)) = (name, kind) else {
        return Err(FORMAT);
    };
    if seq == 0 {
        return Err(FORMAT);
    }
    let kind = match kind {
        b'b' => FileKind::Base,
        b'h' => FileKind::History,
        b'i' => FileKind::Increment,
        _ => return Err("Unknown AOF file type"),
    };
    Ok(LogFile { name, seq, kind })
}

/// The number that a text begins with; 0 if it begins with none.
fn leading_number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |n: u64, digit| {
        n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

/// A name as it stands in a manifest: quoted where it must be.
fn quoted(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) {
        return name.into();
    }
    let mut text = String::from("\"");
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text.push('"');
    text
}

/// The words of a line; quoted ones may have spaces and escapes. `None` where quotes don't match.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while let Some(first) = rest.first() {
        let mut word = Vec::new();
        rest = match first {
            b'"' => double_quoted(&rest[1..], &mut word)?,
            b'\'' => single_quoted(&rest[1..], &mut word)?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace);
                let (plain, behind) = rest.split_at(end.unwrap_or(rest.len()));
                word.extend_from_slice(plain);
                behind
            }
        };
        words.push(word);
        // A quoted word ends at a space.
        if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return None;
        }
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// What is behind the closing quote.
fn double_quoted<'a>(mut text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'x', high, low, rest @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
                word.push(digit(*high) << 4 | digit(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

fn single_quoted<'a>(mut text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        text = match text {
            [b'\'', rest @ ..] => return Some(rest),
            [b'\\', b'\'', rest @ ..] => {
                word.push(b'\'');
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(files: &[LogFile]) -> Vec<&str> {
        files.iter().map(|file| &*file.name).collect()
    }

    #[test]
    fn lives_through_rewrites_as_redis_s_does() {
        let mut manifest = Manifest::new();
        assert!(manifest.is_empty());
        assert_eq!(manifest.new_base("a.aof", true), "a.aof.1.base.rdb");
        assert_eq!(manifest.new_increment("a.aof"), "a.aof.1.incr.aof");
        for _ in 0..2 {
            // A rewrite begins with a new increment and ends with a new base.
            manifest.new_increment("a.aof");
            manifest.new_base("a.aof", true);
            manifest.retire_increments(1);
        }
        let text = "file a.aof.3.base.rdb seq 3 type b\n\
            file a.aof.2.incr.aof seq 2 type h\n\
            file a.aof.2.base.rdb seq 2 type h\n\
            file a.aof.1.incr.aof seq 1 type h\n\
            file a.aof.1.base.rdb seq 1 type h\n\
            file a.aof.3.incr.aof seq 3 type i\n";
        assert_eq!(manifest.format(), text);
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest.clone()));
        let files: Vec<_> = manifest.files().map(|file| &*file.name).collect();
        assert_eq!(files, ["a.aof.3.base.rdb", "a.aof.3.incr.aof"]);
        assert_eq!(names(&manifest.take_history()).len(), 4);
        assert_eq!(manifest.new_base("a.aof", false), "a.aof.4.base.aof");
        assert_eq!(manifest.new_increment("a.aof"), "a.aof.4.incr.aof");
    }

    #[test]
    fn numbers_go_on_from_what_is_read() {
        let text = b"# a comment\nfile b seq 7 type b newkey newvalue\nFILE i SEQ 3 TYPE i\nfile j seq 12 type i\n";
        let mut manifest = Manifest::parse(text).expect("it is sound");
        assert_eq!(names(manifest.increments()), ["i", "j"]);
        assert_eq!(manifest.new_base("x", true), "x.8.base.rdb");
        assert_eq!(manifest.new_increment("x"), "x.13.incr.aof");
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let base = "file a.1.base.aof seq 1 type b\n";
        let long = format!("file a seq 1 type b{}\n", " key value".repeat(200));
        for (text, what) in [
            ("", "Found an empty AOF manifest"),
            (
                "file i seq 2 type i\nfile j seq 1 type i\n",
                "Found a non-monotonic sequence number",
            ),
            ("file i seq 1 type i\n\nfile j seq 2 type i\n", FORMAT),
            (&base.repeat(2), "Found duplicate base file information"),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            ("filx a seq 1 type b\n", FORMAT),
            ("file a type b\n", FORMAT),
            ("file a seq 0 type b\n", FORMAT),
            ("file a seq x type b\n", FORMAT),
            ("file a seq 1 type i newkey\n", FORMAT),
            ("file \"a seq 1 type i\n", FORMAT),
            ("file 'a'b seq 1 type i\n", FORMAT),
            (&long, "The AOF manifest file contains too long line"),
            (
                "file a seq 1 type i",
                "The AOF manifest file contains too long line",
            ),
            (
                "file ../a seq 1 type i\n",
                "File can't be a path, just a filename",
            ),
        ] {
            let error = Manifest::parse(text.as_bytes()).expect_err(text);
            assert_eq!(error.what, what, "{text:?}");
        }
        let error = Manifest::parse(b"# x\nfile a seq 1 type x \n").expect_err("a type");
        assert_eq!(error.line, Some((2, "file a seq 1 type x".into())));
    }

    proptest! {
        #[test]
        fn names_of_any_kind_are_kept(name in "[^/\\\\]{1,40}", seq in 1u64..u64::MAX) {
            let mut manifest = Manifest::new();
            manifest.add(LogFile { name, seq, kind: FileKind::Increment }).expect("the first");
            let parsed = Manifest::parse(manifest.format().as_bytes());
            prop_assert_eq!(parsed, Ok(manifest));
        }

        #[test]
        fn no_text_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&text);
            let _ = Manifest::parse(&[b"file ", &text[..], b" seq 1 type i\n"].concat());
        }
    }
}
