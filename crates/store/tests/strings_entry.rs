//! Entries against a plain model: whatever is done to one, key, value, encoding, deadline and clock stay what they should
//! be, its allocation keeps to its size class, and images show the moment they were taken at.

use dunlin_store::entry::{EMBSTR_BYTES_MAX, INLINE_BYTES_MAX, NO_TIMER, size_class};
use dunlin_store::{Entry, Image, Kind, NewString};
use proptest::collection::vec;
use proptest::prelude::*;

/// What an entry should be.
#[derive(Clone)]
struct Model {
    key: Vec<u8>,
    text: Vec<u8>,
    kind: Kind,
    timer: Option<(u32, u64)>,
    clock: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Int(i64),
    /// A fresh string of this length and byte.
    Text(usize, u8),
    Raw(usize, u8),
    /// A fresh string and an access, both in place if they can be.
    Over(usize, u8, u32),
    Range(usize, usize, u8),
    Append(usize, u8),
    Timer(Option<(u32, u64)>),
    Key(usize),
    Clock(u32),
    Image,
    FromImage(prop::sample::Index),
}

/// Lengths where something changes: the widths of the header, the encodings, the size classes, the chunks.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..70usize,
        6 => 230..280usize,
        2 => 1_000..5_000usize,
        2 => INLINE_BYTES_MAX - 3..INLINE_BYTES_MAX + 4,
        1 => 100_000..300_000usize,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<i64>().prop_map(Step::Int),
        2 => (length(), any::<u8>()).prop_map(|(n, b)| Step::Text(n, b)),
        2 => (length(), any::<u8>()).prop_map(|(n, b)| Step::Raw(n, b)),
        4 => (length(), any::<u8>(), 0..1u32 << 24).prop_map(|(n, b, clock)| Step::Over(n, b, clock)),
        4 => (length(), length(), any::<u8>()).prop_map(|(at, n, b)| Step::Range(at, n, b)),
        4 => (length(), any::<u8>()).prop_map(|(n, b)| Step::Append(n, b)),
        2 => (0..1000u32, 0..1u64 << 48).prop_map(|timer| Step::Timer(Some(timer))),
        1 => Just(Step::Timer(None)),
        1 => length().prop_map(Step::Key),
        1 => (0..1u32 << 24).prop_map(Step::Clock),
        2 => Just(Step::Image),
        1 => any::<prop::sample::Index>().prop_map(Step::FromImage),
    ]
}

fn write(text: &mut Vec<u8>, at: usize, len: usize, byte: u8) {
    text.resize(text.len().max(at + len), 0);
    text[at..at + len].fill(byte);
}

impl Model {
    fn set(&mut self, text: Vec<u8>, kind: Kind) {
        self.kind = if kind == Kind::Raw && text.len() > INLINE_BYTES_MAX {
            Kind::Chunked
        } else {
            kind
        };
        self.text = text;
    }

    fn change(&mut self, at: usize, len: usize, byte: u8) {
        write(&mut self.text, at, len, byte);
        if self.kind != Kind::Chunked {
            self.kind = if self.text.len() > INLINE_BYTES_MAX {
                Kind::Chunked
            } else {
                Kind::Raw
            };
        }
    }

    fn check(&self, entry: &Entry) {
        assert_eq!(entry.key(), self.key);
        assert_eq!(entry.kind(), self.kind);
        assert_eq!(entry.deadline(), self.timer.map(|t| t.1));
        assert_eq!(entry.timer_index(), self.timer.map_or(NO_TIMER, |t| t.0));
        assert_eq!(entry.clock(), self.clock);
        let value = entry.as_string().expect("a string");
        assert_eq!(value.len(), self.text.len());
        assert!(value.to_vec() == self.text);
        let stored = if matches!(self.kind, Kind::Int | Kind::Chunked) {
            8
        } else {
            self.text.len()
        };
        let header = if self.key.len() > 255 || stored > 255 {
            12
        } else {
            6
        };
        let timer = if self.timer.is_some() { 10 } else { 0 };
        assert_eq!(
            entry.allocated_bytes(),
            size_class(header + timer + self.key.len() + stored)
        );
    }
}

/// The form in which a string is stored anew.
fn kind_of(text: &[u8]) -> Kind {
    match NewString::new(text) {
        NewString::Int(_) => Kind::Int,
        _ if text.len() <= EMBSTR_BYTES_MAX => Kind::Embstr,
        _ => Kind::Raw,
    }
}

