//! Commands and transactions over the store. No I/O, no clock.
