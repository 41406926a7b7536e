//! HyperLogLog: how many different elements were added, estimated from 2^14 registers. Redis's representation, byte for byte.
//!
//! ```text
//! header   "HYLL" | encoding: 0 dense, 1 sparse | 3 unused | cached estimate, 8 bytes little endian, its top bit: not valid
//! dense    16384 registers of 6 bits, the first in the low bits of the first byte
//! sparse   runs of registers:  00nnnnnn            n + 1 zeros
//!                              01nnnnnn nnnnnnnn   n + 1 zeros
//!                              1vvvvvnn            n + 1 times the value v + 1
//! ```
//!
//! A register holds the longest run of zeros, plus one, among the hashes that it was chosen for. The estimate is that of Otmar Ertl,
//! "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284), as in Redis.
//!
//! Bytes come from clients, who can write them as they please: whatever does not make sense is [`Corrupted`], never a panic.

/// Registers, of which 14 bits of an element's hash choose one.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Bytes of the dense form.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * REGISTER_BITS / 8;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 16;

const INDEX_BITS: u32 = 14;
const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u8 = 63;
/// The largest value of a register: all bits of a hash behind the index are zeros.
const VALUE_MAX: usize = 64 - INDEX_BITS as usize + 1;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CACHE_AT: usize = 8;
/// 1 / (2 ln 2), of the method.
const ALPHA: f64 = 0.721_347_520_444_481_7;
const HASH_SEED: u64 = 0xadc8_3b19;

const ZEROS_MAX: usize = 64;
const VALUE_RUN_MAX: usize = 4;
const SPARSE_VALUE_MAX: u8 = 32;
/// Runs that are looked at for neighbours to be joined, from the one before the change on.
const JOIN_RUNS: usize = 5;

/// The registers, one byte each.
pub type Registers = [u8; REGISTERS];

/// The sparse form's runs do not make 2^14 registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Corrupted;

/// How registers are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Each in 6 bits.
    Dense,
    /// In runs.
    Sparse,
}

/// The encoding of what these bytes hold; `None` if that is no HyperLogLog.
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return None;
    }
    match bytes[ENCODING_AT] {
        0 if bytes.len() == DENSE_BYTES => Some(Encoding::Dense),
        1 => Some(Encoding::Sparse),
        _ => None,
    }
}

/// One to which nothing was added.
pub fn empty() -> Vec<u8> {
    let mut bytes = Vec::from(MAGIC);
    bytes.resize(HEADER_BYTES, 0);
    bytes[ENCODING_AT] = 1;
    push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// The estimate that was kept, if nothing changed since.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cache = bytes[CACHE_AT..HEADER_BYTES].try_into();
    let cache = u64::from_le_bytes(cache.expect("eight bytes"));
    (cache >> 63 == 0).then_some(cache)
}

/// Where the kept estimate is, and the bytes that keep this one.
pub fn cache(estimate: u64) -> (usize, [u8; 8]) {
    (CACHE_AT, estimate.to_le_bytes())
}

/// Says that the kept estimate is not valid any more.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[HEADER_BYTES - 1] |= 0x80;
}

/// The register of an element, and the value that it has at least.
pub fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let index = hash as usize % REGISTERS;
    // The bit above the last ends the run.
    let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (index, rest.trailing_zeros() as u8 + 1)
}

/// MurmurHash64A, by Austin Appleby.
fn murmur(text: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = HASH_SEED ^ (text.len() as u64).wrapping_mul(M);
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash ^= hash >> R;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> R
}

/// First byte and first bit of a register in the dense form.
fn place(index: usize) -> (usize, usize) {
    let bit = index * REGISTER_BITS;
    (HEADER_BYTES + bit / 8, bit % 8)
}

/// A register of the dense form.
pub fn dense_register(bytes: &[u8], index: usize) -> u8 {
    let (at, bit) = place(index);
    let low = bytes[at] >> bit;
    if bit <= 8 - REGISTER_BITS {
        return low & REGISTER_MAX;
    }
    (low | bytes[at + 1] << (8 - bit)) & REGISTER_MAX
}

/// Overwrites a register of the dense form.
fn set_dense_register(bytes: &mut [u8], index: usize, value: u8) {
    let (at, bit) = place(index);
    bytes[at] = bytes[at] & !(REGISTER_MAX << bit) | value << bit;
    if bit > 8 - REGISTER_BITS {
        let shift = 8 - bit;
        bytes[at + 1] = bytes[at + 1] & !(REGISTER_MAX >> shift) | value >> shift;
    }
}

