//! Lists beside a std vector, by random operations, through both encodings and back; images never change.

mod common;

use common::{Images, Rng, operations};
use dunlin_store::list::{self, End, Fill, ListRef};
use dunlin_store::{Entry, Kind};

/// Of each of the four settings.
const OPERATIONS: usize = 30_000;
const SETTINGS: usize = 4;

trait Texts {
    fn text(&mut self) -> Vec<u8>;
    fn texts(&mut self, most: usize) -> Vec<Vec<u8>>;
    fn end(&mut self) -> End;
    fn range(&mut self, len: usize) -> std::ops::Range<usize>;
}

impl Texts for Rng {
    fn text(&mut self) -> Vec<u8> {
        match self.below(100) {
            0 => vec![b'x'; self.below(9000)],
            1..40 => (self.below(20) as i64 - 10).to_string().into_bytes(),
            40..50 => (self.below(1 << 40) as i64 - (1 << 39))
                .to_string()
                .into_bytes(),
            50..55 => Vec::new(),
            _ => format!("element:{}", self.below(30)).into_bytes(),
        }
    }

    fn texts(&mut self, most: usize) -> Vec<Vec<u8>> {
        (0..=self.below(most)).map(|_| self.text()).collect()
    }

    fn end(&mut self) -> End {
        if self.below(2) == 0 {
            End::Left
        } else {
            End::Right
        }
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        a.min(b)..a.max(b)
    }
}

fn push_model(model: &mut Vec<Vec<u8>>, texts: &[Vec<u8>], end: End) {
    match end {
        End::Left => {
            model.splice(0..0, texts.iter().rev().cloned());
        }
        End::Right => model.extend_from_slice(texts),
    }
}

fn assert_same(entry: &Entry, model: &[Vec<u8>]) {
    let list = ListRef::of(entry).expect("a list");
    assert_eq!(list.len(), model.len());
    assert!(list.iter().map(|e| e.to_vec()).eq(model.iter().cloned()));
    assert!(
        list.iter()
            .rev()
            .map(|e| e.to_vec())
            .eq(model.iter().rev().cloned())
    );
}

fn assert_parts(rng: &mut Rng, entry: &Entry, model: &[Vec<u8>]) {
    let list = ListRef::of(entry).expect("a list");
    let range = rng.range(model.len());
    let part = list.range(range.clone()).map(|e| e.to_vec());
    assert!(part.eq(model[range].iter().cloned()));
    let index = rng.below(model.len() + 2);
    let element = list.get(index).map(|e| e.to_vec());
    assert_eq!(element.as_ref(), model.get(index));
    let (text, most) = (rng.text(), rng.below(model.len() + 5));
    let mut found = Vec::new();
    list.matches(&text, End::Left, most, |at| {
        found.push(at);
        true
    });
    let looked_at = &model[..most.min(model.len())];
    let expected = (0..looked_at.len()).filter(|at| looked_at[*at] == text);
    assert!(found.iter().copied().eq(expected));
    let last = model.iter().rposition(|other| *other == text);
    let mut found = None;
    list.matches(&text, End::Right, model.len(), |at| {
        found = Some(at);
        false
    });
    assert_eq!(found, last);
}

/// One change of both; the list keeps at least an element.
fn change(rng: &mut Rng, entry: Entry, model: &mut Vec<Vec<u8>>, grows: bool, fill: Fill) -> Entry {
    let len = model.len();
    let what = if grows { rng.below(12) } else { rng.below(20) };
    match what {
        0..6 => {
            let (texts, end) = (rng.texts(4), rng.end());
            push_model(model, &texts, end);
            list::push(entry, texts.iter().map(Vec::as_slice), end, fill)
        }
        6..8 => {
            let (index, text) = (rng.below(len + 1), rng.text());
            model.insert(index, text.clone());
            list::insert(entry, index, &text, fill)
        }
        8..10 => {
            let (index, text) = (rng.below(len), rng.text());
            model[index].clone_from(&text);
            list::set(entry, index, &text, fill)
        }
        10 => {
            let mut range = rng.range(len);
            range.end = range.end.min(range.start + len / 8);
            model.drain(range.clone());
            list::remove(entry, range, fill)
        }
        11 => {
            let of = rng.below(6) + 2;
            let gone: Vec<usize> = (1..len).filter(|_| rng.below(of * 4) == 0).collect();
            gone.iter().rev().for_each(|at| {
                model.remove(*at);
            });
            list::remove_all(entry, &gone, fill)
        }
        _ if len > 1 => {
            let many = rng.below(len.min(6)).max(1);
            let range = match rng.end() {
                End::Left => 0..many,
                End::Right => len - many..len,
            };
            model.drain(range.clone());
            list::remove(entry, range, fill)
        }
        _ => entry,
    }
}

fn run(seed: u64, setting: i64) {
    let operations = operations(OPERATIONS * SETTINGS) / SETTINGS;
    let (mut rng, fill) = (Rng::new(seed), Fill::new(setting));
    let mut model = rng.texts(5);
    let texts = model.clone();
    let texts = texts.iter().map(Vec::as_slice);
    let mut entry = list::create(b"key", texts, End::Right, fill, 0);
    let mut images = Images::new();
    let (mut packed, mut big, mut packed_again) = (0, 0, 0);
    for step in 0..operations {
        let before = entry.kind();
        entry = change(&mut rng, entry, &mut model, step % 600 < 250, fill);
        match (before, entry.kind()) {
            (Kind::List, Kind::ListPacked) => packed_again += 1,
            (_, Kind::ListPacked) => packed += 1,
            (_, Kind::List) => big += 1,
            (_, other) => panic!("{other:?}"),
        }
        assert_parts(&mut rng, &entry, &model);
        if rng.below(50) == 0 {
            assert_same(&entry, &model);
            images.take(&mut rng, &entry, model.clone(), |image, shown| {
                assert_same(image, shown);
            });
        }
    }
    assert!(
        packed > operations / 50 && big > operations / 50 && packed_again > 2,
        "{setting}: {packed} {big} {packed_again}"
    );
    assert!(images.taken > operations / 100, "{}", images.taken);
    images.check_all(|image, shown| assert_same(image, shown));
}

#[test]
fn agrees_with_a_vector_limited_by_bytes() {
    run(1, -1);
    run(2, -2);
}

#[test]
fn agrees_with_a_vector_limited_by_elements() {
    run(3, 20);
    run(4, 100);
}
