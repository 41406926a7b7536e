//! The commands that a lane sends.
//!
//! Invariant: each function appends one whole request, made of nothing but bulk strings.

use dunlin_frame::Id;
use dunlin_resp::reply::{array, bulk, bulk_integer, request};

use crate::settings::Login;

/// AUTH and SELECT, as far as they are needed; how many replies there will be.
pub(crate) fn login(out: &mut Vec<u8>, login: &Login) -> usize {
    let mut replies = 0;
    if let Some(password) = &login.password {
        match &login.user {
            Some(user) => request(out, &[b"AUTH", &user[..], password]),
            None => request(out, &[b"AUTH", &password[..]]),
        }
        replies += 1;
    }
    if login.database > 0 {
        array(out, 2);
        bulk(out, b"SELECT");
        bulk_integer(out, i64::from(login.database));
        replies += 1;
    }
    replies
}

pub(crate) fn type_of(out: &mut Vec<u8>, key: &[u8]) {
    request(out, &[b"TYPE", key]);
}

pub(crate) fn watch<'a>(out: &mut Vec<u8>, keys: impl ExactSizeIterator<Item = &'a [u8]>) {
    array(out, 1 + keys.len());
    bulk(out, b"WATCH");
    keys.for_each(|key| bulk(out, key));
}

pub(crate) fn unwatch(out: &mut Vec<u8>) {
    request(out, &[b"UNWATCH"]);
}

pub(crate) fn scores(out: &mut Vec<u8>, key: &[u8], ids: impl ExactSizeIterator<Item = Id>) {
    array(out, 2 + ids.len());
    bulk(out, b"ZMSCORE");
    bulk(out, key);
    ids.for_each(|id| bulk(out, id.as_bytes()));
}

pub(crate) fn multi(out: &mut Vec<u8>) {
    request(out, &[b"MULTI"]);
}

pub(crate) fn exec(out: &mut Vec<u8>) {
    request(out, &[b"EXEC"]);
}

/// Appends a message to the stream.
pub(crate) fn append(
    out: &mut Vec<u8>,
    stream: &[u8],
    id: Id,
    token: Option<&[u8]>,
    payload: &[u8],
) {
    array(out, if token.is_some() { 9 } else { 7 });
    bulk(out, b"XADD");
    bulk(out, stream);
    bulk(out, b"*");
    bulk(out, b"id");
    bulk(out, id.as_bytes());
    if let Some(token) = token {
        bulk(out, b"token");
        bulk(out, token);
    }
    bulk(out, b"payload");
    bulk(out, payload);
}

/// Notes so many IDs, each with a score above the one before, the first of which is `score`.
pub(crate) fn note(
    out: &mut Vec<u8>,
    key: &[u8],
    score: u64,
    count: usize,
    ids: impl Iterator<Item = Id>,
) {
    array(out, 2 + 2 * count);
    bulk(out, b"ZADD");
    bulk(out, key);
    for (score, id) in (score..).zip(ids) {
        bulk_integer(out, score as i64);
        bulk(out, id.as_bytes());
    }
}

pub(crate) fn unnote(out: &mut Vec<u8>, key: &[u8], id: Id) {
    request(out, &[b"ZREM", key, id.as_bytes()]);
}

/// Forgets all but the last IDs.
pub(crate) fn cut(out: &mut Vec<u8>, key: &[u8], entries: u32) {
    array(out, 4);
    bulk(out, b"ZREMRANGEBYRANK");
    bulk(out, key);
    bulk(out, b"0");
    bulk_integer(out, -(i64::from(entries) + 1));
}

pub(crate) fn expire(out: &mut Vec<u8>, key: &[u8], seconds: u32) {
    array(out, 3);
    bulk(out, b"EXPIRE");
    bulk(out, key);
    bulk_integer(out, i64::from(seconds));
}
