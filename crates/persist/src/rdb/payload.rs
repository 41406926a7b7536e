//! What RESTORE is given: type, value, version and checksum.

use dunlin_store::Entry;

use super::cursor::Fault;
use super::decode::{Decoded, Rules, decoded};
use super::types::{self, FOOTER_BYTES};
use super::{crc64, scanner};
use crate::Error;

/// Why a payload is no value.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Its version is not known, or its checksum is another, or it is too short for both.
    #[error("DUMP payload version or checksum are wrong")]
    Footer,
    /// Its value is not consistent.
    #[error(transparent)]
    Value(#[from] Error),
}

/// The entry under `key`, without deadline, that a payload of DUMP stands for; `None` for a hash all of whose fields are past their
/// deadlines. Without `checked` any checksum will do.
///
/// # Errors
/// Where that stands in the payload tells the offset.
pub fn restore(
    payload: &[u8],
    key: &[u8],
    rules: &Rules<'_>,
    checked: bool,
) -> Result<Option<Entry>, RestoreError> {
    let Some(body) = payload.len().checked_sub(FOOTER_BYTES) else {
        return Err(RestoreError::Footer);
    };
    let (value, footer) = payload.split_at(body);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let (summed, stored) = payload.split_at(body + 2);
    if !types::is_known_version(version)
        || (checked && crc64::crc64(summed).to_le_bytes() != *stored)
    {
        return Err(RestoreError::Footer);
    }
    let Some((stored, value)) = value.split_first() else {
        let short = Fault::Short {
            needs: 1,
            what: "a payload",
        };
        return Err(short.into_error(0, 0).into());
    };
    let kind = scanner::kind_of(*stored, version).map_err(|fault| fault.into_error(0, 0))?;
    match decoded(kind, value, key, 1, rules)? {
        Decoded::Entry(entry) => Ok(Some(entry)),
        Decoded::Expired => Ok(None),
        Decoded::Empty => Err(Fault::bad(0, "a collection of nothing")
            .into_error(1, 0)
            .into()),
    }
}