/// Applies one step to both; images go to `images`.
fn apply(step: Step, entry: Entry, model: &mut Model, images: &mut Vec<(Image, Model)>) -> Entry {
    match step {
        Step::Int(n) => {
            model.set(n.to_string().into_bytes(), Kind::Int);
            entry.with_int(n)
        }
        Step::Text(len, byte) => {
            let text = vec![byte; len];
            model.set(text.clone(), kind_of(&text));
            entry.with_string(NewString::new(&text))
        }
        Step::Over(len, byte, clock) => {
            let text = vec![byte; len];
            let before = entry.allocated_bytes();
            let lay_here = model.kind != Kind::Chunked && model.timer.is_none();
            #[allow(unsafe_code)]
            // SAFETY: the entry is owned here, and nothing refers into it.
            let done = unsafe { entry.overwrite(NewString::new(&text), clock) };
            if done {
                assert!(lay_here && entry.allocated_bytes() == before);
                model.clock = clock;
                model.set(text.clone(), kind_of(&text));
            } else {
                // An equal length always fits.
                assert!(!lay_here || len != model.text.len() || kind_of(&text) != model.kind);
            }
            entry
        }
        Step::Raw(len, byte) => {
            model.set(vec![byte; len], Kind::Raw);
            entry.with_string(NewString::Raw(&vec![byte; len]))
        }
        Step::Range(at, len, byte) => {
            model.change(at, len, byte);
            entry.with_range(at, &vec![byte; len])
        }
        Step::Append(len, byte) => {
            let at = model.text.len();
            model.change(at, len, byte);
            entry.with_range(at, &vec![byte; len])
        }
        Step::Timer(timer) => {
            model.timer = timer;
            entry.with_timer(timer)
        }
        Step::Key(len) => {
            model.key = vec![b'k'; len];
            entry.with_key(&model.key)
        }
        Step::Clock(clock) => {
            model.clock = clock;
            entry.set_clock(clock);
            entry
        }
        Step::Image => {
            images.push((entry.image(), model.clone()));
            entry
        }
        Step::FromImage(_) if images.is_empty() => entry,
        Step::FromImage(index) => {
            let (image, at) = index.get(images);
            let key = std::mem::take(&mut model.key);
            *model = Model {
                key,
                timer: None,
                ..at.clone()
            };
            image.to_entry(&model.key)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_is_what_was_done_to_it(steps in vec(step(), 1..40)) {
        let mut model =
            Model { key: b"key".to_vec(), text: Vec::new(), kind: Kind::Embstr, timer: None, clock: 7 };
        let mut entry = Entry::string(&model.key, NewString::new(b""), model.clock);
        let mut images = Vec::new();
        for step in steps {
            entry = apply(step, entry, &mut model, &mut images);
            model.check(&entry);
        }
        for (image, at) in &images {
            prop_assert!(image.to_vec() == at.text);
            prop_assert_eq!(image.deadline(), at.timer.map(|t| t.1));
        }
        drop(entry);
        for (image, mut at) in images {
            at.timer = None;
            at.check(&image.to_entry(&at.key));
        }
    }

    #[test]
    fn classes_hold_their_content_and_waste_at_most_a_fifth(content in 6..1usize << 20) {
        let class = size_class(content);
        prop_assert!(class >= content && class.is_multiple_of(16));
        prop_assert_eq!(size_class(class), class);
        prop_assert!(class - content < 16.max(content / 4), "{} for {}", class, content);
    }
}

#[test]
fn the_classes_are_those_of_the_allocator() {
    let expected = [
        16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896,
        1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288,
        14336, 16384, 20480, 24576, 28672, 32768,
    ];
    let mut seen: Vec<usize> = (1..=32768).map(size_class).collect();
    seen.dedup();
    assert_eq!(seen, expected);
}

#[test]
fn a_small_entry_with_a_deadline_takes_one_class() {
    let entry = Entry::string(&[b'k'; 16], NewString::new(&[b'v'; 64]), 0);
    assert_eq!(entry.allocated_bytes(), 96);
    assert_eq!(entry.with_timer(Some((1, 2))).allocated_bytes(), 96);
}

/// What an entry shares with images is freed once, by whoever lets go last.
#[test]
fn chunks_are_shared_and_freed_once() {
    let big = |entry: &Entry| entry.outside_bytes();
    let entry = Entry::string(b"k", NewString::new(&vec![b'v'; 1 << 20]), 0);
    assert!(big(&entry) >= 1 << 20);
    let image = entry.image();
    let moved = entry
        .with_key(b"a longer key")
        .with_timer(Some((3, 4)))
        .with_key(b"l")
        .with_timer(None);
    let other = image.to_entry(b"other").with_int(5);
    drop(image);
    assert_eq!(other.as_string().map(|s| s.to_vec()), Some(b"5".to_vec()));
    let shrunk = moved
        .with_range(0, b"w")
        .with_string(NewString::new(b"small"));
    assert_eq!(big(&shrunk), 0);
}
