//! The dunlin binary: the server, and subcommands for the rest.
fn main() {}
