//! Values as DUMP gives and RESTORE takes them: the settings, and the one way to make a payload.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use dunlin_persist::rdb::{self, EncodeOptions, types};
use dunlin_store::Entry;

/// See the module's text.
#[derive(Debug)]
pub struct Payloads {
    /// `rdb-version`: of the payloads, where it can hold the value.
    pub version: AtomicU16,
    /// `rdbcompression`: long strings are compressed.
    pub compress: AtomicBool,
    /// RESTORE takes payloads whatever their checksum: for tests, which damage them.
    pub any_checksum: AtomicBool,
}

impl Default for Payloads {
    fn default() -> Self {
        Payloads {
            version: AtomicU16::new(types::VERSION_REDIS_7_2),
            compress: AtomicBool::new(true),
            any_checksum: AtomicBool::new(false),
        }
    }
}

impl Payloads {
    /// Libraries of functions, by their sources.
    pub fn dump_libraries<'l>(&self, codes: impl Iterator<Item = &'l [u8]>) -> Vec<u8> {
        let options = EncodeOptions {
            version: self.version.load(Ordering::Relaxed),
            compress: self.compress.load(Ordering::Relaxed),
        };
        rdb::dump_libraries(codes, &options)
    }

    /// The value of an entry: of the version that is set, or of the first one that can hold it.
    pub fn dump(&self, entry: &Entry) -> Vec<u8> {
        let compress = self.compress.load(Ordering::Relaxed);
        let of_version = |version| rdb::dump(entry, &EncodeOptions { version, compress });
        of_version(self.version.load(Ordering::Relaxed))
            .or_else(|_| of_version(types::VERSION_FIELD_DEADLINES))
            .expect("the newest version has all that there is, and a vector takes it")
    }
}