/// Raises a register of the dense form to `value`; whether it was lower. The kept estimate stays. O(1).
pub fn raise_dense(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let is_raised = dense_register(bytes, index) < value;
    if is_raised {
        set_dense_register(bytes, index, value);
    }
    is_raised
}

/// A run of registers of the sparse form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Run {
    /// Zeros, in one byte.
    Zeros(usize),
    /// Zeros, in two bytes.
    LongZeros(usize),
    /// A value, and how often it stands.
    Value(u8, usize),
}

impl Run {
    /// The run that begins at `at`, if that is not the end. What is missing of the last counts as zero bits.
    fn at(bytes: &[u8], at: usize) -> Option<Run> {
        let head = *bytes.get(at)?;
        let low = usize::from(head & 0x3f);
        Some(match head >> 6 {
            0 => Run::Zeros(low + 1),
            1 => {
                let second = bytes.get(at + 1).copied().unwrap_or(0);
                Run::LongZeros((low << 8 | usize::from(second)) + 1)
            }
            _ => Run::Value((head >> 2 & 0x1f) + 1, usize::from(head & 3) + 1),
        })
    }

    /// Registers in it.
    fn len(self) -> usize {
        match self {
            Run::Zeros(len) | Run::LongZeros(len) | Run::Value(_, len) => len,
        }
    }

    /// Bytes that it takes.
    fn bytes(self) -> usize {
        match self {
            Run::LongZeros(_) => 2,
            _ => 1,
        }
    }
}

fn push_zeros(out: &mut Vec<u8>, len: usize) {
    let less = len - 1;
    if len > ZEROS_MAX {
        out.push(0x40 | (less >> 8) as u8);
    }
    out.push(less as u8);
}

fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// The runs of a sparse one.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = HEADER_BYTES;
    std::iter::from_fn(move || {
        let run = Run::at(bytes, at)?;
        at += run.bytes();
        Some(run)
    })
}

/// Calls `f` with the index, the value and the length of every run of values of a sparse one.
fn each_value(bytes: &[u8], mut f: impl FnMut(usize, u8, usize)) -> Result<(), Corrupted> {
    let mut index = 0_usize;
    for run in runs(bytes) {
        let end = index.saturating_add(run.len());
        if let Run::Value(value, len) = run {
            if end > REGISTERS {
                return Err(Corrupted);
            }
            f(index, value, len);
        }
        index = end;
    }
    if index == REGISTERS {
        Ok(())
    } else {
        Err(Corrupted)
    }
}

/// The dense form of a sparse one. O(registers).
pub fn to_dense(bytes: &[u8]) -> Result<Vec<u8>, Corrupted> {
    let mut dense = Vec::with_capacity(DENSE_BYTES);
    dense.extend_from_slice(&bytes[..HEADER_BYTES]);
    dense.resize(DENSE_BYTES, 0);
    dense[ENCODING_AT] = 0;
    each_value(bytes, |index, value, len| {
        (index..index + len).for_each(|i| set_dense_register(&mut dense, i, value));
    })?;
    Ok(dense)
}

/// Raises a register to `value`, whatever the encoding; whether it was lower. A sparse one becomes dense when it would be longer than
/// `sparse_bytes_max`, or when it cannot hold the value. O(length) for a sparse one.
pub fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_bytes_max: usize,
) -> Result<bool, Corrupted> {
    if bytes[ENCODING_AT] == 0 {
        return Ok(raise_dense(bytes, index, value));
    }
    if value > SPARSE_VALUE_MAX {
        return raise_as_dense(bytes, index, value);
    }
    let (mut at, mut first, mut before) = (HEADER_BYTES, 0, None);
    let run = loop {
        let run = Run::at(bytes, at).ok_or(Corrupted)?;
        if index < first + run.len() {
            break run;
        }
        before = Some(at);
        at += run.bytes();
        first += run.len();
    };
    if matches!(run, Run::Value(old, _) if old >= value) {
        return Ok(false);
    }
    // The run becomes up to three.
    let (in_front, behind) = (index - first, first + run.len() - 1 - index);
    let mut new = Vec::with_capacity(5);
    let push_rest = |new: &mut Vec<u8>, len: usize| match run {
        _ if len == 0 => {}
        Run::Value(old, _) => new.push(value_run(old, len)),
        _ => push_zeros(new, len),
    };
    push_rest(&mut new, in_front);
    new.push(value_run(value, 1));
    push_rest(&mut new, behind);
    if new.len() > run.bytes() && bytes.len() + new.len() - run.bytes() > sparse_bytes_max {
        return raise_as_dense(bytes, index, value);
    }
    let end = (at + run.bytes()).min(bytes.len());
    bytes.splice(at..end, new);
    join_values(bytes, before.unwrap_or(HEADER_BYTES));
    invalidate(bytes);
    Ok(true)
}

