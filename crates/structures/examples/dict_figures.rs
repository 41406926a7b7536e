//! The dict beside `hashbrown::HashTable`: bytes per entry, time per operation, the slowest operation.
//!
//! `cargo run --release -p dunlin-structures --example dict_figures`. Times are CPU time, medians of five rounds over
//! random keys, with the hash included (it costs both sides the same 2 ns). Both tables hold pointers to entries of the same allocator.

#![allow(clippy::print_stdout, unsafe_code)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{Item, Keyed, Rng, hash_of};
use dunlin_structures::dict::{Dict, Handle, Root, Sighting};
use dunlin_structures::epoch::FreeNow;
use hashbrown::HashTable;
use rustix::time::{ClockId, clock_gettime};

/// The allocator of the server, with its huge pages, for both sides.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Entries of the timed tables.
const ENTRIES: u64 = 1_000_000;
const DICTS: usize = 256;
/// Requests that look ahead together.
const BATCH: usize = 64;
const ROUNDS: usize = 5;

fn main() {
    memory();
    slowest();
    times();
}

/// A hash whose top byte is the stripe.
fn hash(key: u64) -> u64 {
    Keyed::fair(1).hash(key) | Keyed::fair(2).hash(key) << 56
}

fn add(dict: &mut Dict<Item>, key: u64) {
    let hash = hash(key);
    dict.insert_new(hash, Item::new(key, 0, hash), hash_of, &mut FreeNow);
}

fn memory() {
    println!("bytes per entry, not counting the entry     dunlin   hashbrown");
    let report =
        |name: String, ours: f64, theirs: f64| println!("{name:40} {ours:9.2} {theirs:11.2}");
    let mut dict = Dict::new();
    let mut table = HashTable::new();
    let mut sums = (0.0, 0.0);
    let mut samples = 0;
    for n in 1..=ENTRIES {
        add(&mut dict, n);
        table.insert_unique(hash(n), n, |n| hash(*n));
        let (ours, theirs) = (
            dict.memory_bytes() as f64 / n as f64,
            table.allocation_size() as f64 / n as f64,
        );
        if [7, 100, 1_000, 3_900, 10_000, 100_000, 1_000_000].contains(&n) {
            report(format!("one dict, {n} entries"), ours, theirs);
        }
        if n >= 1_000 && n.is_multiple_of((n / 100).max(1)) {
            sums = (sums.0 + ours, sums.1 + theirs);
            samples += 1;
        }
    }
    let samples = f64::from(samples);
    report(
        "mean over 1000 .. 1000000".into(),
        sums.0 / samples,
        sums.1 / samples,
    );
    drop((dict, table));
    for per_dict in [100, 1_000, 3_900, 6_000] {
        let mut dicts: Vec<Dict<Item>> = (0..DICTS).map(|_| Dict::new()).collect();
        let mut tables: Vec<HashTable<u64>> = vec![HashTable::new(); DICTS];
        let n = per_dict * DICTS as u64;
        for key in 0..n {
            let hash_of_key = hash(key);
            let at = (hash_of_key >> 56) as usize;
            add(&mut dicts[at], key);
            tables[at].insert_unique(hash_of_key, key, |n| hash(*n));
        }
        let ours: usize = dicts.iter().map(Dict::memory_bytes).sum();
        let theirs: usize = tables.iter().map(HashTable::allocation_size).sum();
        let each = |bytes: usize| bytes as f64 / n as f64;
        report(
            format!("{DICTS} dicts, {per_dict} entries each"),
            each(ours),
            each(theirs),
        );
    }
}

