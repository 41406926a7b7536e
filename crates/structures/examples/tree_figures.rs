//! The tree beside a skip list, as big forms of sorted sets: time per operation and bytes per member.
//!
//! `cargo run --release -p dunlin-structures --example tree_figures`. Times are CPU time in nanoseconds, medians of rounds over random
//! members of 16 bytes with random scores; ratios above 1 are the tree's favour. The skip list is built like Redis's: a level in four,
//! spans for ranks, a node and a member each in an allocation of their own.

#![allow(clippy::print_stdout, unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::cmp::Ordering;
use std::hint::black_box;
use std::ptr::null_mut;
use std::time::Duration;

use dunlin_structures::tree::{Probe, SortKey, Tree};
use rustix::time::{ClockId, clock_gettime};

const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Operations timed together, at least.
const OPERATIONS: usize = 200_000;
const ROUNDS: usize = 3;
const RANGE: usize = 100;

fn main() {
    println!(
        "{:>9} {:>8} {:>9} {:>9} {:>6}",
        "members", "what", "tree", "skip list", "ratio"
    );
    for size in SIZES {
        figures(size);
    }
}

fn figures(size: usize) {
    let names = ["insert", "find", "rank", "range", "delete"];
    let mut times: [[Vec<f64>; 2]; 5] = Default::default();
    let mut bytes = [0.0; 2];
    for round in 0..ROUNDS {
        let copies = (OPERATIONS / size).max(1);
        let tree = run::<Sorted>(size, copies, round as u64);
        let list = run::<SkipList>(size, copies, round as u64);
        for (what, times) in times.iter_mut().enumerate() {
            times[0].push(tree.0[what]);
            times[1].push(list.0[what]);
        }
        bytes = [tree.1, list.1];
    }
    for (name, [tree, list]) in names.iter().zip(&mut times) {
        let (tree, list) = (median(tree), median(list));
        println!(
            "{size:>9} {name:>8} {tree:>9.1} {list:>9.1} {:>6.2}",
            list / tree
        );
    }
    let [tree, list] = bytes;
    println!(
        "{size:>9} {:>8} {tree:>9.1} {list:>9.1} {:>6.2}",
        "bytes",
        list / tree
    );
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Nanoseconds for each operation, and bytes for each member, over `copies` of `size` different members: whose turn it is is random, as
/// it is among the keys of a server.
fn run<S: Opponent>(size: usize, copies: usize, seed: u64) -> ([f64; 5], f64) {
    let mut rng = Rng(seed * 7919 + 1);
    let mut items: Vec<(usize, f64, [u8; 16])> = (0..size * copies)
        .map(|at| {
            let score = (rng.next() % 1_000_000) as f64;
            let mut member = *b"member:000000000";
            member[7..15].copy_from_slice(&rng.next().to_le_bytes());
            (at % copies, score, member)
        })
        .collect();
    let mut shuffle = |items: &mut Vec<(usize, f64, [u8; 16])>| {
        for last in (1..items.len()).rev() {
            items.swap(last, (rng.next() % (last as u64 + 1)) as usize);
        }
    };
    let operations = items.len() as f64;
    let time = |f: &mut dyn FnMut()| {
        let start = cpu_time();
        f();
        (cpu_time() - start).as_nanos() as f64 / operations
    };
    let mut sides: Vec<S> = (0..copies).map(|_| S::new()).collect();
    shuffle(&mut items);
    let insert = time(&mut || {
        for (side, score, member) in &items {
            sides[*side].insert(*score, member);
        }
    });
    let bytes = sides.iter().map(S::bytes).sum::<usize>() as f64 / operations;
    shuffle(&mut items);
    let find = time(&mut || {
        for (side, score, member) in &items {
            assert!(sides[*side].find(*score, member));
        }
    });
    let rank = time(&mut || {
        for (side, score, member) in &items {
            black_box(sides[*side].rank(*score, member));
        }
    });
    let range = time(&mut || {
        for (at, (side, ..)) in items.iter().step_by(RANGE).enumerate() {
            black_box(sides[*side].range(at * 7919 % (size - RANGE + 1)));
        }
    }) * RANGE as f64;
    shuffle(&mut items);
    let delete = time(&mut || {
        for (side, score, member) in &items {
            sides[*side].delete(*score, member);
        }
    });
    ([insert, find, rank, range, delete], bytes)
}

trait Opponent {
    fn new() -> Self;
    fn insert(&mut self, score: f64, member: &[u8]);
    fn find(&self, score: f64, member: &[u8]) -> bool;
    fn rank(&self, score: f64, member: &[u8]) -> usize;
    /// Bytes and scores of so many members from a rank on, summed up.
    fn range(&self, from: usize) -> f64;
    fn delete(&mut self, score: f64, member: &[u8]);
    fn bytes(&self) -> usize;
}

/// xorshift64*, Vigna 2014.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

#[derive(Clone, Copy)]
struct Score(f64);

impl SortKey for Score {}

struct At<'a>(f64, &'a [u8]);

