//! `server_cpulist` and `bio_cpulist`: the processors on which threads may run, such as `0-7:2` or `1,3`.
//!
//! Invariant: a list that cannot be followed is said in the log and changes nothing.

use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps this thread on the processors of a list; an empty one lets it run anywhere.
pub fn keep_to(list: &[u8], key: &str) {
    if list.is_empty() {
        return;
    }
    let Some(processors) = parse(list) else {
        tracing::warn!("{key} is no list of processors such as 0-7:2 or 1,3: it is passed over");
        return;
    };
    let mut set = CpuSet::new();
    processors.iter().for_each(|number| set.set(*number));
    if let Err(error) = sched_setaffinity(None, &set) {
        tracing::warn!("{key} can't be followed: {error}");
    }
}

/// Ranges with an optional step, separated by commas. `None` for anything else.
fn parse(list: &[u8]) -> Option<Vec<usize>> {
    let number = |text: &str| {
        let number = text.trim().parse::<usize>().ok()?;
        (number < CpuSet::MAX_CPU).then_some(number)
    };
    let mut all = Vec::new();
    for part in std::str::from_utf8(list).ok()?.split(',') {
        let (range, step) = match part.split_once(':') {
            Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(range)?, number(range)?),
        };
        all.extend((first.min(last)..=first.max(last)).step_by(step));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_those_of_redis() {
        for (list, expected) in [
            ("0", Some(vec![0])),
            ("0-3", Some(vec![0, 1, 2, 3])),
            ("0-7:2", Some(vec![0, 2, 4, 6])),
            ("1,3, 5", Some(vec![1, 3, 5])),
            ("3-1", Some(vec![1, 2, 3])),
            ("1-2,8-9:1", Some(vec![1, 2, 8, 9])),
            ("0-3:0", None),
            ("x", None),
            ("1,", None),
            ("-1", None),
            ("99999", None),
        ] {
            assert_eq!(parse(list.as_bytes()), expected, "{list}");
        }
    }
}