/// The slowest single operations while one table grows to a million entries and is emptied again: the table's memory is made and
/// freed in that time, the entries are not. The clock's own 0.3 us and the machine's interruptions are in it, hence the tail
/// beside the maximum.
fn slowest() {
    println!("\nsingle operations, one table, us            mean  p99.9  p99.999    max");
    let mut dict = Dict::new();
    slowest_of(
        "dunlin, insert",
        (0..ENTRIES).map(|key| Item::new(key, 0, hash(key))),
        |item| {
            dict.insert_new(hash_of(&item), item, hash_of, &mut FreeNow);
        },
    );
    let mut gone = Vec::with_capacity(ENTRIES as usize);
    slowest_of("dunlin, find and remove", 0..ENTRIES, |key| {
        let slot = dict.find(hash(key), &key.to_be_bytes());
        gone.push(dict.remove(slot.expect("inserted before"), &mut FreeNow));
    });
    let mut table = HashTable::new();
    slowest_of("hashbrown, insert", gone.into_iter(), |item| {
        table.insert_unique(hash_of(&item), item, hash_of);
    });
    let mut gone = Vec::with_capacity(ENTRIES as usize);
    slowest_of("hashbrown, find and remove", 0..ENTRIES, |key| {
        gone.push(remove_theirs(&mut table, key));
    });
}

/// Times each call of `operation` with one of the items.
fn slowest_of<T>(name: &str, items: impl Iterator<Item = T>, mut operation: impl FnMut(T)) {
    let items: Vec<T> = items.collect();
    let mut times = Vec::with_capacity(items.len());
    for item in items {
        let start = cpu_time();
        operation(item);
        times.push((cpu_time() - start).as_nanos());
    }
    times.sort_unstable();
    let us = |nanos: u128| nanos as f64 / 1_000.0;
    let at = |part: f64| us(times[((times.len() - 1) as f64 * part) as usize]);
    let mean = us(times.iter().sum::<u128>()) / times.len() as f64;
    println!(
        "{name:40} {mean:7.2} {:6.2} {:8.2} {:6.2}",
        at(0.999),
        at(0.999_99),
        at(1.0)
    );
}

fn remove_theirs(table: &mut HashTable<Item>, key: u64) -> Item {
    let entry = table.find_entry(hash(key), |item| item.key() == key.to_be_bytes());
    entry.expect("inserted").remove().0
}

/// What this thread has used, so that a busy machine does not count.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("not negative")
}

/// Does `operation` after the one before has ended: as it is where more is done than operations on one table. Left alone, the
/// processor works on several at once.
fn apart<T>(operation: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it waits for the loads before it, and is part of every x86-64.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
    operation()
}

/// Nanoseconds per item of the median round.
fn time(items: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = cpu_time();
            round();
            (cpu_time() - start).as_nanos() as f64 / items as f64
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// How operations follow each other.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    /// As fast as the processor can.
    Free,
    /// One after the other.
    Apart,
    /// As fast as it can, after looking ahead for [`BATCH`] of them.
    Ahead,
}

impl Pace {
    fn step(self, operation: impl FnOnce()) {
        if self == Pace::Apart {
            apart(operation);
        } else {
            operation();
        }
    }
}

struct Ours {
    dicts: Vec<Dict<Item>>,
    roots: Vec<Root>,
}

impl Ours {
    fn at(&self, hash: u64) -> usize {
        (hash >> 56) as usize * self.dicts.len() / 256
    }

    fn new(dicts: usize) -> Self {
        Ours {
            dicts: (0..dicts).map(|_| Dict::new()).collect(),
            roots: (0..dicts).map(|_| Root::new()).collect(),
        }
    }

    fn filled(dicts: usize) -> Self {
        let mut ours = Ours::new(dicts);
        ours.fill(items(), Pace::Free);
        ours
    }

    fn find(&self, key: u64) -> u64 {
        let hash = hash(key);
        let dict = &self.dicts[self.at(hash)];
        dict.look_up(hash, &key.to_be_bytes())
            .map_or(0, |(_, item)| item.value() + 1)
    }

    /// What the server does for the commands that have arrived together before it runs the first.
    fn look_ahead(&self, hashes: &[u64]) {
        let mut sightings = [Sighting::default(); BATCH];
        let sightings = &mut sightings[..hashes.len()];
        // SAFETY: one thread, and nothing changes.
        unsafe {
            for (sighting, hash) in sightings.iter_mut().zip(hashes) {
                *sighting = self.roots[self.at(*hash)].sight(*hash);
            }
            let mut aways = 0;
            for at in 0..sightings.len() {
                sightings[aways] = sightings[at];
                aways += usize::from(sightings[at].prefetch_entry(1));
            }
            for sighting in &sightings[..aways] {
                sighting.prefetch_away(1);
            }
        }
    }