impl Probe<Score> for At<'_> {
    #[inline]
    fn by_key(&self, key: Score) -> Ordering {
        order(key.0, self.0)
    }
    #[inline]
    fn by_payload(&self, payload: &[u8]) -> Ordering {
        payload.cmp(self.1)
    }
}

struct Sorted(Tree<Score>);

impl Opponent for Sorted {
    fn new() -> Self {
        Sorted(Tree::new())
    }
    fn insert(&mut self, score: f64, member: &[u8]) {
        let (rank, _) = self.0.position(&At(score, member));
        self.0.insert(rank, Score(score), member);
    }
    fn find(&self, score: f64, member: &[u8]) -> bool {
        let (_, item) = self.0.position(&At(score, member));
        item.is_some_and(|(key, payload)| key.0 == score && payload == member)
    }
    fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.0.position(&At(score, member)).0
    }
    fn range(&self, from: usize) -> f64 {
        let to = (from + RANGE).min(self.0.len());
        let items = self.0.range(from..to);
        items
            .map(|(score, member)| score.0 + f64::from(member[member.len() - 2]))
            .sum()
    }
    fn delete(&mut self, score: f64, member: &[u8]) {
        let (rank, _) = self.0.position(&At(score, member));
        self.0.remove(rank);
    }
    fn bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

const LEVELS_MAX: usize = 32;

#[derive(Clone, Copy)]
#[repr(C)]
struct Level {
    next: *mut Node,
    span: usize,
}

/// Behind it stand its levels, behind its member's length its bytes.
#[repr(C)]
struct Node {
    member: *mut u8,
    len: usize,
    score: f64,
    before: *mut Node,
}

/// What an allocator of jemalloc's classes takes.
fn class(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.next_multiple_of(16).max(8);
    }
    let spacing = 1usize << (usize::BITS - 3 - (bytes - 1).leading_zeros());
    bytes.next_multiple_of(spacing)
}

fn node_layout(levels: usize) -> Layout {
    let bytes = size_of::<Node>() - size_of::<usize>() + levels * size_of::<Level>();
    Layout::from_size_align(bytes + size_of::<usize>(), 8).expect("a small node")
}

impl Node {
    fn make(score: f64, member: &[u8], levels: usize) -> *mut Node {
        // SAFETY: both layouts are not empty, and what is written lies inside.
        unsafe {
            let text = alloc(Layout::from_size_align_unchecked(member.len() + 2, 1));
            text.copy_from_nonoverlapping(member.as_ptr(), member.len());
            let node = alloc(node_layout(levels)).cast::<Node>();
            node.write(Node {
                member: text,
                len: member.len(),
                score,
                before: null_mut(),
            });
            for level in 0..levels {
                Node::level(node, level).write(Level {
                    next: null_mut(),
                    span: 0,
                });
            }
            node
        }
    }

    unsafe fn level(node: *mut Node, level: usize) -> *mut Level {
        // SAFETY: the levels stand behind the node, and the caller knows how many.
        unsafe { node.add(1).cast::<Level>().add(level) }
    }

    unsafe fn free(node: *mut Node, levels: usize) {
        // SAFETY: the layouts of `make`.
        unsafe {
            let len = (*node).len;
            dealloc(
                (*node).member,
                Layout::from_size_align_unchecked(len + 2, 1),
            );
            dealloc(node.cast(), node_layout(levels));
        }
    }

    unsafe fn is_before(node: *mut Node, score: f64, member: &[u8]) -> bool {
        // SAFETY: a node of the list.
        unsafe {
            let order = order((*node).score, score);
            order.then_with(|| std::slice::from_raw_parts((*node).member, (*node).len).cmp(member))
                == Ordering::Less
        }
    }
}

struct SkipList {
    head: *mut Node,
    len: usize,
    level: usize,
    random: Rng,
    bytes: usize,
}

impl SkipList {
    /// For each level the last node before the place, and its rank.
    fn path(&self, score: f64, member: &[u8]) -> [(*mut Node, usize); LEVELS_MAX] {
        let mut path = [(self.head, 0); LEVELS_MAX];
        let (mut node, mut rank) = (self.head, 0);
        for level in (0..self.level).rev() {
            // SAFETY: nodes of the list have the levels through which they are reached.
            unsafe {
                loop {
                    let Level { next, span } = *Node::level(node, level);
                    if next.is_null() || !Node::is_before(next, score, member) {
                        break;
                    }
                    rank += span;
                    node = next;
                }
            }
            path[level] = (node, rank);
        }
        path
    }

