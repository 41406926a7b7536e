//! Entries, values, stripes and their locks, expiry, images, the effect log. No I/O, no clock.
