//! Framing.

use dunlin_store::log::RecordRef;

/// Frames.
#[derive(Debug, Default)]
pub struct Framer {
    db: Option<u32>,
}

impl Framer {
    /// Appends.
    pub fn record(&mut self, record: RecordRef<'_>, out: &mut Vec<u8>) {
        let multi = record.len() > 1;
        if multi {
            out.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        }
        for (db, effect) in record.iter() {
            if self.db != Some(db) {
                self.db = Some(db);
                let text = db.to_string();
                out.extend_from_slice(
                    format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{text}\r\n", text.len()).as_bytes(),
                );
            }
            out.extend_from_slice(effect);
        }
        if multi {
            out.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        }
    }

    /// Ends.
    pub fn end_batch(&mut self, _out: &mut Vec<u8>) {}
}
