//! What is known of a command, in one constant: dispatch, COMMAND DOCS, key extraction and `--help` read it.

use crate::context::{Ctx, Outcome};
use crate::{Args, Engine, Session};

/// Command flags; the names are those that COMMAND INFO reports.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u32);

/// Bits of [`Flags`] and [`Categories`].
macro_rules! bits {
    ($type:ident: $($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        mod bit { #[repr(u32)] pub(super) enum Bit { $($name),* } }
        impl $type {
            $($(#[$doc])* pub const $name: $type = $type(1 << bit::Bit::$name as u32);)*
            /// Names in reporting order.
            pub const NAMES: &'static [($type, &'static str)] = &[$(($type::$name, $text)),*];
        }
    };
}

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Both sets.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    /// Whether all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

mod flags {
    use super::Flags;
    bits! { Flags:
        /// Changes data.
        WRITE = "write",
        /// Reads data.
        READONLY = "readonly",
        /// May add memory.
        DENYOOM = "denyoom",
        /// For administrators.
        ADMIN = "admin",
        /// About messages.
        PUBSUB = "pubsub",
        /// Not in scripts.
        NOSCRIPT = "noscript",
        /// May wait.
        BLOCKING = "blocking",
        /// Allowed while loading.
        LOADING = "loading",
        /// Allowed on a stale replica.
        STALE = "stale",
        /// Not shown to MONITOR.
        SKIP_MONITOR = "skip_monitor",
        /// Not in the slow log.
        SKIP_SLOWLOG = "skip_slowlog",
        /// O(1) or O(log n).
        FAST = "fast",
        /// Allowed without authentication.
        NO_AUTH = "no_auth",
        /// May have an effect though it does not write. Redis does not tell clients of it.
        MAY_REPLICATE = "",
        /// Not while a replica loads beside serving.
        NO_ASYNC_LOADING = "no_async_loading",
        /// The keys that its specs name may be none at all.
        NO_MANDATORY_KEYS = "no_mandatory_keys",
        /// Not inside MULTI.
        NO_MULTI = "no_multi",
        /// Key positions need more than the specs.
        MOVABLEKEYS = "movablekeys",
        /// Allowed while another client's script runs too long.
        ALLOW_BUSY = "allow_busy",
    }
}

/// ACL categories of a command.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Categories(pub u32);

impl Categories {
    /// Both sets.
    pub const fn and(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }
    /// Whether all of `other` are in.
    pub const fn has(self, other: Categories) -> bool {
        self.0 & other.0 == other.0
    }
}

mod categories {
    use super::Categories;
    bits! { Categories:
        /// Any key.
        KEYSPACE = "keyspace",
        /// Reads.
        READ = "read",
        /// Writes.
        WRITE = "write",
        /// Sets.
        SET = "set",
        /// Sorted sets.
        SORTEDSET = "sortedset",
        /// Lists.
        LIST = "list",
        /// Hashes.
        HASH = "hash",
        /// Strings.
        STRING = "string",
        /// Bitmaps.
        BITMAP = "bitmap",
        /// HyperLogLog.
        HYPERLOGLOG = "hyperloglog",
        /// Geo.
        GEO = "geo",
        /// Streams.
        STREAM = "stream",
        /// Messages.
        PUBSUB = "pubsub",
        /// Administration.
        ADMIN = "admin",
        /// Cheap.
        FAST = "fast",
        /// Not cheap.
        SLOW = "slow",
        /// May wait.
        BLOCKING = "blocking",
        /// Can do harm.
        DANGEROUS = "dangerous",
        /// About connections.
        CONNECTION = "connection",
        /// Transactions.
        TRANSACTION = "transaction",
        /// Scripts.
        SCRIPTING = "scripting",
    }
}

/// Where the keys of one key spec begin.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Begin {
    /// At this argument.
    Index(usize),
    /// Behind this word, searched from the given argument on (from the end when negative).
    Keyword(&'static str, i32),
    /// Behind this word, which ends a list of options with so many arguments each. Clients are told to search for the word from the
    /// given argument on, which is true unless an option's argument is that word.
    Options {
        /// The word.
        word: &'static str,
        /// Where clients begin to search.
        from: i32,
        /// Where the options begin.
        first: usize,
        /// The options, and how many arguments each has.
        options: &'static [(&'static str, usize)],
    },
    /// Key specs have no words for it; [`Find`] knows.
    Unknown,
}

