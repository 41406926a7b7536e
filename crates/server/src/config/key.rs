//! What a configuration key is: one row of the table, and how rows are written.
//!
//! Invariant: a row is constant data. Everything that anyone says about a key (its parser, CONFIG GET and SET, the
//! start-up warning, docs/configuration.md) is read from its row; nothing is said twice.
//! It does not hold values: those live in [`Config`](super::Config).

/// What may stand as the value of a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A decimal integer, both bounds inclusive.
    Integer {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// File permissions in octal, at most this value.
    Octal {
        /// Largest value allowed.
        max: u32,
    },
    /// A number of bytes with an optional unit (`1k` is 1000, `1kb` is 1024), both bounds inclusive.
    Memory {
        /// Smallest value allowed, bytes.
        min: u64,
        /// Largest value allowed, bytes.
        max: u64,
    },
    /// Bytes as in [`Kind::Memory`], or a percentage (`5%`) of `maxmemory`.
    MemoryOrPercent {
        /// Largest percentage allowed.
        percent_max: i64,
    },
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Any of these words together; the first one means none of the others.
    Flags(&'static [&'static str]),
    /// Bytes that pass this check.
    Text(fn(&[u8]) -> Result<(), &'static str>),
    /// A directory that exists.
    Directory,
    /// The number of worker threads: an integer, or `auto` for one per core.
    Workers,
    /// Addresses to listen on; a leading `-` marks one that may be missing.
    Bind,
    /// Pairs of seconds and changes.
    Save,
    /// Groups of client class, hard limit, soft limit, seconds.
    OutputLimits,
    /// Three numbers: master, replica, background child.
    OomScores,
    /// Event class letters.
    Events,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Host and port, or `no one`.
    ReplicaOf,
    /// A line of the file that is not a value which CONFIG GET could show.
    Line(Line),
}

/// Lines of the file that are instructions rather than values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// `include <path or pattern>`.
    Include,
    /// `rename-command <name> <new name>`.
    RenameCommand,
    /// `user <name> <rules>...`.
    User,
    /// `loadmodule <path> <arguments>...`.
    LoadModule,
    /// A Sentinel directive: never valid in this server.
    Sentinel,
    /// Withdrawn by Redis, which still skips such a line.
    Obsolete,
}

/// When a key may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By CONFIG SET, too.
    AnyTime,
    /// By CONFIG SET, if `enable-protected-configs` lets this client.
    Protected,
    /// In the file or on the command line only.
    AtStart,
}

/// What this server does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The value has the effect that the documentation promises.
    Acted,
    /// The value is checked, kept and shown, and has no effect yet.
    Accepted,
    /// The value is checked, kept and shown; the design leaves nothing for it to do.
    Moot,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Canonical name, lower case.
    pub name: &'static str,
    /// A second name with the same meaning, shown by CONFIG GET as Redis does.
    pub alias: Option<&'static str>,
    /// Type and range.
    pub kind: Kind,
    /// Default as it would stand in the file.
    pub default: &'static str,
    /// When it may change.
    pub change: Change,
    /// What we do with it.
    pub status: Status,
    /// The value of a key not acted on that asks for nothing: given, it is not worth a warning.
    pub idle: Option<&'static str>,
    /// CONFIG SET refuses anything but `idle`, with this reason: saying OK would promise what is not built.
    pub refusal: Option<&'static str>,
    /// The refusal holds in a file as well: the server does not start.
    pub fatal: bool,
    /// CONFIG SET of the value that it has is followed, too: what it names may have changed.
    pub volatile: bool,
    /// Not in Redis: CONFIG SET of the value that it has is no error even where it can't change, so that programs which
    /// write back all that they read go on working.
    pub ours: bool,
    /// What the operator must know when this key is given and not acted on; shown in the start-up warning.
    pub missing: Option<&'static str>,
    /// Left out of CONFIG GET with a pattern, as Redis does for its test hooks.
    pub hidden: bool,
    /// Never written to a log.
    pub secret: bool,
    /// What it means, for docs/configuration.md.
    pub doc: &'static str,
}

impl Key {
    /// True for keys that take a list of arguments in the file.
    pub const fn takes_list(&self) -> bool {
        matches!(
            self.kind,
            Kind::Flags(_)
                | Kind::Bind
                | Kind::Save
                | Kind::OutputLimits
                | Kind::OomScores
                | Kind::Percentiles
                | Kind::ReplicaOf
        )
    }

    /// True for keys that hold a value; false for lines such as `include`.
    pub const fn holds_value(&self) -> bool {
        !matches!(self.kind, Kind::Line(_))
    }

    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self {
            name,
            alias: None,
            kind,
            default,
            change: Change::AnyTime,
            status: Status::Accepted,
            idle: None,
            refusal: None,
            fatal: false,
            volatile: false,
            ours: false,
            missing: None,
            hidden: false,
            secret: false,
            doc: "",
        }
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn acted(mut self) -> Self {
        self.status = Status::Acted;
        self
    }

    pub(super) const fn moot(mut self) -> Self {
        self.status = Status::Moot;
        self
    }

    pub(super) const fn idle(mut self, value: &'static str) -> Self {
        self.idle = Some(value);
        self
    }

    pub(super) const fn refused(mut self, idle: &'static str, reason: &'static str) -> Self {
        self.idle = Some(idle);
        self.refusal = Some(reason);
        self
    }

    /// As [`Key::refused`], in a file as well.
    pub(super) const fn fatal(mut self, idle: &'static str, reason: &'static str) -> Self {
        self.fatal = true;
        self.refused(idle, reason)
    }

    pub(super) const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    pub(super) const fn ours(mut self) -> Self {
        self.ours = true;
        self
    }

    pub(super) const fn missing(mut self, consequence: &'static str) -> Self {
        self.missing = Some(consequence);
        self
    }

    pub(super) const fn at_start(mut self) -> Self {
        self.change = Change::AtStart;
        self
    }

    pub(super) const fn protected(mut self) -> Self {
        self.change = Change::Protected;
        self
    }

    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

/// Largest value of a C `int`, the bound of many of Redis's keys.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

pub(super) const fn yes_no(name: &'static str, default: &'static str) -> Key {
    Key::new(name, Kind::YesNo, default)
}

pub(super) const fn integer(name: &'static str, default: &'static str, min: i64, max: i64) -> Key {
    Key::new(name, Kind::Integer { min, max }, default)
}

pub(super) const fn memory(name: &'static str, default: &'static str, min: u64, max: u64) -> Key {
    Key::new(name, Kind::Memory { min, max }, default)
}

pub(super) const fn choice(
    name: &'static str,
    default: &'static str,
    words: &'static [&'static str],
) -> Key {
    Key::new(name, Kind::Choice(words), default)
}

pub(super) const fn text(name: &'static str, default: &'static str) -> Key {
    Key::new(name, Kind::Text(super::special::any_text), default)
}

pub(super) const fn checked_text(
    name: &'static str,
    default: &'static str,
    check: fn(&[u8]) -> Result<(), &'static str>,
) -> Key {
    Key::new(name, Kind::Text(check), default)
}

pub(super) const fn special(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key::new(name, kind, default)
}

pub(super) const fn line(name: &'static str, line: Line) -> Key {
    Key::new(name, Kind::Line(line), "").at_start()
}
