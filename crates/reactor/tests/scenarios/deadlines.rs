//! Deadlines of reading and of writing.

use std::sync::{Arc, LazyLock};

use dunlin_reactor::{ConnId, Limits, Rope, Shared};

use crate::common::{Script, Wire, reply};
use crate::reading::{tens, understood};
use crate::site::{Played, Site, WorldOf};

/// How far off a deadline is set that is to pass.
const SOON_MS: u64 = 20;

/// How far off one is set that is not.
const FAR_MS: u64 = 3_600_000;

/// More than any socket's buffers hold.
pub(crate) const BIG_BYTES: usize = 40_000_000;

fn now_ms<S: Site>(world: &mut WorldOf<S>) -> u64 {
    let mut io = world.event_loop.io();
    io.refresh_now();
    io.now_ms()
}

fn told<'a>(script: &'a Script, what: &str) -> Vec<&'a str> {
    let lines = script.log.iter().map(String::as_str);
    lines.filter(|l| l.starts_with(what)).collect()
}

/// Lets a deadline pass that was set [`SOON_MS`] ahead.
fn pass<S: Site>(world: &mut WorldOf<S>, script: &mut Script) {
    world.pass_ms(SOON_MS + 1);
    world.steps(script, 10);
}

pub(crate) fn a_deadline_stays_expired<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = tens();
    let (mut client, conn) = world.connect_opened(&mut script);
    let now_ms = now_ms::<S>(&mut world);
    // It is in the past from the beginning: expired at once, as one that passes.
    world
        .event_loop
        .io()
        .set_read_deadline(conn, Some(now_ms - 1));
    world.steps(&mut script, 3);
    assert_eq!(told(&script, "read_deadline"), ["read_deadline 0"]);
    world.write_all(&mut script, &mut client, b"0123456789");
    world.steps(&mut script, 50);
    world.pass_ms(5);
    world.steps(&mut script, 50);
    assert_eq!(
        understood(&script),
        [""; 0],
        "it was read although its time is over"
    );
    assert_eq!(told(&script, "read_deadline").len(), 1, "it is told once");
    world
        .event_loop
        .io()
        .set_read_deadline(conn, Some(now_ms + FAR_MS));
    world.until(&mut script, |s| !understood(s).is_empty());
    assert_eq!(understood(&script), ["message 0123456789"]);
    // Withdrawn, it does not come back.
    world.event_loop.io().set_read_deadline(conn, Some(now_ms));
    world.event_loop.io().set_read_deadline(conn, None);
    world.write_all(&mut script, &mut client, b"abcdefghij");
    world.until(&mut script, |s| understood(s).len() == 2);
    assert_eq!(told(&script, "read_deadline").len(), 1);
    Ok(())
}

pub(crate) fn timeout_data_timeout_data_end<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = tens();
    let (mut client, conn) = world.connect_opened(&mut script);
    for (round, data) in [b"0123456789", b"abcdefghij"].iter().enumerate() {
        let at_ms = now_ms::<S>(&mut world) + SOON_MS;
        world.event_loop.io().set_read_deadline(conn, Some(at_ms));
        world.steps(&mut script, 3);
        pass::<S>(&mut world, &mut script);
        assert_eq!(
            told(&script, "read_deadline"),
            vec!["read_deadline 0"; round + 1]
        );
        let at_ms = now_ms::<S>(&mut world) + FAR_MS;
        world.event_loop.io().set_read_deadline(conn, Some(at_ms));
        world.write_all(&mut script, &mut client, *data);
        world.until(&mut script, |s| understood(s).len() == round + 1);
    }
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(understood(&script)[2], "end ");
    assert_eq!(script.closed[0].1, "Eof");
    Ok(())
}