    fn place(&self, score: f64, member: &[u8]) -> (*mut Node, usize) {
        let (mut node, mut rank) = (self.head, 0);
        for level in (0..self.level).rev() {
            // SAFETY: as in `path`.
            unsafe {
                loop {
                    let Level { next, span } = *Node::level(node, level);
                    if next.is_null() || !Node::is_before(next, score, member) {
                        break;
                    }
                    rank += span;
                    node = next;
                }
            }
        }
        // SAFETY: every node has a lowest level.
        (unsafe { (*Node::level(node, 0)).next }, rank)
    }
}

impl Opponent for SkipList {
    fn new() -> Self {
        SkipList {
            head: Node::make(0.0, b"", LEVELS_MAX),
            len: 0,
            level: 1,
            random: Rng(99),
            bytes: class(node_layout(LEVELS_MAX).size()),
        }
    }

    fn insert(&mut self, score: f64, member: &[u8]) {
        let mut path = self.path(score, member);
        let mut levels = 1;
        while levels < LEVELS_MAX && self.random.next() >> 62 == 0 {
            levels += 1;
        }
        let node = Node::make(score, member, levels);
        self.bytes += class(node_layout(levels).size()) - 8 + class(member.len() + 2);
        let rank = path[0].1;
        // SAFETY: the path's nodes have the levels on which they stand.
        unsafe {
            for (level, place) in path.iter_mut().enumerate().take(levels).skip(self.level) {
                *place = (self.head, 0);
                (*Node::level(self.head, level)).span = self.len;
            }
            self.level = self.level.max(levels);
            for (level, (before, before_rank)) in path.iter().enumerate().take(levels) {
                let left = Node::level(*before, level);
                let inside = rank - before_rank;
                *Node::level(node, level) = Level {
                    next: (*left).next,
                    span: (*left).span - inside,
                };
                *left = Level {
                    next: node,
                    span: inside + 1,
                };
            }
            for (level, (before, _)) in path.iter().enumerate().take(self.level).skip(levels) {
                (*Node::level(*before, level)).span += 1;
            }
            (*node).before = path[0].0;
        }
        self.len += 1;
    }

    fn find(&self, score: f64, member: &[u8]) -> bool {
        let (node, _) = self.place(score, member);
        // SAFETY: null or a node of the list.
        !node.is_null()
            && unsafe {
                (*node).score == score
                    && std::slice::from_raw_parts((*node).member, (*node).len) == member
            }
    }

    fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.place(score, member).1
    }

    fn range(&self, from: usize) -> f64 {
        let (mut node, mut rank) = (self.head, 0);
        let mut sum = 0.0;
        // SAFETY: as in `path`.
        unsafe {
            for level in (0..self.level).rev() {
                loop {
                    let Level { next, span } = *Node::level(node, level);
                    if next.is_null() || rank + span > from {
                        break;
                    }
                    rank += span;
                    node = next;
                }
            }
            for _ in 0..RANGE {
                node = (*Node::level(node, 0)).next;
                if node.is_null() {
                    break;
                }
                let member = std::slice::from_raw_parts((*node).member, (*node).len);
                sum += (*node).score + f64::from(member[member.len() - 2]);
            }
        }
        sum
    }

    fn delete(&mut self, score: f64, member: &[u8]) {
        let path = self.path(score, member);
        // SAFETY: as in `insert`; the node is in the list.
        unsafe {
            let node = (*Node::level(path[0].0, 0)).next;
            let mut levels = 0;
            for (level, (before, _)) in path.iter().enumerate().take(self.level) {
                let left = Node::level(*before, level);
                if (*left).next == node {
                    levels += 1;
                    let gone = *Node::level(node, level);
                    *left = Level {
                        next: gone.next,
                        span: (*left).span + gone.span - 1,
                    };
                } else {
                    (*left).span -= 1;
                }
            }
            let next = (*Node::level(path[0].0, 0)).next;
            if !next.is_null() {
                (*next).before = path[0].0;
            }
            Node::free(node, levels);
        }
        self.len -= 1;
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for SkipList {
    fn drop(&mut self) {
        // SAFETY: the measurements leave the head alone.
        unsafe {
            assert!((*Node::level(self.head, 0)).next.is_null());
            Node::free(self.head, LEVELS_MAX);
        }
    }
}
