//! The numbers of the format: types of values, opcodes, lengths, versions.
//!
//! A fact of the format stands here once; reader and writer both take it from here.

/// What a file begins with; four decimal digits of its version follow.
pub const MAGIC: &[u8; 5] = b"REDIS";

/// Version that Redis 7.0 writes.
pub const VERSION_REDIS_7_0: u16 = 10;
/// Version that Redis 7.2 and Valkey 8 write.
pub const VERSION_REDIS_7_2: u16 = 11;
/// Version that Redis 7.4 and 8 write: the first that can tell the deadlines of a hash's fields.
pub const VERSION_FIELD_DEADLINES: u16 = 12;
/// Version that Valkey 9 writes; Valkey counts its own from 80 on.
pub const VERSION_VALKEY: u16 = 80;
/// Oldest version that is read.
pub const VERSION_MIN: u16 = 1;
/// Newest of Redis's versions that is read.
pub const VERSION_MAX: u16 = VERSION_FIELD_DEADLINES;

/// Whether a file or payload of this version can be read.
pub fn is_known_version(version: u16) -> bool {
    (VERSION_MIN..=VERSION_MAX).contains(&version) || version == VERSION_VALKEY
}

/// Bytes behind the value in a payload of DUMP: the version and the checksum, both little-endian.
pub const FOOTER_BYTES: usize = 10;

/// Types of values.
pub mod kind {
    /// A string.
    pub const STRING: u8 = 0;
    /// A list, element by element.
    pub const LIST: u8 = 1;
    /// A set, member by member.
    pub const SET: u8 = 2;
    /// A sorted set, with scores as text.
    pub const ZSET: u8 = 3;
    /// A hash, field by field.
    pub const HASH: u8 = 4;
    /// A sorted set, with scores as eight bytes.
    pub const ZSET_2: u8 = 5;
    /// A module's value as it was before modules were released.
    pub const MODULE_PRE_GA: u8 = 6;
    /// A module's value.
    pub const MODULE_2: u8 = 7;
    /// A hash as a zipmap (before Redis 2.6).
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list as a ziplist.
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set as sorted integers.
    pub const SET_INTSET: u8 = 11;
    /// A sorted set as a ziplist.
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash as a ziplist.
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list as ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream (Redis 5).
    pub const STREAM_LISTPACKS: u8 = 15;
    /// A hash as a listpack.
    pub const HASH_LISTPACK: u8 = 16;
    /// A sorted set as a listpack.
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list as listpacks and long elements.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream (Redis 7.0): with first id, greatest deleted id and entries added.
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// A set as a listpack (Redis 7.2).
    pub const SET_LISTPACK: u8 = 20;
    /// A stream (Redis 7.2): with each consumer's active time.
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// A hash with deadlines of fields, as a release candidate of Redis 7.4 wrote it.
    pub const HASH_METADATA_PRE_GA: u8 = 22;
    /// The same as a listpack.
    pub const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    /// A hash with deadlines of fields (Redis 7.4).
    pub const HASH_METADATA: u8 = 24;
    /// The same as a listpack.
    pub const HASH_LISTPACK_EX: u8 = 25;
    /// A hash with deadlines of fields as Valkey 9 writes it. On the wire it is 22, which in Valkey's versions means this; the reader gives
    /// it a number of its own.
    pub const HASH_VALKEY: u8 = 128 + 22;
}

/// Opcodes: bytes that stand where a type can stand and are none.
pub mod opcode {
    /// A slot that was being imported (Valkey 9).
    pub const SLOT_IMPORT: u8 = 243;
    /// Sizes of a cluster's slot: slot, keys, keys with deadline.
    pub const SLOT_INFO: u8 = 244;
    /// A library of functions: its code.
    pub const FUNCTION_2: u8 = 245;
    /// A library of functions as it was in release candidates of Redis 7.0.
    pub const FUNCTION_PRE_GA: u8 = 246;
    /// A module's data beside the keys.
    pub const MODULE_AUX: u8 = 247;
    /// Idle time of the next key in seconds.
    pub const IDLE: u8 = 248;
    /// Access frequency of the next key: one byte.
    pub const FREQ: u8 = 249;
    /// A field of the header: name and value.
    pub const AUX: u8 = 250;
    /// Sizes of the database: keys, keys with deadline.
    pub const RESIZE_DB: u8 = 251;
    /// Deadline of the next key: eight bytes, milliseconds.
    pub const EXPIRE_TIME_MS: u8 = 252;
    /// Deadline of the next key: four bytes, seconds.
    pub const EXPIRE_TIME: u8 = 253;
    /// The database that the keys behind belong to.
    pub const SELECT_DB: u8 = 254;
    /// The end; the checksum follows (from version 5 on).
    pub const EOF: u8 = 255;
}

/// First bytes of a length. The two upper bits tell its form.
pub mod length {
    /// Upper bits: the other six are the length.
    pub const BITS_6: u8 = 0;
    /// Upper bits: the other six and the next byte are the length, big-endian.
    pub const BITS_14: u8 = 1;
    /// The whole byte: four bytes follow, big-endian.
    pub const BITS_32: u8 = 0x80;
    /// The whole byte: eight bytes follow, big-endian.
    pub const BITS_64: u8 = 0x81;
    /// Upper bits: no length, but a string in a special form, told by the other six.
    pub const SPECIAL: u8 = 3;

    /// Special form: an integer of one byte.
    pub const INT_8: u8 = 0;
    /// Special form: an integer of two bytes, little-endian.
    pub const INT_16: u8 = 1;
    /// Special form: an integer of four bytes, little-endian.
    pub const INT_32: u8 = 2;
    /// Special form: compressed: length compressed, length plain, bytes.
    pub const LZF: u8 = 3;
}

/// What precedes each datum of a module's value.
pub mod module {
    /// No datum follows.
    pub const EOF: u64 = 0;
    /// A signed integer, as a length.
    pub const SINT: u64 = 1;
    /// An unsigned integer, as a length.
    pub const UINT: u64 = 2;
    /// Four bytes.
    pub const FLOAT: u64 = 3;
    /// Eight bytes.
    pub const DOUBLE: u64 = 4;
    /// A string.
    pub const STRING: u64 = 5;
}

/// What precedes each node of [`kind::LIST_QUICKLIST_2`].
pub mod quicklist {
    /// The node is one element.
    pub const PLAIN: u64 = 1;
    /// The node is a listpack.
    pub const PACKED: u64 = 2;
}