/// Which arguments from the beginning on are keys.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Find {
    /// Those up to a last one.
    Range {
        /// The last key, relative to the beginning; negative from the end.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// Above 1: only the first so-manieth part of the arguments.
        limit: usize,
    },
    /// The one at the beginning, unless it is empty: then keys are elsewhere.
    OneUnlessEmpty,
    /// As many as an argument tells.
    Count {
        /// The argument with the number, relative to the beginning.
        count: usize,
        /// The first key, relative to the beginning.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
    /// The argument behind the last option of a name, among options with so many arguments.
    Option {
        /// The name.
        word: &'static str,
        /// Where options begin.
        from: usize,
        /// Other options that have arguments, and how many.
        others: &'static [(&'static str, usize)],
    },
    /// Values name them: [`Scope::Patterns`].
    Values,
}

/// One key spec: where keys are and what happens to them.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct KeySpec {
    /// Where they begin.
    pub begin: Begin,
    /// Which ones.
    pub find: Find,
    /// Flags as COMMAND INFO names them, `RW`, `access`, `update` ...
    pub flags: &'static [&'static str],
}

impl KeySpec {
    /// The key at `index`.
    pub const fn one(index: usize, flags: &'static [&'static str]) -> KeySpec {
        KeySpec {
            begin: Begin::Index(index),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            flags,
        }
    }
    /// All arguments from `index` on, every `step`-th.
    pub const fn rest(index: usize, step: usize, flags: &'static [&'static str]) -> KeySpec {
        KeySpec {
            begin: Begin::Index(index),
            find: Find::Range {
                last: -1,
                step,
                limit: 0,
            },
            flags,
        }
    }

    /// Whether these are keys; shard channels, which go where keys of their names would, are described in the same way.
    pub fn is_of_keys(&self) -> bool {
        !self.flags.contains(&"not_key")
    }

    /// The flags of its keys in a call of `command`: of some they depend on the other arguments.
    pub fn flags_in(&self, command: &Command, args: Args<'_>) -> &'static [&'static str] {
        match command.full_name {
            "set" if !(3..args.len()).any(|i| args.is(i, "get")) => &["OW", "update"],
            "set" => &["RW", "access", "update"],
            "bitfield" if bitfield_reads(args) => &["RO", "access"],
            _ => self.flags,
        }
    }

    /// Calls `f` with the index of every key among `args`; false when the specs don't fit the arguments.
    pub fn for_each(&self, args: Args<'_>, mut f: impl FnMut(usize)) -> bool {
        let len = args.len();
        let start = match self.begin {
            Begin::Index(index) => index,
            Begin::Keyword(word, from) => {
                let found = if from >= 0 {
                    (from as usize..len).find(|&i| args.is(i, word))
                } else {
                    (1..len.saturating_sub(from.unsigned_abs() as usize - 1))
                        .rev()
                        .find(|&i| args.is(i, word))
                };
                match found {
                    Some(i) => i + 1,
                    // Without the keyword the command has no such keys.
                    None => return true,
                }
            }
            Begin::Options {
                word,
                first,
                options,
                ..
            } => {
                let mut i = first;
                while i < len && !args.is(i, word) {
                    match options.iter().find(|(option, _)| args.is(i, option)) {
                        Some((_, skipped)) => i += 1 + skipped,
                        None => i = len,
                    }
                }
                if i >= len {
                    return true;
                }
                i + 1
            }
            Begin::Unknown => 0,
        };
        match self.find {
            Find::Range { last, step, limit } => {
                if start >= len {
                    return false;
                }
                let last = match (last, limit) {
                    (l, _) if l >= 0 => Some(start + l as usize),
                    (-1, limit) if limit > 1 => (start + (len - start) / limit).checked_sub(1),
                    (l, _) => len.checked_sub(l.unsigned_abs() as usize),
                };
                let Some(last) = last.filter(|last| *last >= start) else {
                    return false;
                };
                let mut i = start;
                while i <= last && i < len {
                    f(i);
                    i += step;
                }
                true
            }
            Find::OneUnlessEmpty => match args.get(start) {
                Some(key) => {
                    if !key.is_empty() {
                        f(start);
                    }
                    true
                }
                None => false,
            },
            Find::Count { count, first, step } => {
                let Some(n) = args.get(start + count).and_then(crate::number::parse_i64) else {
                    return false;
                };
                let Ok(n) = usize::try_from(n) else {
                    return false;
                };
                let first = start + first;
                if n == 0 || n > len || first + (n - 1) * step >= len {
                    return false;
                }
                (0..n).for_each(|k| f(first + k * step));
                true
            }
            Find::Option { word, from, others } => {
                let (mut i, mut last) = (from, None);
                while i < len {
                    if let Some((_, skipped)) = others.iter().find(|(word, _)| args.is(i, word)) {
                        i += skipped;
                    } else if args.is(i, word) && i + 1 < len {
                        last = Some(i + 1);
                    }
                    i += 1;
                }
                last.into_iter().for_each(f);
                true
            }
            Find::Values => true,
        }
    }
}

