//! Sets of integers: sorted numbers of one width inside the entry.
