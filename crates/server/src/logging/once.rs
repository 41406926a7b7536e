//! A condition that lasts is named once: when it begins, and with its count when it has passed.

use std::sync::atomic::{AtomicU64, Ordering};

/// One condition, such as "out of descriptors". Shared between threads.
#[derive(Debug, Default)]
pub struct Once {
    times: AtomicU64,
}

impl Once {
    /// A condition that does not hold yet.
    pub const fn new() -> Self {
        Self {
            times: AtomicU64::new(0),
        }
    }

    /// Notes that the condition holds. True the first time since it began: say it now.
    pub fn begins(&self) -> bool {
        self.times.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Notes that the condition has passed. Returns how often it was noted, 0 if it did not hold.
    pub fn ends(&self) -> u64 {
        // The common case, asked often, must not write to a shared line.
        if self.times.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.times.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_once_until_it_ends() {
        let out_of_descriptors = Once::new();
        assert_eq!(out_of_descriptors.ends(), 0);
        assert!(out_of_descriptors.begins());
        assert!(!out_of_descriptors.begins());
        assert!(!out_of_descriptors.begins());
        assert_eq!(out_of_descriptors.ends(), 3);
        assert!(out_of_descriptors.begins());
    }
}
