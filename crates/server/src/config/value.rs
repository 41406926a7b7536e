//! Values of keys: read from the words of a line, shown as CONFIG GET shows them.
//!
//! Invariant: reading what [`Value::show`] wrote gives the value back (property test in tests/config_table.rs).
//! It does not decide whether a key may change now; that is [`set`](super::set).

use super::key::{Key, Kind};
use super::number;
use super::special::{self, OutputLimits, SavePoint};
use super::words;

/// The value of one key. Which variant a key has follows from its [`Kind`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// [`Kind::YesNo`].
    YesNo(bool),
    /// [`Kind::Integer`] and [`Kind::Workers`].
    Integer(i64),
    /// [`Kind::Octal`].
    Octal(u32),
    /// [`Kind::Memory`] and [`Kind::MemoryOrPercent`], bytes.
    Bytes(u64),
    /// [`Kind::MemoryOrPercent`], percent.
    Percent(i64),
    /// [`Kind::Choice`]: the position of the word.
    Choice(usize),
    /// [`Kind::Flags`] (bit i is word i, never word 0) and [`Kind::Events`] (bit i is letter i).
    Flags(u32),
    /// [`Kind::Text`] and [`Kind::Directory`].
    Text(Vec<u8>),
    /// [`Kind::Bind`].
    Words(Vec<Vec<u8>>),
    /// [`Kind::Save`].
    Save(Vec<SavePoint>),
    /// [`Kind::OutputLimits`].
    OutputLimits(OutputLimits),
    /// [`Kind::OomScores`].
    OomScores([i64; 3]),
    /// [`Kind::Percentiles`].
    Percentiles(Vec<f64>),
    /// [`Kind::ReplicaOf`].
    ReplicaOf(Option<(Vec<u8>, u16)>),
    /// Lines that hold no value.
    Nothing,
}

/// What a value is read against: keys whose lines add up need what stands there already.
pub(super) struct Reading<'a> {
    /// The value so far.
    pub(super) current: &'a Value,
    /// True when the lines of a file add up (`save`), false when a new value replaces the old one.
    pub(super) adds_up: bool,
}

impl Value {
    /// Reads the words of a line or the parts of a CONFIG SET argument as a value of `key`. Errors are Redis's texts.
    pub(super) fn read(key: &Key, words: &[&[u8]], reading: &Reading<'_>) -> Result<Self, String> {
        if !key.takes_list() && words.len() != 1 {
            return Err(special::WRONG_NUMBER.to_owned());
        }
        let first = words.first().copied().unwrap_or_default();
        match key.kind {
            Kind::YesNo => read_yes_no(first),
            Kind::Integer { min, max } => {
                let value = number::integer(first).ok_or(NOT_AN_INTEGER)?;
                within(value, min, max).map(Value::Integer)
            }
            Kind::Octal { max } => {
                let value =
                    number::octal(first).ok_or("argument couldn't be parsed as an octal number")?;
                u32::try_from(value)
                    .ok()
                    .filter(|value| *value <= max)
                    .map(Value::Octal)
                    .ok_or_else(|| format!("argument must be between 0 and {max:o} inclusive"))
            }
            Kind::Memory { min, max } => {
                let value = number::memory(first).ok_or("argument must be a memory value")?;
                within(value, min, max).map(Value::Bytes)
            }
            Kind::MemoryOrPercent { percent_max } => read_memory_or_percent(first, percent_max),
            Kind::Choice(choices) => choices
                .iter()
                .position(|choice| first.eq_ignore_ascii_case(choice.as_bytes()))
                .map(Value::Choice)
                .ok_or_else(|| one_of(choices)),
            Kind::Flags(names) => read_flags(names, words),
            Kind::Text(check) => {
                check(first)?;
                Ok(Value::Text(first.to_vec()))
            }
            Kind::Directory => special::read_directory(first, reading.current).map(Value::Text),
            Kind::Workers => read_workers(first),
            Kind::Bind => special::read_bind(words).map(Value::Words),
            Kind::Save => special::read_save(words, reading).map(Value::Save),
            Kind::OutputLimits => {
                special::read_output_limits(words, reading.current).map(Value::OutputLimits)
            }
            Kind::OomScores => special::read_oom_scores(words).map(Value::OomScores),
            Kind::Events => special::read_events(first).map(Value::Flags),
            Kind::Percentiles => special::read_percentiles(words).map(Value::Percentiles),
            Kind::ReplicaOf => special::read_replica_of(words).map(Value::ReplicaOf),
            Kind::Line(_) => Ok(Value::Nothing),
        }
    }