fn raise_as_dense(bytes: &mut Vec<u8>, index: usize, value: u8) -> Result<bool, Corrupted> {
    *bytes = to_dense(bytes)?;
    Ok(raise_dense(bytes, index, value))
}

/// Joins neighbouring runs of one value behind a change. Which ones are looked at decides how the bytes come out, so it is as in Redis.
fn join_values(bytes: &mut Vec<u8>, from: usize) {
    let mut at = from;
    for _ in 0..JOIN_RUNS {
        let Some(run) = Run::at(bytes, at) else {
            return;
        };
        if let (Run::Value(a, len), Some(Run::Value(b, more))) = (run, Run::at(bytes, at + 1))
            && a == b
            && len + more <= VALUE_RUN_MAX
        {
            bytes[at] = value_run(a, len + more);
            bytes.remove(at + 1);
        } else {
            at += run.bytes();
        }
    }
}

/// Raises each of `registers` to what it is in these bytes. O(registers).
pub fn merge(bytes: &[u8], registers: &mut Registers) -> Result<(), Corrupted> {
    if bytes[ENCODING_AT] == 0 {
        each_dense(bytes, |i, value| registers[i] = registers[i].max(value));
        return Ok(());
    }
    each_value(bytes, |index, value, len| {
        registers[index..index + len]
            .iter_mut()
            .for_each(|register| *register = value.max(*register));
    })
}

/// Calls `f` with every register of a dense one: four in each three bytes.
fn each_dense(bytes: &[u8], mut f: impl FnMut(usize, u8)) {
    let (triples, _) = bytes[HEADER_BYTES..].as_chunks::<3>();
    for (i, [a, b, c]) in triples.iter().enumerate() {
        let word = u32::from_le_bytes([*a, *b, *c, 0]);
        for j in 0..4 {
            f(
                i * 4 + j,
                (word >> (REGISTER_BITS * j)) as u8 & REGISTER_MAX,
            );
        }
    }
}

/// How many registers have each value.
type Histogram = [u32; REGISTER_MAX as usize + 1];

/// Estimates how many different elements were added. O(registers).
pub fn estimate(bytes: &[u8]) -> Result<u64, Corrupted> {
    let mut histogram: Histogram = [0; _];
    if bytes[ENCODING_AT] == 0 {
        each_dense(bytes, |_, value| histogram[usize::from(value)] += 1);
    } else {
        let mut zeros = REGISTERS as u32;
        each_value(bytes, |_, value, len| {
            histogram[usize::from(value)] += len as u32;
            zeros -= len as u32;
        })?;
        histogram[0] = zeros;
    }
    Ok(estimate_of(&histogram))
}

/// The same for registers that were merged.
pub fn estimate_merged(registers: &Registers) -> u64 {
    let mut histogram: Histogram = [0; _];
    for value in registers {
        histogram[usize::from(value & REGISTER_MAX)] += 1;
    }
    estimate_of(&histogram)
}

fn estimate_of(histogram: &Histogram) -> u64 {
    let m = REGISTERS as f64;
    let count = |value: usize| f64::from(histogram[value]);
    let mut z = m * tau((m - count(VALUE_MAX)) / m);
    for value in (1..VALUE_MAX).rev() {
        z = (z + count(value)) * 0.5;
    }
    z += m * sigma(count(0) / m);
    (ALPHA * m * m / z).round() as u64
}

fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPARSE_BYTES_MAX: usize = 3000;

    fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> bool {
        let (index, value) = register_of(element);
        raise(bytes, index, value, sparse_bytes_max).expect("it was made here")
    }

    fn registers(bytes: &[u8]) -> Registers {
        let mut registers = [0; REGISTERS];
        merge(bytes, &mut registers).expect("it was made here");
        registers
    }

    #[test]
    fn the_hash_is_the_known_one() {
        for (text, expected) in [
            ("", 0xd8df_ea65_85bc_9732_u64),
            ("a", 0x53d2_470a_9b43_b1a7),
            ("foobar12", 0xb177_92b5_b755_bc81),
            ("HyperLogLog", 0xdea0_10c5_d61a_8b25),
        ] {
            assert_eq!(murmur(text.as_bytes()), expected, "{text}");
        }
        for len in 0..40 {
            let text: Vec<u8> = (0..len).collect();
            let (index, value) = register_of(&text);
            assert!(index < REGISTERS && (1..=VALUE_MAX as u8).contains(&value));
        }
    }

    #[test]
    fn an_empty_one_is_as_redis_makes_it() {
        assert_eq!(empty(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
        assert_eq!(encoding(&empty()), Some(Encoding::Sparse));
        assert_eq!((cached(&empty()), estimate(&empty())), (Some(0), Ok(0)));
    }

    #[test]
    fn estimates_are_near() {
        let (mut sparse, mut dense) = (empty(), to_dense(&empty()).expect("it was made here"));
        let mut next = 10;
        for n in 1..=100_000_u64 {
            add(&mut sparse, &n.to_le_bytes(), SPARSE_BYTES_MAX);
            add(&mut dense, &n.to_le_bytes(), 0);
            if n == next {
                let found = estimate(&sparse).expect("it was made here");
                assert_eq!(estimate(&dense), Ok(found));
                assert_eq!(estimate_merged(&registers(&dense)), found);
                let error = (found as f64 - n as f64).abs() / n as f64;
                assert!(error < 0.03, "{found} of {n}");
                next *= 10;
            }
        }
        assert_eq!(encoding(&sparse), Some(Encoding::Dense));
        assert!(sparse[HEADER_BYTES..] == dense[HEADER_BYTES..]);
    }

    #[test]
    fn values_that_the_sparse_form_cannot_hold_make_it_dense() {
        let mut bytes = empty();
        assert_eq!(raise(&mut bytes, 5, 32, SPARSE_BYTES_MAX), Ok(true));
        assert_eq!(encoding(&bytes), Some(Encoding::Sparse));
        assert_eq!(raise(&mut bytes, 6, 33, SPARSE_BYTES_MAX), Ok(true));
        assert_eq!(encoding(&bytes), Some(Encoding::Dense));
        assert_eq!(
            (dense_register(&bytes, 5), dense_register(&bytes, 6)),
            (32, 33)
        );
    }

    #[test]
    fn what_makes_no_sense_is_corrupted() {
        assert_eq!(encoding(b"HYLL"), None);
        let mut bytes = empty();
        bytes[0] = b'X';
        assert_eq!(encoding(&bytes), None);
        for (end, runs) in [
            (true, &b"\x7f\xff\x00"[..]),
            (true, b"\x7f\xfe"),
            (false, b""),
            (true, b"\x7f\xff\x80"),
            (false, b"\x7f"),
        ] {
            let mut bytes = empty();
            bytes.truncate(HEADER_BYTES);
            bytes.extend_from_slice(runs);
            assert_eq!(estimate(&bytes), Err(Corrupted), "{runs:?}");
            assert_eq!(to_dense(&bytes), Err(Corrupted));
            assert_eq!(merge(&bytes, &mut [0; REGISTERS]), Err(Corrupted));
            let raised = raise(&mut bytes, REGISTERS - 1, 1, SPARSE_BYTES_MAX);
            assert!(raised == Err(Corrupted) || end, "{runs:?}");
        }
    }

    proptest! {
        /// Both forms beside plain registers, the sparse form with every way of splitting and joining runs.
        #[test]
        fn registers_are_raised(
            raises in prop::collection::vec((0usize..300, 1u8..5), 1..400),
            stride in prop_oneof![Just(1usize), Just(54)],
            sparse_bytes_max in prop_oneof![Just(60usize), Just(SPARSE_BYTES_MAX)],
        ) {
            let (mut sparse, mut dense) = (empty(), to_dense(&empty()).expect("it was made here"));
            let mut model = [0; REGISTERS];
            for (index, value) in raises {
                let index = index * stride;
                let is_raised = model[index] < value;
                model[index] = model[index].max(value);
                prop_assert_eq!(raise(&mut sparse, index, value, sparse_bytes_max), Ok(is_raised));
                prop_assert_eq!(raise_dense(&mut dense, index, value), is_raised);
                prop_assert_eq!(cached(&sparse).is_none() || encoding(&sparse) == Some(Encoding::Dense), true);
            }
            prop_assert!(registers(&sparse) == model);
            prop_assert!(registers(&dense) == model);
            prop_assert!(sparse.len() <= sparse_bytes_max || encoding(&sparse) == Some(Encoding::Dense));
        }

        /// Bytes from outside never do harm.
        #[test]
        fn any_bytes_are_read(runs in prop::collection::vec(any::<u8>(), 0..300), index in 0..REGISTERS, value in 1u8..=51) {
            let mut bytes = empty();
            bytes.truncate(HEADER_BYTES);
            bytes.extend(runs);
            let _ = estimate(&bytes);
            let _ = merge(&bytes, &mut [0; REGISTERS]);
            let _ = raise(&mut bytes, index, value, SPARSE_BYTES_MAX);
        }
    }
}
