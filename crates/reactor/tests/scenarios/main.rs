//! The network scenarios: what a library for servers must get right between its users and the network, on every backend.
//!
//! Each is one function over a [`site::Site`], that is over a backend and its clients; the table of them is below. The page
//! docs/reactor-scenarios.md is written from a run: see `table`.
//!
//! Invariant: no scenario depends on how fast the machine is. Times are lower bounds, or bounds for what hangs.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod accepting;
mod blocked;
mod deadlines;
mod ends;
mod fair;
mod reading;
mod site;
mod table;

use site::{InMemory, OnSystem};

/// Makes the tests of all scenarios, and the list of their names and what they say.
macro_rules! scenarios {
    ($($module:ident $name:ident $says:literal)*) => {
        /// Name, and what it shows.
        const SCENARIOS: &[(&str, &str)] = &[$((stringify!($name), $says)),*];

        $(mod $name {
            use super::*;

            #[test]
            fn memory() {
                let scene = || site::under_seeds($module::$name::<InMemory>);
                table::play(stringify!($name), "memory", scene);
            }

            for_each_system_backend!(on_one_backend($module $name));
        })*
    };
}

macro_rules! on_one_backend {
    (($module:ident $name:ident) $id:ident $backend:ty) => {
        #[test]
        fn $id() {
            table::play(
                stringify!($name),
                stringify!($id),
                $module::$name::<OnSystem<$backend>>,
            );
        }
    };
}

scenarios! {
    reading connect_and_close "A peer connects and closes: its end is shown, and nothing else"
    reading idle_then_data "A peer is idle, then sends: nothing is shown before"
    reading five_bytes_of_ten "Five bytes of a message of ten: they are kept until the others come"
    reading nineteen_bytes "Nineteen bytes and the end: a message of ten, then nine with the end"
    deadlines a_deadline_stays_expired "A read deadline that has passed stays expired until it is set anew; what comes meanwhile is not lost"
    deadlines timeout_data_timeout_data_end "Time-out, data, time-out, data, end"
    deadlines a_read_deadline_tells_the_partial_count "Five bytes of ten, then a time-out: it says five"
    deadlines a_write_deadline_tells_the_partial_count "A peer reads nothing: the write times out, says how much was written, and can go on"
    deadlines a_write_in_time_is_not_told "A write deadline that passes after the write says nothing, and holds for the next write"
    blocked a_slow_reader_blocks_the_writer_and_dies "A slow reader blocks the writer, then dies: part was written, then a reset"
    blocked a_dead_peer_takes_part_of_a_write "A peer that is dead, which nobody knows yet, takes part of a write, then it fails"
    blocked a_peer_dies_while_nobody_reads "A connection whose input is paused: its peer's end is told once, without a busy loop"
    ends unread_input_resets "Closing with unread input resets the connection"
    ends unread_output_resets "A peer that closes with unread input resets ours"
    ends pending_output_comes_before_the_end "Closing with pending output: all of it, then the end"
    ends writing_after_close_does_nothing "Writing to a connection that was closed does nothing"
    ends writing_after_the_peer_closed_fails "Writing after the peer closed: the first bytes bring a reset, the second ones fail"
    ends a_half_closed_peer_is_answered "Writing after the peer shut its sending side down: it gets all"
    accepting a_full_backlog_drains "A full backlog: who found it full is served once there is room"
    accepting descriptors_run_out "Descriptors run out: accepting pauses, does not spin, and goes on"
    accepting one_connection_wakes_one_loop "Several loops on one port: a connection wakes one of them"
    fair a_greedy_sender_does_not_starve_others "A peer that sends without end: the others are served"
    fair a_greedy_reader_does_not_starve_others "A peer that reads without end: the others are served"
    fair an_idle_loop_sleeps "Nothing happens: the loop sleeps"
}
