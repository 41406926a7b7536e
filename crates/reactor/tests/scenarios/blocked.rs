//! Writers that do not get on, and peers that die.

use dunlin_reactor::Limits;

use crate::common::{Script, Wire, reply};
use crate::deadlines::{BIG_BYTES, send_big};
use crate::fair::assert_sleeps;
use crate::site::{Played, Site};

pub(crate) fn a_slow_reader_blocks_the_writer_and_dies<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    send_big::<S>(&mut world, conn);
    world.until(&mut script, |s| s.backlog > 0);
    // It reads a little, so more is written; then nothing, so that the writer stands still.
    let mut got = Vec::new();
    let first = script.backlog;
    for _ in 0..100_000 {
        if script.backlog < first && got.len() > 1_000_000 {
            break;
        }
        client.read(&mut got).unwrap();
        world.step(&mut script);
    }
    assert!(script.backlog < first, "it does not go on");
    world.steps(&mut script, 2_000);
    let stuck = script.backlog;
    world.steps(&mut script, 50);
    assert_eq!(script.backlog, stuck, "it is not blocked");
    assert_eq!(world.event_loop.io().output_len(conn), stuck);
    // With bytes that it did not read, it dies of a reset.
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Reset");
    let written = BIG_BYTES - script.backlog;
    assert!(
        written >= got.len() && written < BIG_BYTES,
        "{written} bytes"
    );
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
    Ok(())
}

pub(crate) fn a_dead_peer_takes_part_of_a_write<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (client, conn) = world.connect_opened(&mut script);
    // Its end is not looked at, as by one who only writes.
    world.event_loop.io().pause_input(conn);
    drop(client);
    send_big::<S>(&mut world, conn);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Reset");
    let written = world.event_loop.stats().bytes_out as usize;
    assert!(written < BIG_BYTES, "the dead took everything");
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
    Ok(())
}

pub(crate) fn a_peer_dies_while_nobody_reads<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    let (mut other, _) = world.connect_opened(&mut script);
    world.event_loop.io().pause_input(conn);
    assert_eq!(client.write(b"unread").unwrap(), 6);
    world.steps(&mut script, 20);
    drop(client);
    world.until(&mut script, |s| s.log.contains(&"peer_closed".to_string()));
    // Told once; then the loop has nothing to do.
    world.steps(&mut script, 50);
    assert_sleeps::<S>(&mut world, &mut script);
    assert_eq!(script.log.iter().filter(|l| *l == "peer_closed").count(), 1);
    assert_eq!(script.open.len(), 2, "what it sent is not read yet");
    world.write_all(&mut script, &mut other, b"alive");
    world.until(&mut script, |s| {
        s.received.values().any(|got| got == b"alive")
    });
    world.event_loop.io().resume_input(conn);
    world.until(&mut script, |s| s.open.len() == 1);
    assert_eq!(script.received[&conn], b"unread");
    reply(&mut world.event_loop.io(), conn, b"to nobody");
    world.steps(&mut script, 3);
    Ok(())
}