pub(crate) fn a_read_deadline_tells_the_partial_count<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = tens();
    let (mut client, conn) = world.connect_opened(&mut script);
    let at_ms = now_ms::<S>(&mut world) + FAR_MS;
    world.event_loop.io().set_read_deadline(conn, Some(at_ms));
    world.write_all(&mut script, &mut client, b"01234");
    for _ in 0..10_000 {
        if world.event_loop.io().input_len(conn) == 5 {
            break;
        }
        world.step(&mut script);
    }
    // An hour passes for the in-memory network only; the others set a new one, which counts anew.
    world.event_loop.io().set_read_deadline(conn, None);
    let at_ms = now_ms::<S>(&mut world) + SOON_MS;
    world.event_loop.io().set_read_deadline(conn, Some(at_ms));
    world.write_all(&mut script, &mut client, b"567");
    for _ in 0..10_000 {
        if world.event_loop.io().input_len(conn) == 8 || !told(&script, "read_").is_empty() {
            break;
        }
        world.step(&mut script);
    }
    pass::<S>(&mut world, &mut script);
    let left = world.event_loop.io().input_len(conn);
    assert!((5..=8).contains(&left), "{left} bytes are kept");
    let expected = format!("read_deadline {}", left - 5);
    assert_eq!(told(&script, "read_deadline"), [expected]);
    // Nothing is lost by it.
    world.event_loop.io().set_read_deadline(conn, None);
    world.write_all(&mut script, &mut client, b"89");
    world.until(&mut script, |s| !understood(s).is_empty());
    assert_eq!(understood(&script), ["message 0123456789"]);
    Ok(())
}

/// Hands [`BIG_BYTES`] over.
pub(crate) fn send_big<S: Site>(world: &mut WorldOf<S>, conn: ConnId) {
    static BIG: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(vec![b'b'; BIG_BYTES]));
    let mut rope = Rope::new();
    rope.push_shared(Shared {
        bytes: Arc::clone(&BIG),
        start: 0,
        end: BIG_BYTES,
    });
    world.event_loop.io().send(conn, &mut rope);
}

pub(crate) fn a_write_deadline_tells_the_partial_count<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    send_big::<S>(&mut world, conn);
    let mut written = 0;
    // On a machine so busy that nothing is written in the time, there is more of it.
    for ahead_ms in [SOON_MS, 10 * SOON_MS, 100 * SOON_MS] {
        script.log.clear();
        let at_ms = now_ms::<S>(&mut world) + ahead_ms;
        world.event_loop.io().set_write_deadline(conn, Some(at_ms));
        world.steps(&mut script, 500);
        world.pass_ms(ahead_ms + 1);
        world.steps(&mut script, 10);
        let lines = told(&script, "write_deadline");
        assert_eq!(lines.len(), 1, "{lines:?}");
        written = lines[0]["write_deadline ".len()..].parse().unwrap();
        if written > 0 {
            break;
        }
    }
    assert!(written > 0 && written < BIG_BYTES, "{written} bytes");
    let left = world.event_loop.io().output_len(conn);
    assert_eq!(written + left, BIG_BYTES);
    // The peer gets what was written, and no more while it is expired.
    let got = world.read_exact(&mut script, &mut client, written).len();
    world.steps(&mut script, 50);
    assert_eq!(client.read(&mut Vec::new()).unwrap(), None);
    assert_eq!(world.event_loop.io().output_len(conn), left);
    world.event_loop.io().set_write_deadline(conn, None);
    world.step(&mut script);
    let rest = world.read_exact(&mut script, &mut client, left).len();
    assert_eq!(got + rest, BIG_BYTES);
    Ok(())
}

pub(crate) fn a_write_in_time_is_not_told<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    let now_ms = now_ms::<S>(&mut world);
    world
        .event_loop
        .io()
        .set_write_deadline(conn, Some(now_ms + FAR_MS));
    reply(&mut world.event_loop.io(), conn, b"in time");
    assert_eq!(world.read_exact(&mut script, &mut client, 7), b"in time");
    world.event_loop.io().set_write_deadline(conn, Some(now_ms));
    world.steps(&mut script, 5);
    assert_eq!(told(&script, "write_deadline"), [""; 0]);
    reply(&mut world.event_loop.io(), conn, b"late");
    world.steps(&mut script, 20);
    assert_eq!(told(&script, "write_deadline"), ["write_deadline 0"]);
    assert_eq!(client.read(&mut Vec::new()).unwrap(), None);
    // Whoever gives up with courtesy gives its last bytes the time they need.
    world.event_loop.io().close_after_flush(conn);
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got, b"late");
    Ok(())
}