    fn find_ahead(&self, keys: &[u64]) -> u64 {
        let mut hashes = [0; BATCH];
        for (hash_of_key, key) in hashes.iter_mut().zip(keys) {
            *hash_of_key = hash(*key);
        }
        self.look_ahead(&hashes[..keys.len()]);
        keys.iter().map(|key| self.find(*key)).sum()
    }

    fn fill(&mut self, items: Vec<Item>, pace: Pace) {
        let mut items = items.into_iter();
        let mut hashes = [0; BATCH];
        while items.len() > 0 {
            let batch = items.len().min(BATCH);
            if pace == Pace::Ahead {
                for (hash, item) in hashes.iter_mut().zip(items.as_slice()) {
                    *hash = hash_of(item);
                }
                self.look_ahead(&hashes[..batch]);
            }
            for item in items.by_ref().take(batch) {
                pace.step(|| {
                    let hash = hash_of(&item);
                    let at = self.at(hash);
                    self.dicts[at].insert_new(hash, item, hash_of, &mut FreeNow);
                    self.roots[at].publish(&self.dicts[at]);
                });
            }
        }
    }

    /// Finds and removes the keys from 0 up to `ENTRIES`.
    fn empty(&mut self, gone: &mut Vec<Item>, pace: Pace) {
        let mut hashes = [0; BATCH];
        for first in (0..ENTRIES).step_by(BATCH) {
            let keys = first..ENTRIES.min(first + BATCH as u64);
            if pace == Pace::Ahead {
                for (hash_of_key, key) in hashes.iter_mut().zip(keys.clone()) {
                    *hash_of_key = hash(key);
                }
                self.look_ahead(&hashes[..(keys.end - first) as usize]);
            }
            for key in keys {
                pace.step(|| {
                    let hash = hash(key);
                    let at = self.at(hash);
                    let slot = self.dicts[at].find(hash, &key.to_be_bytes());
                    gone.push(self.dicts[at].remove(slot.expect("inserted"), &mut FreeNow));
                    self.roots[at].publish(&self.dicts[at]);
                });
            }
        }
    }
}

fn times() {
    let mut rng = Rng(1);
    let keys: Vec<u64> = (0..ENTRIES).map(|_| rng.next() % ENTRIES).collect();
    let absent: Vec<u64> = keys.iter().map(|key| key + ENTRIES).collect();
    let table = {
        let mut table = HashTable::new();
        for key in 0..ENTRIES {
            let hash = hash(key);
            table.insert_unique(hash, Item::new(key, 0, hash), hash_of);
        }
        table
    };
    let find_theirs = |key: u64| {
        let found = table.find(hash(key), |item: &Item| item.key() == key.to_be_bytes());
        found.map_or(0, |item| item.value() + 1)
    };
    println!("\nns per operation, {ENTRIES} entries              1 dict  {DICTS} dicts  hashbrown");
    let (one, many) = (Ours::filled(1), Ours::filled(DICTS));
    let n = keys.len();
    for (name, keys) in [("find, hit", &keys), ("find, miss", &absent)] {
        let each = |ours: &Ours| {
            time(n, || {
                black_box(keys.iter().map(|key| ours.find(*key)).sum::<u64>());
            })
        };
        let theirs = time(n, || {
            black_box(keys.iter().map(|key| find_theirs(*key)).sum::<u64>());
        });
        println!(
            "{name:40} {:9.1} {:9.1} {theirs:9.1}",
            each(&one),
            each(&many)
        );
        let apart = |find: &dyn Fn(u64) -> u64| {
            time(n, || {
                black_box(keys.iter().fold(0, |sum, key| sum + apart(|| find(*key))));
            })
        };
        println!(
            "{:40} {:9.1} {:9.1} {:9.1}",
            format!("{name}, one after the other"),
            apart(&|key| one.find(key)),
            apart(&|key| many.find(key)),
            apart(&find_theirs)
        );
        let ahead = |ours: &Ours| {
            time(n, || {
                black_box(
                    keys.chunks(BATCH)
                        .map(|keys| ours.find_ahead(keys))
                        .sum::<u64>(),
                );
            })
        };
        let name = format!("{name}, looking ahead by {BATCH}");
        println!(
            "{name:40} {:9.1} {:9.1}         -",
            ahead(&one),
            ahead(&many)
        );
    }
    drop((one, many, table));
    warm();
    growth();
}

