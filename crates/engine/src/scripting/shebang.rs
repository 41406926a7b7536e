//! The first line of a script that begins with `#!`: `#!lua flags=no-writes,allow-oom`, of a library `#!lua name=mylib`.

use crate::error::ReplyError;

/// What a script says about itself.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It never writes.
    pub const NO_WRITES: ScriptFlags = ScriptFlags(1);
    /// It may run while memory is short.
    pub const ALLOW_OOM: ScriptFlags = ScriptFlags(2);
    /// It may run on a stale replica.
    pub const ALLOW_STALE: ScriptFlags = ScriptFlags(4);
    /// It does not run in a cluster.
    pub const NO_CLUSTER: ScriptFlags = ScriptFlags(8);
    /// Its keys may be of several slots.
    pub const ALLOW_CROSS_SLOT: ScriptFlags = ScriptFlags(16);
    /// It says nothing at all: it may do what scripts could before there were flags.
    pub const COMPATIBLE: ScriptFlags = ScriptFlags(32);

    /// The flags that have names, as Redis reports them.
    pub const NAMES: [(ScriptFlags, &'static str); 5] = [
        (ScriptFlags::NO_WRITES, "no-writes"),
        (ScriptFlags::ALLOW_OOM, "allow-oom"),
        (ScriptFlags::ALLOW_STALE, "allow-stale"),
        (ScriptFlags::NO_CLUSTER, "no-cluster"),
        (ScriptFlags::ALLOW_CROSS_SLOT, "allow-cross-slot-keys"),
    ];

    /// Whether all of `other` are set.
    #[inline]
    pub const fn has(self, other: ScriptFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets.
    pub const fn and(self, other: ScriptFlags) -> ScriptFlags {
        ScriptFlags(self.0 | other.0)
    }

    /// The flag of this name.
    pub fn named(name: &[u8]) -> Option<ScriptFlags> {
        let mut names = ScriptFlags::NAMES.iter();
        let (flag, _) = names.find(|(_, known)| known.as_bytes() == name)?;
        Some(*flag)
    }
}

/// The parts of a shebang line behind the engine's name, and where the script goes on: at the line's end, so that lines keep their numbers.
pub(super) struct Shebang {
    /// `name=value` each.
    pub options: Vec<Vec<u8>>,
    /// Bytes of the line, its end not counted.
    pub len: usize,
    /// The engine, without `#!`.
    pub engine: Vec<u8>,
}

/// Reads the first line; `None` if it is no shebang line.
pub(super) fn read(source: &[u8]) -> Result<Option<Shebang>, ReplyError> {
    if !source.starts_with(b"#!") {
        return Ok(None);
    }
    let Some(len) = source.iter().position(|&byte| byte == b'\n') else {
        return Err(ReplyError::err("Invalid script shebang"));
    };
    let parts = dunlin_resp::split_words(&source[..len]).ok();
    let Some((first, options)) = parts.as_deref().and_then(|parts| parts.split_first()) else {
        return Err(ReplyError::err("Invalid engine in script shebang"));
    };
    Ok(Some(Shebang {
        options: options.to_vec(),
        len,
        engine: first[2..].to_vec(),
    }))
}

/// What a script of EVAL says about itself, and where it begins.
pub(super) fn of_script(source: &[u8]) -> Result<(ScriptFlags, usize), ReplyError> {
    let Some(shebang) = read(source)? else {
        return Ok((ScriptFlags::COMPATIBLE, 0));
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if shebang.engine != b"lua" {
        return Err(ReplyError::err(format!(
            "Unexpected engine in script shebang: #!{}",
            text(&shebang.engine)
        )));
    }
    let mut flags = ScriptFlags::default();
    for option in &shebang.options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(ReplyError::err(format!(
                "Unknown lua shebang option: {}",
                text(option)
            )));
        };
        for name in names.split(|&byte| byte == b',') {
            if names.is_empty() {
                break;
            }
            flags = flags.and(ScriptFlags::named(name).ok_or_else(|| {
                ReplyError::err(format!("Unexpected flag in script shebang: {}", text(name)))
            })?);
        }
    }
    Ok((flags, shebang.len))
}