/// Whether BITFIELD has no operation that changes its key.
fn bitfield_reads(args: Args<'_>) -> bool {
    let mut i = 2;
    while i < args.len() {
        i += match () {
            () if args.is(i, "get") => 3,
            () if args.is(i, "overflow") => 2,
            () => return false,
        };
    }
    i == args.len()
}

/// Type of an argument, as COMMAND DOCS names it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum ArgKind {
    /// Any text.
    String,
    /// An integer.
    Integer,
    /// A floating-point number.
    Double,
    /// A key; the number is its key spec.
    Key(usize),
    /// A glob pattern.
    Pattern,
    /// Seconds or milliseconds since 1970.
    UnixTime,
    /// A word that stands for itself.
    Token,
    /// One of the inner arguments.
    OneOf,
    /// The inner arguments together.
    Block,
}

/// One node of the argument tree.
#[derive(Copy, Clone, Debug)]
pub struct Argument {
    /// Name, in lower case with hyphens.
    pub name: &'static str,
    /// Name under which a person sees it, where that is another; else empty.
    pub shown: &'static str,
    /// Type.
    pub kind: ArgKind,
    /// The word before the value, or the word itself; empty for none.
    pub token: &'static str,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Its word is repeated with it.
    pub multiple_token: bool,
    /// Version that had it first, where that is later than the command's; else empty.
    pub since: &'static str,
    /// Inner arguments of [`ArgKind::OneOf`] and [`ArgKind::Block`].
    pub inner: &'static [Argument],
}

impl Argument {
    /// A plain argument.
    pub const fn new(name: &'static str, kind: ArgKind) -> Argument {
        Argument {
            name,
            shown: "",
            kind,
            token: "",
            optional: false,
            multiple: false,
            multiple_token: false,
            since: "",
            inner: &[],
        }
    }
    /// The key of key spec 0.
    pub const KEY: Argument = Argument::new("key", ArgKind::Key(0));
    /// A word.
    pub const fn token(name: &'static str, token: &'static str) -> Argument {
        Argument {
            token,
            ..Argument::new(name, ArgKind::Token)
        }
    }
    /// A choice.
    pub const fn one_of(name: &'static str, inner: &'static [Argument]) -> Argument {
        Argument {
            inner,
            ..Argument::new(name, ArgKind::OneOf)
        }
    }
    /// A group.
    pub const fn block(name: &'static str, inner: &'static [Argument]) -> Argument {
        Argument {
            inner,
            ..Argument::new(name, ArgKind::Block)
        }
    }
    /// With a word before it.
    pub const fn with_token(self, token: &'static str) -> Argument {
        Argument { token, ..self }
    }
    /// Shown under another name.
    pub const fn shown_as(self, shown: &'static str) -> Argument {
        Argument { shown, ..self }
    }
    /// Added to the command by this version.
    pub const fn since(self, version: &'static str) -> Argument {
        Argument {
            since: version,
            ..self
        }
    }
    /// May be left out.
    pub const fn optional(self) -> Argument {
        Argument {
            optional: true,
            ..self
        }
    }
    /// May be repeated.
    pub const fn multiple(self) -> Argument {
        Argument {
            multiple: true,
            ..self
        }
    }
    /// May be repeated, its word each time.
    pub const fn multiple_with_token(self) -> Argument {
        Argument {
            multiple_token: true,
            ..self.multiple()
        }
    }
}

/// What a command locks.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Nothing.
    Nothing,
    /// The stripes of the keys that its specs name.
    Keys,
    /// The same, or every stripe where BY or GET of SORT have patterns by which values name further keys.
    Patterns,
    /// Every stripe.
    All,
    /// Nothing by itself: its continuation locks a stripe at a time; inside a transaction every stripe.
    Stepwise,
    /// The stripes of the keys that a script declares, or every stripe if it is known to touch others.
    Script,
    /// The stripes of the queued and watched keys.
    Transaction,
    /// The stripes of the watched keys.
    Watched,
}

