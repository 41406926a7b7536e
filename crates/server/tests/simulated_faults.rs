//! The server under network faults, in small: `cargo xtask simulate` runs the same with as many seeds as one likes.

#![allow(clippy::disallowed_methods)]

mod faults;
mod world;

use faults::{Bug, Counts};

/// Seeds of the run in small.
const SEEDS: u64 = 200;
/// Seeds among which a planted bug must be found.
const SEEDS_TO_FIND: u64 = 200;

#[test]
fn nothing_is_wrong_whatever_the_network_does() {
    let mut counts = Counts::default();
    for seed in 0..SEEDS {
        match faults::run(seed, None, false).result {
            Ok(seen) => counts.add(&seen),
            Err(what) => panic!("{what}\nto see it again: cargo xtask simulate --seed {seed}"),
        }
    }
    // A run in which little happens would show nothing.
    assert!(counts.connections > 10 * SEEDS, "{counts:?}");
    assert!(counts.replies > 100 * SEEDS, "{counts:?}");
    assert!(counts.messages > SEEDS, "{counts:?}");
    assert!(counts.popped > SEEDS, "{counts:?}");
    assert!(counts.incremented > 10 * SEEDS, "{counts:?}");
    assert!(counts.struck > SEEDS, "{counts:?}");
    assert!(counts.vanished > SEEDS, "{counts:?}");
    assert!(counts.reset > SEEDS, "{counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..10 {
        let first = faults::run(seed, None, true);
        let again = faults::run(seed, None, true);
        assert!(first.trace == again.trace, "seed {seed}: another trace");
        assert_eq!(first.digest, again.digest);
        assert!(first.trace.lines().count() > 20, "seed {seed}");
        let other = faults::run(seed + 1, None, true);
        assert!(first.trace != other.trace, "the seed is not used");
    }
}

#[test]
fn planted_bugs_are_found() {
    let bugs = [
        Bug::WrongConnection,
        Bug::Swapped,
        Bug::Doubled,
        Bug::Lost,
        Bug::Leaked,
        Bug::Deaf,
    ];
    for bug in bugs {
        let found = (0..SEEDS_TO_FIND).find_map(|seed| {
            let report = faults::run(seed, Some(bug), false);
            report.result.err().map(|what| (seed, what))
        });
        let Some((seed, what)) = found else {
            panic!("{bug:?} was not found among {SEEDS_TO_FIND} seeds");
        };
        eprintln!("{bug:?}: found by seed {seed}: {what}");
        let without = faults::run(seed, None, false).result;
        assert!(without.is_ok(), "seed {seed} fails without it, too");
    }
}
