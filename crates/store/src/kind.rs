//! What an entry holds: the type of its value, and the form in which that is kept.

/// Bits of an entry's flags that hold the kind.
const KIND_MASK: u8 = 0x0f;

/// Type and encoding of a value, four bits.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// A string that is a 64-bit integer in canonical decimal form.
    Int = 0,
    /// A string of at most [`crate::entry::EMBSTR_BYTES_MAX`] bytes that was never modified.
    Embstr = 1,
    /// A string inside the entry.
    Raw = 2,
    /// A string of reference-counted chunks.
    Chunked = 3,
    /// A list inside the entry: a packed list of elements.
    ListPacked = 4,
    /// A list: [`crate::Big::List`].
    List = 5,
    /// A set of integers inside the entry: see [`crate::intset`].
    SetInts = 6,
    /// A set inside the entry: a packed list of members.
    SetPacked = 7,
    /// A set: [`crate::Big::Set`].
    Set = 8,
    /// A hash inside the entry: a packed list of fields and values in turns.
    HashPacked = 9,
    /// A hash: [`crate::Big::Hash`].
    Hash = 10,
    /// A sorted set inside the entry: a packed list of members and scores in turns, in order.
    ZSetPacked = 11,
    /// A sorted set: [`crate::Big::ZSet`].
    ZSet = 12,
    /// A stream: [`crate::Big::Stream`].
    Stream = 13,
    /// A hash inside the entry some of whose fields may have deadlines: see [`crate::timed_hash`].
    HashPackedTimed = 14,
    /// The same in the big form: [`crate::Big::HashTimed`].
    HashTimed = 15,
}

impl Kind {
    pub(crate) fn from_bits(bits: u8) -> Kind {
        match bits & KIND_MASK {
            0 => Kind::Int,
            1 => Kind::Embstr,
            2 => Kind::Raw,
            3 => Kind::Chunked,
            4 => Kind::ListPacked,
            5 => Kind::List,
            6 => Kind::SetInts,
            7 => Kind::SetPacked,
            8 => Kind::Set,
            9 => Kind::HashPacked,
            10 => Kind::Hash,
            11 => Kind::ZSetPacked,
            12 => Kind::ZSet,
            13 => Kind::Stream,
            14 => Kind::HashPackedTimed,
            15 => Kind::HashTimed,
            other => unreachable!("entry of unknown kind {other}"),
        }
    }

    /// Name that OBJECT ENCODING reports.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Embstr => "embstr",
            Kind::Raw | Kind::Chunked => "raw",
            Kind::ListPacked | Kind::SetPacked | Kind::HashPacked | Kind::ZSetPacked => "listpack",
            Kind::HashPackedTimed => "listpackex",
            Kind::List => "quicklist",
            Kind::SetInts => "intset",
            Kind::Set | Kind::Hash | Kind::HashTimed => "hashtable",
            Kind::ZSet => "skiplist",
            Kind::Stream => "stream",
        }
    }

    /// The type of the value.
    pub fn value_type(self) -> ValueType {
        match self {
            Kind::Int | Kind::Embstr | Kind::Raw | Kind::Chunked => ValueType::String,
            Kind::ListPacked | Kind::List => ValueType::List,
            Kind::SetInts | Kind::SetPacked | Kind::Set => ValueType::Set,
            Kind::HashPacked | Kind::Hash | Kind::HashPackedTimed | Kind::HashTimed => {
                ValueType::Hash
            }
            Kind::ZSetPacked | Kind::ZSet => ValueType::ZSet,
            Kind::Stream => ValueType::Stream,
        }
    }

    /// Whether the value is a collection that lies in the entry as a whole.
    pub fn is_packed(self) -> bool {
        matches!(
            self,
            Kind::ListPacked
                | Kind::SetInts
                | Kind::SetPacked
                | Kind::HashPacked
                | Kind::HashPackedTimed
                | Kind::ZSetPacked
        )
    }

    /// Whether the value is a hash whose fields may have deadlines.
    #[inline]
    pub fn is_timed(self) -> bool {
        matches!(self, Kind::HashPackedTimed | Kind::HashTimed)
    }

    /// Whether the value is a `Big`.
    #[inline]
    pub fn is_big(self) -> bool {
        matches!(
            self,
            Kind::List | Kind::Set | Kind::Hash | Kind::ZSet | Kind::Stream | Kind::HashTimed
        )
    }
}

/// The type of a value as TYPE reports it; the numbers are those of Redis's object types.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ValueType {
    /// A byte string.
    String = 0,
    /// A list of strings.
    List = 1,
    /// A set of strings.
    Set = 2,
    /// A set of strings in the order of their scores.
    ZSet = 3,
    /// Fields with values.
    Hash = 4,
    /// Entries of fields with values, in the order of their ids.
    Stream = 6,
}

impl ValueType {
    /// Name that TYPE reports.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::List => "list",
            ValueType::Set => "set",
            ValueType::ZSet => "zset",
            ValueType::Hash => "hash",
            ValueType::Stream => "stream",
        }
    }
}
