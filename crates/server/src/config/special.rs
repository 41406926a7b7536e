//! The values with a shape of their own: save points, output limits, addresses, event letters, and checks of texts.
//!
//! Invariant: a list of words is taken whole or not at all. Error texts are Redis 7.2's.

use std::fmt;

use dunlin_store::EVENT_LETTERS;

use super::number;
use super::value::{Reading, Value};

pub(super) const WRONG_NUMBER: &str = "wrong number of arguments";

/// `save <seconds> <changes>`: write the database out after so many seconds if so many keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save, at least 1.
    pub seconds: u64,
    /// Changes since the last save.
    pub changes: u64,
}

pub(super) fn read_save(words: &[&[u8]], reading: &Reading<'_>) -> Result<Vec<SavePoint>, String> {
    const INVALID: &str = "Invalid save parameters";
    let words = if words == [b""] { &[][..] } else { words };
    if !words.len().is_multiple_of(2) {
        return Err(INVALID.to_owned());
    }
    let mut points = match reading.current {
        // An empty list wipes the slate in a file, too.
        Value::Save(points) if reading.adds_up && !words.is_empty() => points.clone(),
        _ => Vec::new(),
    };
    for pair in words.chunks_exact(2) {
        let seconds = number::lax_integer(pair[0]).and_then(|value| u64::try_from(value).ok());
        let changes = number::lax_integer(pair[1]).and_then(|value| i32::try_from(value).ok());
        match (seconds, changes.and_then(|value| u64::try_from(value).ok())) {
            (Some(seconds @ 1..), Some(changes)) => points.push(SavePoint { seconds, changes }),
            _ => return Err(INVALID.to_owned()),
        }
    }
    Ok(points)
}

pub(super) fn show_save(points: &[SavePoint]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|point| format!("{} {}", point.seconds, point.changes))
        .collect();
    pairs.join(" ")
}

/// The classes of clients that have output limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// Ordinary clients, monitors included.
    Normal,
    /// Replicas.
    Replica,
    /// Subscribers.
    Pubsub,
}

/// When a client that does not read its replies is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Cut at once above this; 0 is no limit.
    pub hard_bytes: u64,
    /// Cut when above this for `soft_seconds`; 0 is no limit.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u64,
}

/// `client-output-buffer-limit`: one limit per class, shown as Redis does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// In the order of [`ClientClass`].
    pub by_class: [OutputLimit; 3],
}

impl fmt::Display for OutputLimits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Redis shows the old name of the class of replicas.
        for (name, limit) in ["normal", " slave", " pubsub"].iter().zip(self.by_class) {
            write!(
                out,
                "{name} {} {} {}",
                limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )?;
        }
        Ok(())
    }
}

pub(super) fn read_output_limits(words: &[&[u8]], current: &Value) -> Result<OutputLimits, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut limits = match current {
        Value::OutputLimits(limits) => *limits,
        _ => OutputLimits::default(),
    };
    for group in words.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => ClientClass::Normal,
            b"slave" | b"replica" => ClientClass::Replica,
            b"pubsub" => ClientClass::Pubsub,
            _ => {
                return Err(
                    "Invalid client class specified in buffer limit configuration.".to_owned(),
                );
            }
        };
        let seconds = number::lax_integer(group[3]).and_then(|value| i32::try_from(value).ok());
        let numbers = (
            number::memory(group[1]),
            number::memory(group[2]),
            seconds.and_then(|value| u64::try_from(value).ok()),
        );
        let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) = numbers else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                    .to_owned(),
            );
        };
        limits.by_class[class as usize] = OutputLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        };
    }
    Ok(limits)
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// What to bind.
    pub host: BindHost,
    /// Written with a leading `-`: an address that this machine lacks is skipped.
    pub optional: bool,
}

/// See [`BindAddress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindHost {
    /// `*`: every IPv4 address.
    AnyV4,
    /// `::*`: every IPv6 address.
    AnyV6,
    /// An address or a host name.
    Name(String),
}

impl fmt::Display for BindHost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            BindHost::AnyV4 => "*",
            BindHost::AnyV6 => "::*",
            BindHost::Name(name) => name,
        })
    }
}

impl BindAddress {
    pub(super) fn parse(word: &[u8]) -> Self {
        let (optional, host) = match word.strip_prefix(b"-") {
            Some(host) => (true, host),
            None => (false, word),
        };
        let host = match host {
            b"*" => BindHost::AnyV4,
            b"::*" => BindHost::AnyV6,
            name => BindHost::Name(String::from_utf8_lossy(name).into_owned()),
        };
        Self { host, optional }
    }
}

/// Redis takes no more addresses than this, either.
const BIND_ADDRESSES_MAX: usize = 16;

pub(super) fn read_bind(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
    if words.len() > BIND_ADDRESSES_MAX {
        return Err("Too many bind addresses specified.".to_owned());
    }
    let words = if words == [b""] { &[][..] } else { words };
    Ok(words.iter().map(|word| word.to_vec()).collect())
}

pub(super) fn read_directory(word: &[u8], current: &Value) -> Result<Vec<u8>, String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(word));
    let base = match current {
        Value::Text(base) => std::path::Path::new(std::ffi::OsStr::from_bytes(base)),
        _ => std::path::Path::new(""),
    };
    // An empty path would otherwise mean `base` itself.
    if word.is_empty() {
        return Err("No such file or directory".to_owned());
    }
    let path = base
        .join(path)
        .canonicalize()
        .map_err(|error| errno_text(&error))?;
    if !path.is_dir() {
        return Err("Not a directory".to_owned());
    }
    Ok(path.into_os_string().into_vec())
}

/// The text of an error as `strerror` gives it.
pub(crate) fn errno_text(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    if let Some(cut) = text.find(" (os error") {
        text.truncate(cut);
    }
    text
}