    /// As [`Value::read`], for the words of a line of a file: a list may come there as one quoted word
    /// (`save "900 1 300 10"`).
    pub(super) fn read_line(
        key: &Key,
        arguments: &[&[u8]],
        reading: &Reading<'_>,
    ) -> Result<Self, String> {
        match arguments {
            [only] if key.takes_list() && !only.is_empty() => {
                let split = words::split(only).ok_or(words::UNBALANCED)?;
                let parts: Vec<&[u8]> = split.iter().map(Vec::as_slice).collect();
                Self::read(key, &parts, reading)
            }
            all => Self::read(key, all, reading),
        }
    }

    /// The value as CONFIG GET answers it.
    pub(crate) fn show(&self, kind: Kind) -> Vec<u8> {
        match (self, kind) {
            (Value::YesNo(yes), _) => (if *yes { "yes" } else { "no" }).into(),
            (Value::Integer(value), _) => value.to_string().into(),
            (Value::Octal(value), _) => format!("{value:o}").into(),
            (Value::Bytes(value), _) => value.to_string().into(),
            (Value::Percent(value), _) => format!("{value}%").into(),
            (Value::Choice(position), Kind::Choice(choices)) => choices[*position].into(),
            (Value::Flags(bits), Kind::Flags(names)) => show_flags(*bits, names).into(),
            (Value::Flags(bits), _) => special::show_events(*bits).into(),
            (Value::Text(bytes), _) => bytes.clone(),
            (Value::Words(words), _) => words.join(&b' '),
            (Value::Save(points), _) => special::show_save(points).into(),
            (Value::OutputLimits(limits), _) => limits.to_string().into(),
            (Value::OomScores([master, replica, child]), _) => {
                format!("{master} {replica} {child}").into()
            }
            (Value::Percentiles(list), _) => special::show_percentiles(list).into(),
            (Value::ReplicaOf(Some((host, port))), _) => {
                [host.as_slice(), b" ", port.to_string().as_bytes()].concat()
            }
            (Value::ReplicaOf(None) | Value::Nothing, _) => Vec::new(),
            (Value::Choice(_), kind) => {
                unreachable!("a choice is read only for a choice, not {kind:?}")
            }
        }
    }
}

const NOT_AN_INTEGER: &str = "argument couldn't be parsed into an integer";

fn within<T: PartialOrd + std::fmt::Display>(value: T, min: T, max: T) -> Result<T, String> {
    if value < min || value > max {
        return Err(format!(
            "argument must be between {min} and {max} inclusive"
        ));
    }
    Ok(value)
}

fn one_of(words: &[&str]) -> String {
    format!(
        "argument(s) must be one of the following: {}",
        words.join(", ")
    )
}

fn read_yes_no(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(Value::YesNo(true))
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(Value::YesNo(false))
    } else {
        Err("argument must be 'yes' or 'no'".to_owned())
    }
}

fn read_memory_or_percent(word: &[u8], percent_max: i64) -> Result<Value, String> {
    if let Some(bytes) = number::memory(word) {
        return within(bytes, 0, i64::MAX as u64).map(Value::Bytes);
    }
    match number::percent(word) {
        // Redis keeps a percentage as a negative number, so that 0% and 0 bytes are one value.
        Some(0) => Ok(Value::Bytes(0)),
        Some(percent) if percent > percent_max => Err(format!(
            "percentage argument must be less or equal to {percent_max}"
        )),
        Some(percent) => Ok(Value::Percent(percent)),
        None => Err("argument must be a memory or percent value".to_owned()),
    }
}

fn read_flags(names: &[&str], words: &[&[u8]]) -> Result<Value, String> {
    let mut bits = 0;
    for word in words {
        let position = names
            .iter()
            .position(|name| word.eq_ignore_ascii_case(name.as_bytes()))
            .ok_or_else(|| one_of(names))?;
        if position > 0 {
            bits |= 1 << position;
        }
    }
    if words.is_empty() {
        return Err(one_of(names));
    }
    special::check_shutdown_flags(bits, names)?;
    Ok(Value::Flags(bits))
}

fn show_flags(bits: u32, names: &[&str]) -> String {
    let set: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(position, _)| bits & (1 << position) != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        names[0].to_owned()
    } else {
        set.join(" ")
    }
}

/// More workers than this are a mistake: one per core is the most that helps.
pub(super) const WORKERS_MAX: i64 = 512;

fn read_workers(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"auto") {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(Value::Integer((cores as i64).min(WORKERS_MAX)));
    }
    let value = number::integer(word).ok_or(NOT_AN_INTEGER)?;
    within(value, 1, WORKERS_MAX).map(Value::Integer)
}
