//! Every error that a command answers with, in Redis's exact words.

use std::borrow::Cow;

/// An error reply. `Display` gives the text after the `-`, code first.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplyError {
    /// The key holds another type.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// Options that don't go together or are unknown.
    #[error("ERR syntax error")]
    Syntax,
    /// An argument or value is no 64-bit integer.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// An argument or value is no number.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// INCRBYFLOAT ended at infinity or no number.
    #[error("ERR increment would produce NaN or Infinity")]
    IncrementNotFinite,
    /// INCR past 64 bits.
    #[error("ERR increment or decrement would overflow")]
    IncrementOverflow,
    /// DECRBY of the smallest integer.
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    /// A source key does not exist.
    #[error("ERR no such key")]
    NoSuchKey,
    /// An index outside its range.
    #[error("ERR index out of range")]
    IndexOutOfRange,
    /// SETRANGE before the start.
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    /// A string past `proto-max-bulk-len`.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    /// A number outside its range.
    #[error("ERR value is out of range")]
    OutOfRange,
    /// A database number outside the configured ones.
    #[error("ERR DB index is out of range")]
    DatabaseOutOfRange,
    /// A number outside 32 bits where a C `int` is meant.
    #[error("ERR value is out of range, value must between -2147483648 and 2147483647")]
    NotInt32,
    /// A count whose sign means something and that cannot change it.
    #[error(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    )]
    NotNegatable,
    /// SWAPDB whose first database is no number.
    #[error("ERR invalid first DB index")]
    InvalidFirstDatabase,
    /// SWAPDB whose second database is no number.
    #[error("ERR invalid second DB index")]
    InvalidSecondDatabase,
    /// An expire time that is not positive or overflows, of the named command.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(&'static str),
    /// NX of the EXPIRE family together with another condition.
    #[error("ERR NX and XX, GT or LT options at the same time are not compatible")]
    ExpireNxWithOthers,
    /// GT and LT of the EXPIRE family together.
    #[error("ERR GT and LT options at the same time are not compatible")]
    ExpireGtWithLt,
    /// An unknown option of the EXPIRE family.
    #[error("ERR Unsupported option {0}")]
    UnsupportedOption(String),
    /// OBJECT FREQ while no access frequencies are kept.
    #[error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust."
    )]
    NoFrequencies,
    /// Something that the user may not do, with what that is.
    #[error("NOPERM {0}")]
    NoPermission(String),
    /// Data is being loaded.
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    /// A command that needs memory when there is none.
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    /// A write while snapshots fail.
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data \
         set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails \
         (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
    )]
    SnapshotsFail,
    /// What was written may be lost, or a write while that is so: the append-only file can't be written, with what the system said.
    #[error("MISCONF Errors writing to the AOF file: {0}")]
    LogFailed(String),
    /// OBJECT IDLETIME where the clocks count accesses.
    #[error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at \
         runtime LRU and LFU data will take some time to adjust."
    )]
    NoIdleTimes,
    /// COMMAND GETKEYS of something that is no command.
    #[error("ERR Invalid command specified")]
    GetKeysUnknownCommand,
    /// COMMAND GETKEYS of a command without keys.
    #[error("ERR The command has no key arguments")]
    GetKeysNoKeys,
    /// COMMAND GETKEYS with a wrong number of arguments of that command.
    #[error("ERR Invalid number of arguments specified for command")]
    GetKeysWrongArity,
    /// COMMAND GETKEYS with arguments that its key specs don't fit.
    #[error("ERR Invalid arguments specified for command")]
    GetKeysInvalidArguments,
    /// A subcommand that exists, called in a way that it does not know: the subcommand and its container.
    #[error("ERR unknown subcommand or wrong number of arguments for '{0}'. Try {1} HELP.")]
    SubcommandSyntax(String, String),
    /// FUNCTION LIST with another option.
    #[error("ERR Unknown argument {0}")]
    UnknownArgument(String),
    /// FUNCTION LIST LIBRARYNAME without the name.
    #[error("ERR library name argument was not given")]
    LibraryNameMissing,
    /// FUNCTION FLUSH with another mode.
    #[error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")]
    FunctionFlushMode,
    /// SCRIPT FLUSH with another mode.
    #[error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")]
    ScriptFlushMode,
    /// A wrong number of arguments; the name is the full one (`config|get`).
    #[error("ERR wrong number of arguments for '{0}' command")]
    WrongArity(&'static str),
    /// A command that a subscriber in RESP2 may not send; the name is the full one.
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )]
    OnlyListens(&'static str),
    /// RESTORE without REPLACE of a key that exists.
    #[error("BUSYKEY Target key name already exists.")]
    BusyKey,
    /// RESTORE with a negative time to live.
    #[error("ERR Invalid TTL value, must be >= 0")]
    InvalidTtl,
    /// RESTORE with a negative idle time.
    #[error("ERR Invalid IDLETIME value, must be >= 0")]
    InvalidIdleTime,
    /// RESTORE with an access frequency that takes more than a byte.
    #[error("ERR Invalid FREQ value, must be >= 0 and <= 255")]
    InvalidFrequency,
    /// RESTORE of what no DUMP of a known version gave.
    #[error("ERR DUMP payload version or checksum are wrong")]
    DumpFooter,
    /// RESTORE of a payload whose value is not consistent.
    #[error("ERR Bad data format")]
    BadDataFormat,
    /// EVALSHA of a script that is not known.
    #[error("NOSCRIPT No matching script. Please use EVAL.")]
    NoScript,
    /// SCRIPT KILL of nothing.
    #[error("NOTBUSY No scripts in execution right now.")]
    NotBusy,
    /// A script takes long and holds what the command needs; SCRIPT KILL ends it.
    #[error(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
    )]
    BusyScript,
    /// The same of a function and FUNCTION KILL.
    #[error(
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    )]
    BusyFunction,
    /// The session owes a password.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    /// A wrong user or password.
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPass,
    /// EXEC of a transaction in which queueing failed.
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    /// EXEC that was refused before it ran, with the refusal's text.
    #[error("EXECABORT Transaction discarded because of: {0}")]
    ExecRefused(String),
    /// What a command of a script failed with, which the script hands on: it has been counted there, the script's own failure has not.
    #[error("{0}")]
    HandedOn(String),
    /// EXEC RB of a transaction in which a command failed, with that command's error.
    #[error("EXECABORT Transaction rolled back: {0}")]
    RolledBack(String),
    /// A wait that CLIENT UNBLOCK ended.
    #[error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    Unblocked,
    /// MULTI in MULTI.
    #[error("ERR MULTI calls can not be nested")]
    NestedMulti,
    /// WATCH in MULTI.
    #[error("ERR WATCH inside MULTI is not allowed")]
    WatchInMulti,
    /// EXEC without MULTI.
    #[error("ERR EXEC without MULTI")]
    ExecWithoutMulti,
    /// DISCARD without MULTI.
    #[error("ERR DISCARD without MULTI")]
    DiscardWithoutMulti,
    /// SCAN with a cursor that is no number.
    #[error("ERR invalid cursor")]
    InvalidCursor,
    /// MOVE or COPY onto itself.
    #[error("ERR source and destination objects are the same")]
    SameObject,
    /// HELLO with another version.
    #[error("NOPROTO unsupported protocol version")]
    NoProto,
    /// A string that is no HyperLogLog.
    #[error("WRONGTYPE Key is not a valid HyperLogLog string value.")]
    NotHyperLogLog,
    /// A HyperLogLog whose registers make no sense.
    #[error("INVALIDOBJ Corrupted HLL object detected")]
    CorruptedHyperLogLog,
    /// Any other text, code first.
    #[error("{0}")]
    Text(Cow<'static, str>),
}

