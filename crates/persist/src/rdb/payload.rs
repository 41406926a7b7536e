//! What RESTORE is given: type, value, version and checksum.

use dunlin_store::Entry;

use super::cursor::{Cursor, Fault};
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

/// What stands before version and checksum, and the version.
fn body(payload: &[u8], checked: bool) -> Result<(&[u8], u16), RestoreError> {
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
    Ok((value, version))
}

/// The sources of the libraries of functions in a payload of FUNCTION DUMP. Without `checked` any checksum will do.
///
/// # Errors
/// Where that stands in the payload tells the offset.
pub fn restore_libraries(payload: &[u8], checked: bool) -> Result<Vec<Vec<u8>>, RestoreError> {
    let (value, _) = body(payload, checked)?;
    let mut cursor = Cursor::new(value);
    let mut read = || {
        let mut codes = Vec::new();
        while cursor.left() > 0 {
            let at = cursor.at();
            if cursor.byte("a library of functions")? != types::opcode::FUNCTION_2 {
                return Err(Fault::bad(at, "something that is no library of functions"));
            }
            codes.push(scanner::owned_text(&mut cursor, "a library of functions")?);
        }
        Ok(codes)
    };
    let codes = read();
    codes.map_err(|fault| fault.into_error(0, value.len()).into())
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
    let (value, version) = body(payload, checked)?;
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
