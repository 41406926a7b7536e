//! Ends of connections, from either side, with bytes under way.

use std::io::ErrorKind;

use dunlin_reactor::{ConnState, Limits};

use crate::common::{Script, Wire, reply};
use crate::site::{Played, Site};

pub(crate) fn unread_input_resets<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    world.event_loop.io().pause_input(conn);
    assert_eq!(client.write(b"nobody reads this").unwrap(), 17);
    world.steps(&mut script, 50);
    world.event_loop.io().close(conn);
    let (got, end) = world.read_to_end(&mut script, &mut client);
    assert_eq!(got, b"");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(script.closed[0].1, "Local");
    Ok(())
}

pub(crate) fn unread_output_resets<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (client, conn) = world.connect_opened(&mut script);
    reply(&mut world.event_loop.io(), conn, b"nobody reads this");
    world.steps(&mut script, 50);
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Reset");
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
    Ok(())
}

pub(crate) fn pending_output_comes_before_the_end<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    reply(&mut world.event_loop.io(), conn, &vec![b'p'; 5_000_000]);
    world.event_loop.io().close_after_flush(conn);
    world.steps(&mut script, 3);
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got.len(), 5_000_000);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Local");
    Ok(())
}

pub(crate) fn writing_after_close_does_nothing<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (mut client, conn) = world.connect_opened(&mut script);
    reply(&mut world.event_loop.io(), conn, b"before");
    world.event_loop.io().close_after_flush(conn);
    reply(&mut world.event_loop.io(), conn, b"after");
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got, b"before");
    world.until(&mut script, |s| s.open.is_empty());
    reply(&mut world.event_loop.io(), conn, b"long after");
    world.steps(&mut script, 3);
    assert_eq!(world.event_loop.io().state(conn), ConnState::Disconnected);
    assert_eq!(world.event_loop.stats().bytes_out, 6);
    Ok(())
}

pub(crate) fn writing_after_the_peer_closed_fails<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    let (client, conn) = world.connect_opened(&mut script);
    world.event_loop.io().pause_input(conn);
    drop(client);
    world.until(&mut script, |s| s.log.contains(&"peer_closed".to_string()));
    // To the writer, a peer that closed looks like one that shut its sending side down only: the first bytes find out, and bring a reset
    // that the second ones meet at the latest.
    for _ in 0..1_000 {
        if script.open.is_empty() {
            break;
        }
        reply(&mut world.event_loop.io(), conn, b"anyone there?");
        world.steps(&mut script, 5);
    }
    assert_eq!(script.closed.len(), 1, "it writes to nobody");
    assert_eq!(script.closed[0].1, "Reset");
    Ok(())
}

pub(crate) fn a_half_closed_peer_is_answered<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            if input.is_eof() {
                reply(io, input.conn(), &vec![b'a'; 1_000_000]);
            }
            input.consume(input.bytes().len());
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, b"last words");
    client.shutdown();
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got.len(), 1_000_000);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Eof");
    Ok(())
}
