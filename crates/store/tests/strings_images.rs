//! Images of a 10 MB string while it is written to at random: each shows for ever what was there when it was taken.

use dunlin_store::{Entry, Image, NewString};

const STRING_BYTES: usize = 10 * 1000 * 1000;
const IMAGES: usize = 100;
const WRITES_PER_IMAGE: usize = 50;

/// Numbers that are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// A write as the log of the test keeps it: the model is built from these alone.
struct Write {
    offset: usize,
    bytes: Vec<u8>,
}

fn random_write(numbers: &mut Numbers, len: usize) -> Write {
    let offset = match numbers.below(4) {
        // APPEND, and now and then SETRANGE behind the end.
        0 => len,
        1 if numbers.below(10) == 0 => len + numbers.below(200_000),
        _ => numbers.below(len),
    };
    let size = if numbers.below(20) == 0 {
        1 + numbers.below(150_000)
    } else {
        1 + numbers.below(100)
    };
    Write {
        offset,
        bytes: vec![numbers.below(256) as u8; size],
    }
}

fn apply(model: &mut Vec<u8>, write: &Write) {
    let end = write.offset + write.bytes.len();
    model.resize(model.len().max(end), 0);
    model[write.offset..end].copy_from_slice(&write.bytes);
}

#[test]
fn a_hundred_images_stay_as_they_were() {
    let mut numbers = Numbers(11);
    let start: Vec<u8> = (0..STRING_BYTES).map(|i| (i % 253) as u8).collect();
    let mut entry = Entry::string(b"k", NewString::new(&start), 0);
    let mut writes: Vec<Write> = Vec::new();
    let mut images: Vec<Image> = Vec::new();
    for _ in 0..IMAGES {
        images.push(entry.image());
        for _ in 0..WRITES_PER_IMAGE {
            let len = entry.as_string().expect("a string").len();
            let write = random_write(&mut numbers, len);
            entry = entry.with_range(write.offset, &write.bytes);
            writes.push(write);
        }
    }
    // All images are alive; the model goes through the same writes once more and stops at each image's moment.
    let mut model = start;
    for (i, image) in images.iter().enumerate() {
        assert!(image.to_vec() == model, "image {i}");
        writes[i * WRITES_PER_IMAGE..(i + 1) * WRITES_PER_IMAGE]
            .iter()
            .for_each(|w| apply(&mut model, w));
    }
    assert!(
        entry.as_string().expect("a string").to_vec() == model,
        "the string itself"
    );
    // And they outlive it.
    drop(entry);
    assert_eq!(images[0].to_vec().len(), STRING_BYTES);
}

/// An image costs no copy: a hundred of them are taken of a string of half a gigabyte.
#[test]
fn an_image_of_a_huge_string_is_cheap() {
    let entry =
        Entry::string(b"k", NewString::Raw(b"start"), 0).with_range(512 * 1024 * 1024 - 3, b"end");
    let images: Vec<Image> = (0..IMAGES).map(|_| entry.image()).collect();
    let entry = entry.with_range(0, b"S");
    assert!(
        entry.outside_bytes() < 1024 * 1024,
        "{}",
        entry.outside_bytes()
    );
    let copy = images[99].to_entry(b"k");
    let Some(dunlin_store::StrRef::Chunked(text)) = copy.as_string() else {
        panic!("chunked")
    };
    assert!(text.slices(0, 5).flatten().eq(b"start"));
}
