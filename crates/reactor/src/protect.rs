//! What keeps a loop usable when peers come in crowds, or come to hold it up: a rate of accepting, connections counted by address.
//!
//! Invariant: with the limits that are the default nothing is counted and no lock is taken. A place that an address takes is given back
//! exactly once, whatever becomes of the connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections of a pool each address has.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressCounts {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place among those of its address. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    counts: AddressCounts,
}

impl AddressCounts {
    /// A place for one more connection from `address`, if it has fewer than `max`.
    pub(crate) fn take(&self, address: IpAddr, max: usize) -> Option<Place> {
        let address = address.to_canonical();
        let mut counts = self.lock();
        let count = counts.entry(address).or_insert(0);
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place {
            address,
            counts: self.clone(),
        })
    }

    /// Every change is one call, so a panic elsewhere leaves the counts right.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// A rate that may be exceeded for a moment: what a second allows may come at once.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Rate {
    /// Millionths of one.
    budget: u64,
    last_us: u64,
}

const ONE: u64 = 1_000_000;

impl Rate {
    /// Whether there is one of `per_s` to be had; else after how many microseconds there will be.
    pub(crate) fn may(&mut self, per_s: u32, now_us: u64) -> Result<(), u64> {
        let per_s = u64::from(per_s.max(1));
        let passed_us = now_us.saturating_sub(self.last_us).min(ONE);
        self.last_us = now_us;
        self.budget = (self.budget + passed_us * per_s).min(per_s * ONE);
        if self.budget < ONE {
            return Err((ONE - self.budget).div_ceil(per_s));
        }
        Ok(())
    }

    /// One was had.
    pub(crate) fn count(&mut self) {
        self.budget = self.budget.saturating_sub(ONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let counts = AddressCounts::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = counts.take(one, 2).unwrap();
        // The same address, as a socket for both families names it.
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001]);
        let second = counts.take(mapped, 2).unwrap();
        assert!(counts.take(one, 2).is_none());
        assert!(counts.take(other, 2).is_some());
        drop(first);
        let third = counts.take(one, 2).unwrap();
        drop((second, third));
        assert!(counts.lock().is_empty());
    }

    #[test]
    fn a_rate_allows_a_second_at_once_and_then_one_by_one() {
        let mut rate = Rate::default();
        let start_us = 5 * ONE;
        for _ in 0..10 {
            assert_eq!(rate.may(10, start_us), Ok(()));
            rate.count();
        }
        assert_eq!(rate.may(10, start_us), Err(100_000));
        assert_eq!(rate.may(10, start_us + 40_000), Err(60_000));
        assert_eq!(rate.may(10, start_us + 100_000), Ok(()));
        rate.count();
        assert_eq!(rate.may(10, start_us + 100_001), Err(99_999));
        // A clock that stands still or goes back gives nothing.
        assert!(rate.may(10, start_us).is_err());
    }
}
