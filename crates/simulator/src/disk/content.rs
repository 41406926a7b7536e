//! What is in one file: as programs see it, and as it would be after a loss of power.
//!
//! Invariant: a byte that was there at the last successful sync is what power loss leaves, unless a later write covers it.

use crate::random::Random;

/// A disk writes so many bytes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A change since the last sync.
#[derive(Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
}

/// A file's content.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// What reads see.
    live: Vec<u8>,
    /// What is on the medium.
    durable: Vec<u8>,
    /// What is in `live` and not in `durable`, in order. Empty after a sync that failed, too: the system believes then that it is clean.
    pending: Vec<Change>,
}

impl Content {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    #[cfg(test)]
    fn append(&mut self, bytes: &[u8]) {
        self.write(self.live.len() as u64, bytes);
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        put(&mut self.live, offset, bytes);
        self.pending.push(Change::Write {
            offset,
            bytes: bytes.to_vec(),
        });
    }

    pub(super) fn truncate(&mut self, len: u64) {
        self.live.resize(len as usize, 0);
        self.pending.push(Change::Truncate(len));
    }

    /// A sync that succeeds.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            self.reach(&change);
        }
    }

    /// A sync that fails, as Linux fails: some of it may have been written, and none of it will be tried again.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        self.write_some(random);
    }

    /// The power goes: what was not synced is there in part, and that is what reads see from now on.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        self.write_some(random);
        self.live.clone_from(&self.durable);
    }

    /// Lets some of what is pending reach the medium.
    fn write_some(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        match random.below(6) {
            // None.
            0 => {}
            1 => pending.iter().for_each(|change| self.reach(change)),
            // The first ones, and perhaps a piece of the next.
            2 | 3 if !pending.is_empty() => {
                let whole = random.below(pending.len());
                pending[..whole]
                    .iter()
                    .for_each(|change| self.reach(change));
                if random.one_in(2) {
                    self.tear(&pending[whole], random);
                }
            }
            // Any, in any state: a later one may be there without an earlier one.
            _ => {
                for change in &pending {
                    match random.below(3) {
                        0 => {}
                        1 => self.reach(change),
                        _ => self.tear(change, random),
                    }
                }
            }
        }
    }

    /// A change reaches the medium whole.
    fn reach(&mut self, change: &Change) {
        match change {
            Change::Truncate(len) => self.durable.resize(*len as usize, 0),
            Change::Write { offset, bytes } => put(&mut self.durable, *offset, bytes),
        }
    }

    /// A change reaches the medium in some of its sectors; others stay, are zero, or hold what was never written.
    fn tear(&mut self, change: &Change, random: &mut Random) {
        let Change::Write { offset, bytes } = change else {
            return self.reach(change);
        };
        let end = offset + bytes.len() as u64;
        let mut at = *offset;
        while at < end {
            let next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let next = next.min(end);
            let piece = &bytes[(at - offset) as usize..(next - offset) as usize];
            match random.below(8) {
                0..4 => put(&mut self.durable, at, piece),
                4 | 5 => {}
                6 => put(&mut self.durable, at, &vec![0; piece.len()]),
                _ => {
                    let garbage: Vec<u8> = piece.iter().map(|_| random.next_u64() as u8).collect();
                    put(&mut self.durable, at, &garbage);
                }
            }
            at = next;
        }
    }
}

/// Writes over what is there and behind the end.
fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + bytes.len());
    if content.len() < to {
        content.resize(to, 0);
    }
    content[from..to].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What power loss makes of `fill`ed content, for many seeds.
    fn outcomes(fill: impl Fn(&mut Content)) -> Vec<Vec<u8>> {
        let outcome = |seed| {
            let mut content = Content::default();
            fill(&mut content);
            content.lose_power(&mut Random::new(seed));
            content.live
        };
        (0..2_000).map(outcome).collect()
    }

    #[test]
    fn what_was_synced_stays() {
        for left in outcomes(|content| {
            content.append(&[1; 700]);
            content.sync();
            content.append(&[2; 700]);
        }) {
            assert!(left.len() >= 700 && left[..700].iter().all(|b| *b == 1));
        }
    }

    #[test]
    fn everything_that_can_happen_happens() {
        let left = outcomes(|content| {
            for n in 1..=3 {
                content.append(&[n; 2 * SECTOR_BYTES as usize]);
            }
        });
        let sector = SECTOR_BYTES as usize;
        let has = |what: &dyn Fn(&[u8]) -> bool| left.iter().any(|l| what(l));
        assert!(has(&|l| l.is_empty()), "nothing");
        assert!(has(&|l| l.len() == 6 * sector && l[5 * sector] == 3), "all");
        assert!(has(&|l| l.len() == 2 * sector && l[0] == 1), "a prefix");
        assert!(has(&|l| l.len() == sector && l[0] == 1), "torn at a sector");
        assert!(
            has(&|l| l.len() == 6 * sector && l[0] == 0 && l[5 * sector] == 3),
            "a later one without an earlier one"
        );
        assert!(has(&|l| l.iter().any(|b| *b > 3)), "what was never written");
    }

    #[test]
    fn a_failed_sync_is_not_made_good_by_another() {
        let lost = (0..100).filter(|seed| {
            let random = &mut Random::new(*seed);
            let mut content = Content::default();
            content.append(b"text");
            content.fail_sync(random);
            assert_eq!(content.live(), b"text", "reads see it still");
            content.sync();
            content.lose_power(random);
            content.live() != b"text"
        });
        assert!(lost.count() > 10);
    }

    #[test]
    fn what_is_written_over_is_there_as_before_or_after() {
        let left = outcomes(|content| {
            content.append(b"123456");
            content.sync();
            content.write(2, b"xy");
            content.write(5, b"zz");
        });
        for expected in [&b"123456"[..], b"12xy56", b"12345zz", b"12xy5zz"] {
            assert!(left.iter().any(|l| l == expected));
        }
        assert!(left.iter().all(|l| l.starts_with(b"12") && l[4] == b'5'));
    }

    #[test]
    fn truncating_is_a_change_like_others() {
        let left = outcomes(|content| {
            content.append(b"123456");
            content.sync();
            content.truncate(2);
            content.append(b"x");
        });
        for expected in [&b"123456"[..], b"12", b"12x"] {
            assert!(left.iter().any(|l| l == expected));
        }
    }
}