/// Whether arguments have such patterns; now and then true of those that have not.
pub(crate) fn has_patterns(args: Args<'_>) -> bool {
    let is_pattern = |i: usize| args.is(i, "by") || args.is(i, "get");
    (2..args.len()).any(|i| is_pattern(i - 1) && args.at(i).contains(&b'*'))
}

/// Runs a command whose arity, state and locks have been seen to.
pub type Handler = fn(&mut Ctx<'_>) -> Outcome;

/// One command or subcommand.
#[derive(Debug)]
pub struct Command {
    /// Name in lower case; of a subcommand only its own part.
    pub name: &'static str,
    /// Name in lower case with the container's before it: `config|get`.
    pub full_name: &'static str,
    /// Number of arguments with the name; negative: at least.
    pub arity: i32,
    /// Flags.
    pub flags: Flags,
    /// ACL categories.
    pub categories: Categories,
    /// Key specs.
    pub keys: &'static [KeySpec],
    /// What is locked.
    pub scope: Scope,
    /// Command group: `string`, `generic` ...
    pub group: &'static str,
    /// Version of Redis that had it first.
    pub since: &'static str,
    /// Complexity.
    pub complexity: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// What COMMAND INFO hints to clients and proxies: `nondeterministic_output`, `request_policy:all_shards` ...
    pub tips: &'static [&'static str],
    /// What changed since it was added: version and change.
    pub history: &'static [(&'static str, &'static str)],
    /// The version that deprecated it, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Argument tree.
    pub arguments: &'static [Argument],
    /// Subcommands of a container.
    pub subcommands: &'static [&'static Command],
    /// About how many elements a call touches; above [`crate::dispatch::HEAVY_ELEMENTS`] it runs on the auxiliary
    /// thread. `None`: few, or the handler knows only when it sees the values: [`crate::Flow::Heavy`].
    pub weight: Option<fn(&Engine, &Session, Args<'_>) -> u64>,
    /// The handler.
    pub handler: Handler,
}

impl Command {
    /// What a constant starts from: a read of the key at 1.
    pub const BASE: Command = Command {
        name: "",
        full_name: "",
        arity: 1,
        flags: Flags::NONE,
        categories: Categories(0),
        keys: &[],
        scope: Scope::Nothing,
        group: "generic",
        since: "1.0.0",
        complexity: "O(1)",
        summary: "",
        tips: &[],
        history: &[],
        deprecated: None,
        arguments: &[],
        subcommands: &[],
        weight: None,
        handler: container,
    };

    /// A subcommand that begins as its family does. `full_name` has the container's name before it.
    pub const fn subcommand(
        self,
        name: &'static str,
        full_name: &'static str,
        handler: Handler,
    ) -> Command {
        Command {
            name,
            full_name,
            handler,
            ..self
        }
    }

    /// Whether it is a subcommand that clients are not told of, since Redis has the container alone: it goes by the
    /// container's full name.
    pub fn is_hidden(&self) -> bool {
        self.full_name != self.name && !self.full_name.contains('|')
    }

    /// The subcommands that clients are told of.
    pub fn shown_subcommands(&self) -> impl Iterator<Item = &'static Command> + Clone + use<> {
        let subcommands = self.subcommands.iter().copied();
        subcommands.filter(|subcommand| !subcommand.is_hidden())
    }

    /// Whether `count` arguments fit.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        if self.arity >= 0 {
            count == self.arity as usize
        } else {
            count >= self.arity.unsigned_abs() as usize
        }
    }

    /// Whether it locks what one key needs, and no more.
    #[inline]
    pub fn has_one_key(&self) -> bool {
        matches!(
            (self.scope, self.keys),
            (
                Scope::Keys,
                [KeySpec {
                    find: Find::Range { last: 0, .. },
                    ..
                }]
            )
        )
    }

    /// Index of its first key, if that is at a fixed place.
    #[inline]
    pub fn first_key(&self) -> Option<usize> {
        match (self.scope, self.keys) {
            (
                Scope::Keys,
                [
                    KeySpec {
                        begin: Begin::Index(i),
                        ..
                    },
                    ..,
                ],
            ) => Some(*i),
            _ => None,
        }
    }
}

/// The handler of a container called without a known subcommand; dispatch answers before it gets here.
fn container(cx: &mut Ctx<'_>) -> Outcome {
    Err(crate::ReplyError::unknown_subcommand(
        cx.command.name,
        cx.args.get(1).unwrap_or_default(),
    ))
}
