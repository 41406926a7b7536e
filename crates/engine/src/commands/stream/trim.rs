//! Options of XADD and XTRIM: to what the stream is trimmed. Also what is recorded of it: what was done exactly.

use dunlin_store::stream::{Id, Remains, Stream, Trim, TrimTo};
use smallvec::SmallVec;

use super::id::{self, NewId};
use super::integer;
use crate::command::{ArgKind, Argument};
use crate::{Args, Ctx, ReplyError};

/// Blocks that an approximate trim without LIMIT may remove.
const BLOCKS_MAX: i64 = 100;
/// Entries that it may remove at most, and where the entries of a block are not limited.
const ENTRIES_MAX: i64 = 1_000_000;
const ENTRIES_UNLESS_LIMITED: i64 = 10_000;

/// The trimming part of the argument trees.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::one_of(
        "strategy",
        &[
            Argument::token("maxlen", "MAXLEN"),
            Argument::token("minid", "MINID").since("6.2.0"),
        ],
    ),
    Argument::one_of(
        "operator",
        &[
            Argument::token("equal", "="),
            Argument::token("approximately", "~"),
        ],
    )
    .optional(),
    Argument::new("threshold", ArgKind::String),
    Argument::new("count", ArgKind::Integer)
        .with_token("LIMIT")
        .optional()
        .since("6.2.0"),
];

/// What the options say.
pub(super) struct Options {
    pub(super) trim: Option<Trim>,
    /// XADD: no stream is made.
    pub(super) no_mkstream: bool,
    /// XADD: the id of the entry, and where it stands.
    pub(super) id: NewId,
    pub(super) id_at: usize,
    /// Where the threshold stands.
    threshold_at: usize,
    /// Where LIMIT stands.
    limit_at: Option<usize>,
}

/// Reads the options up to the id, or, of XTRIM, the end.
pub(super) fn parse(cx: &Ctx<'_>, is_xadd: bool) -> Result<Options, ReplyError> {
    let args = cx.args;
    let mut options = Options {
        trim: None,
        no_mkstream: false,
        id: NewId::Auto,
        id_at: args.len(),
        threshold_at: 0,
        limit_at: None,
    };
    let (mut limit, mut i) = (0, 2);
    while i < args.len() {
        let has_more = i + 1 < args.len();
        if is_xadd && args.at(i) == b"*" {
            options.id_at = i;
            break;
        } else if has_more && (args.is(i, "maxlen") || args.is(i, "minid")) {
            if options.trim.is_some() {
                return Err(ReplyError::err(
                    "syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            let is_maxlen = args.is(i, "maxlen");
            let operator = args.at(i + 1);
            let has_operator = i + 2 < args.len() && matches!(operator, b"~" | b"=");
            i += 1 + usize::from(has_operator);
            options.threshold_at = i;
            options.trim = Some(Trim {
                to: threshold(args.at(i), is_maxlen)?,
                approximate: has_operator && operator == b"~",
                limit: 0,
            });
        } else if has_more && args.is(i, "limit") {
            options.limit_at = Some(i);
            i += 1;
            limit = integer(args.at(i))?;
            if limit < 0 {
                return Err(ReplyError::err("The LIMIT argument must be >= 0."));
            }
        } else if is_xadd && args.is(i, "nomkstream") {
            options.no_mkstream = true;
        } else if is_xadd {
            options.id = NewId::parse(args.at(i))?;
            options.id_at = i;
            break;
        } else {
            return Err(ReplyError::Syntax);
        }
        i += 1;
    }
    if limit > 0 && options.trim.is_none() {
        return Err(ReplyError::err(
            "syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ));
    }
    if !is_xadd && options.trim.is_none() {
        return Err(ReplyError::err(
            "syntax error, XTRIM must be called with a trimming strategy",
        ));
    }
    if cx.session.replaying {
        // What an effect says is what was done.
        return Ok(options);
    }
    let is_approximate = options.trim.is_some_and(|trim| trim.approximate);
    if options.limit_at.is_some() && !is_approximate {
        return Err(ReplyError::err(
            "syntax error, LIMIT cannot be used without the special ~ option",
        ));
    }
    if options.limit_at.is_none() && is_approximate {
        limit = match cx.engine.encodings.stream_blocks().entries as i64 {
            entries if entries <= 0 => ENTRIES_UNLESS_LIMITED,
            entries => entries.saturating_mul(BLOCKS_MAX).min(ENTRIES_MAX),
        };
    }
    if let Some(trim) = &mut options.trim {
        trim.limit = limit as u64;
    }
    Ok(options)
}

fn threshold(text: &[u8], is_maxlen: bool) -> Result<TrimTo, ReplyError> {
    if !is_maxlen {
        return id::strict(text).map(TrimTo::MinId);
    }
    match u64::try_from(integer(text)?) {
        Ok(len) => Ok(TrimTo::Len(len)),
        Err(_) => Err(ReplyError::err("The MAXLEN argument must be >= 0.")),
    }
}

/// What became of a stream that was trimmed.
pub(super) struct Trimmed {
    pub(super) removed: u64,
    pub(super) remains: Option<Remains>,
    /// What an approximate trim came to, as a threshold.
    reached: Vec<u8>,
}

impl Options {
    /// About how many blocks the trim looks at.
    pub(super) fn effort(&self, stream: &Stream) -> usize {
        self.trim.map_or(0, |trim| stream.trim_effort(trim))
    }

    /// Trims a stream, if it is to be trimmed.
    pub(super) fn apply(&self, stream: &mut Stream) -> Option<Trimmed> {
        let trim = self.trim?;
        let (removed, remains) = stream.trim(trim);
        let reached = match trim.to {
            _ if !trim.approximate => Vec::new(),
            TrimTo::Len(_) => stream.len().to_string().into_bytes(),
            TrimTo::MinId(_) => {
                let first = stream.first().unwrap_or(Id::MAX);
                first.text().as_bytes().to_vec()
            }
        };
        Some(Trimmed {
            removed,
            remains,
            reached,
        })
    }

    /// The command as it is recorded: an approximate trim as the exact one that it was.
    pub(super) fn effect<'x>(
        &self,
        args: Args<'x>,
        id: &'x [u8],
        trimmed: Option<&'x Trimmed>,
    ) -> SmallVec<[&'x [u8]; 16]> {
        let exact = trimmed.filter(|trimmed| !trimmed.reached.is_empty());
        let mut effect = SmallVec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let is_limit = self.limit_at.is_some_and(|at| i == at || i == at + 1);
            match exact {
                _ if is_limit => {}
                Some(_) if i + 1 == self.threshold_at => effect.push(&b"="[..]),
                Some(exact) if i == self.threshold_at => effect.push(exact.reached.as_slice()),
                _ if i == self.id_at => effect.push(id),
                _ => effect.push(arg),
            }
        }
        effect
    }
}
