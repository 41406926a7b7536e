//! What blocking commands have in common: their timeouts, and how they wait.

use std::ops::Range;

use dunlin_store::ValueType;
use dunlin_store::blocked::Wanted;

use crate::context::Block;
use crate::number::{parse_double, parse_i64};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// When a command gives up whose timeout is an argument in seconds, with a fraction; milliseconds since 1970. 0 seconds: never.
pub fn deadline_of_seconds(cx: &Ctx<'_>, index: usize) -> Result<Option<u64>, ReplyError> {
    let seconds = parse_double(cx.args.at(index))
        .ok_or_else(|| ReplyError::err("timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    if ms > i64::MAX as f64 {
        return Err(ReplyError::err("timeout is out of range"));
    }
    deadline(cx, ms as i64)
}

/// The same for milliseconds.
pub fn deadline_of_ms(cx: &Ctx<'_>, index: usize) -> Result<Option<u64>, ReplyError> {
    let ms = parse_i64(cx.args.at(index))
        .ok_or_else(|| ReplyError::err("timeout is not an integer or out of range"))?;
    deadline(cx, ms)
}

fn deadline(cx: &Ctx<'_>, ms: i64) -> Result<Option<u64>, ReplyError> {
    let ms = u64::try_from(ms).map_err(|_| ReplyError::err("timeout is negative"))?;
    if ms == 0 {
        return Ok(None);
    }
    let at = cx.keys.now_ms() + ms;
    if i64::try_from(at).is_err() {
        return Err(ReplyError::err("timeout is out of range"));
    }
    Ok(Some(at))
}

/// Waits until one of the keys among the arguments is of a type, or answers a null array at once where nothing may wait.
pub fn wait(
    cx: &mut Ctx<'_>,
    keys: Range<usize>,
    kind: ValueType,
    deadline_ms: Option<u64>,
) -> Outcome {
    if !cx.may_block() {
        cx.reply.null_array();
        return Ok(Flow::Done);
    }
    Ok(Flow::Block(Box::new(Block {
        keys: keys.collect(),
        wanted: Wanted {
            kind,
            or_loss: false,
        },
        deadline_ms,
        nothing: |reply| reply.null_array(),
        until_safe: None,
        args: None,
    })))
}