/// Finds in a table that fits the cache: the instructions alone.
fn warm() {
    let mut rng = Rng(2);
    let n = 1_000;
    let keys: Vec<u64> = (0..ENTRIES).map(|_| rng.next() % n).collect();
    let mut dict = Dict::new();
    let mut table = HashTable::new();
    for key in 0..n {
        add(&mut dict, key);
        table.insert_unique(hash(key), Item::new(key, 0, hash(key)), hash_of);
    }
    let ours = time(keys.len(), || {
        let find = |key: &u64| {
            let found = dict.look_up(hash(*key), &key.to_be_bytes());
            found.map_or(0, |(_, item)| item.value() + 1)
        };
        black_box(keys.iter().map(find).sum::<u64>());
    });
    let theirs = time(keys.len(), || {
        let find = |key: &u64| {
            let found = table.find(hash(*key), |item: &Item| item.key() == key.to_be_bytes());
            found.map_or(0, |item| item.value() + 1)
        };
        black_box(keys.iter().map(find).sum::<u64>());
    });
    println!(
        "{:40} {ours:9.1}         - {theirs:9.1}",
        "find, 1000 entries, warm"
    );
}

fn items() -> Vec<Item> {
    (0..ENTRIES)
        .map(|key| Item::new(key, 0, hash(key)))
        .collect()
}

/// Filling and emptying, entries made and dropped outside the clock.
fn growth() {
    let mut times = [const { [const { Vec::new() }; 8] }; 2];
    for _ in 0..ROUNDS {
        let mut column = 0;
        for pace in [Pace::Free, Pace::Apart, Pace::Ahead] {
            for dicts in [1, DICTS] {
                let (items, mut gone) = (items(), Vec::with_capacity(ENTRIES as usize));
                let mut ours = Ours::new(dicts);
                let start = cpu_time();
                ours.fill(items, pace);
                times[0][column].push(cpu_time() - start);
                let start = cpu_time();
                ours.empty(&mut gone, pace);
                times[1][column].push(cpu_time() - start);
                column += 1;
            }
        }
        for pace in [Pace::Free, Pace::Apart] {
            let (items, mut gone) = (items(), Vec::with_capacity(ENTRIES as usize));
            let mut table = HashTable::new();
            let start = cpu_time();
            for item in items {
                pace.step(|| {
                    table.insert_unique(hash_of(&item), item, hash_of);
                });
            }
            times[0][column].push(cpu_time() - start);
            let start = cpu_time();
            for key in 0..ENTRIES {
                pace.step(|| gone.push(remove_theirs(&mut table, key)));
            }
            times[1][column].push(cpu_time() - start);
            column += 1;
        }
    }
    for (name, times) in ["insert, from empty", "remove, to empty"].iter().zip(times) {
        let nanos = times.map(|mut times: Vec<Duration>| {
            times.sort_unstable();
            times[ROUNDS / 2].as_nanos() as f64 / ENTRIES as f64
        });
        let [
            one,
            many,
            one_apart,
            many_apart,
            one_ahead,
            many_ahead,
            theirs,
            theirs_apart,
        ] = nanos;
        println!("{name:40} {one:9.1} {many:9.1} {theirs:9.1}");
        let row = format!("{name}, one after the other");
        println!("{row:40} {one_apart:9.1} {many_apart:9.1} {theirs_apart:9.1}");
        let row = format!("{name}, looking ahead by {BATCH}");
        println!("{row:40} {one_ahead:9.1} {many_ahead:9.1}         -");
    }
}