impl ReplyError {
    /// An error of code `ERR` with this text.
    pub fn err(text: impl AsRef<str>) -> ReplyError {
        ReplyError::Text(Cow::Owned(format!("ERR {}", text.as_ref())))
    }

    /// The code: the first word.
    pub fn code(&self) -> String {
        self.to_string()
            .split(' ')
            .next()
            .unwrap_or("ERR")
            .to_owned()
    }

    /// An unknown command, with the beginning of its arguments.
    pub fn unknown_command(args: crate::Args<'_>) -> ReplyError {
        /// Bytes shown of the name and, together, of the arguments.
        const SHOWN_BYTES: usize = 128;
        let shown = |bytes: &[u8], max: usize| {
            String::from_utf8_lossy(&bytes[..bytes.len().min(max)]).into_owned()
        };
        let mut rest = String::new();
        for arg in args.from(1) {
            if rest.len() >= SHOWN_BYTES {
                break;
            }
            rest.push_str(&format!("'{}' ", shown(arg, SHOWN_BYTES - rest.len())));
        }
        let name = shown(args.get(0).unwrap_or_default(), SHOWN_BYTES);
        ReplyError::err(format!(
            "unknown command '{name}', with args beginning with: {rest}"
        ))
    }

    /// A subcommand of these arguments with too many or unknown arguments of its own.
    pub fn subcommand_syntax(args: crate::Args<'_>) -> ReplyError {
        let shown =
            |i: usize| String::from_utf8_lossy(args.get(i).unwrap_or_default()).into_owned();
        let subcommand = shown(1).chars().take(128).collect();
        ReplyError::SubcommandSyntax(subcommand, shown(0).to_ascii_uppercase())
    }

    /// An unknown subcommand of a container command such as CONFIG.
    pub fn unknown_subcommand(container: &str, subcommand: &[u8]) -> ReplyError {
        let shown = String::from_utf8_lossy(&subcommand[..subcommand.len().min(128)]).into_owned();
        ReplyError::err(format!(
            "unknown subcommand '{shown}'. Try {} HELP.",
            container.to_ascii_uppercase()
        ))
    }
}