pub(super) fn read_oom_scores(words: &[&[u8]]) -> Result<[i64; 3], String> {
    const BOUND: i64 = 2000;
    if words.len() != 3 {
        return Err(WRONG_NUMBER.to_owned());
    }
    let mut scores = [0; 3];
    for (score, word) in scores.iter_mut().zip(words) {
        *score = number::lax_integer(word)
            .filter(|value| (-BOUND..=BOUND).contains(value))
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
    }
    Ok(scores)
}

/// `A`, the first ten of the letters, has all classes but `n` (new key) and, by nature, K, E and m.
const EVENTS_ALL: u32 = 0b11_1111_1111;

pub(super) fn read_events(word: &[u8]) -> Result<u32, String> {
    let mut bits = 0;
    for letter in word {
        bits |= match EVENT_LETTERS.iter().position(|known| known == letter) {
            Some(position) => 1 << position,
            None if *letter == b'A' => EVENTS_ALL,
            None => return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
        };
    }
    Ok(bits)
}

pub(super) fn show_events(bits: u32) -> String {
    let all = bits & EVENTS_ALL == EVENTS_ALL;
    let mut shown = String::from(if all { "A" } else { "" });
    for (position, letter) in EVENT_LETTERS.iter().enumerate() {
        let bit = 1 << position;
        // Redis leaves `n` out when it shows `A`; ours shows it, so that what is shown can be set again.
        if bits & bit != 0 && !(all && EVENTS_ALL & bit != 0) {
            shown.push(char::from(*letter));
        }
    }
    shown
}

pub(super) fn read_percentiles(words: &[&[u8]]) -> Result<Vec<f64>, String> {
    let words = if words == [b""] { &[][..] } else { words };
    words
        .iter()
        .map(|word| {
            let value = std::str::from_utf8(word)
                .ok()
                .and_then(|word| word.parse::<f64>().ok())
                .filter(|value| !value.is_nan())
                .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if (0.0..=100.0).contains(&value) {
                Ok(value)
            } else {
                Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .to_owned(),
                )
            }
        })
        .collect()
}

pub(super) fn show_percentiles(list: &[f64]) -> String {
    let words: Vec<String> = list
        .iter()
        .map(|value| {
            let text = format!("{value:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        })
        .collect();
    words.join(" ")
}

pub(super) fn read_replica_of(words: &[&[u8]]) -> Result<Option<(Vec<u8>, u16)>, String> {
    let [host, port] = words else {
        return Err(WRONG_NUMBER.to_owned());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(None);
    }
    let port = number::lax_integer(port)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or("Invalid master port")?;
    Ok(Some((host.to_vec(), port)))
}

pub(super) fn check_shutdown_flags(bits: u32, names: &[&str]) -> Result<(), String> {
    let bit = |name| {
        names
            .iter()
            .position(|known| *known == name)
            .map_or(0, |at| 1 << at)
    };
    if bits & bit("save") != 0 && bits & bit("nosave") != 0 {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
    }
    Ok(())
}

/// Any bytes will do.
pub(super) fn stream_name(name: &[u8]) -> Result<(), &'static str> {
    dunlin_gateway::check_stream(name)
        .map_err(|_| "it must have a name, and a hash tag if that has a '}'")
}

/// A secret that can stand in a header.
pub(super) fn token(text: &[u8]) -> Result<(), &'static str> {
    match text.iter().all(u8::is_ascii_graphic) {
        true => Ok(()),
        false => Err("admin-token has to be printable ASCII without blanks"),
    }
}

pub(super) fn any_text(_: &[u8]) -> Result<(), &'static str> {
    Ok(())
}

pub(super) fn dump_name(name: &[u8]) -> Result<(), &'static str> {
    base_name(name, "dbfilename can't be a path, just a filename")
}

pub(super) fn append_name(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("appendfilename can't be empty");
    }
    base_name(name, "appendfilename can't be a path, just a filename")
}

pub(super) fn append_directory(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("appenddirname can't be empty");
    }
    base_name(name, "appenddirname can't be a path, just a dirname")
}

fn base_name(name: &[u8], error: &'static str) -> Result<(), &'static str> {
    if name.contains(&b'/') || name.contains(&b'\\') {
        return Err(error);
    }
    Ok(())
}

/// One less than the bytes that Redis has for a host name.
const HOST_NAME_LENGTH_MAX: usize = 255;

pub(super) fn announced_host(name: &[u8]) -> Result<(), &'static str> {
    if name.len() > HOST_NAME_LENGTH_MAX {
        return Err("Hostnames must be less than 256 characters");
    }
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if !name.iter().all(fits) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    Ok(())
}

pub(super) fn announced_node(name: &[u8]) -> Result<(), &'static str> {
    if name
        .iter()
        .any(|byte| b"!#$%&()*+:;<>?@[]^{|}~".contains(byte))
    {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

/// The variables that a process title may name.
const TITLE_VARIABLES: &[&str] = &[
    "title",
    "listen-addr",
    "server-mode",
    "port",
    "tls-port",
    "unixsocket",
    "config-file",
];

pub(super) fn title_template(template: &[u8]) -> Result<(), &'static str> {
    const INVALID: &str = "template format is invalid or contains unknown variables";
    let mut rest = std::str::from_utf8(template).map_err(|_| INVALID)?;
    if rest.trim().is_empty() {
        return Err(INVALID);
    }
    while let Some((_, tail)) = rest.split_once('{') {
        let (variable, tail) = tail.split_once('}').ok_or(INVALID)?;
        if !TITLE_VARIABLES.contains(&variable) {
            return Err(INVALID);
        }
        rest = tail;
    }
    Ok(())
}
