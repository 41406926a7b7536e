//! Data structures without I/O or clock: dict, timing wheel, output rope.
