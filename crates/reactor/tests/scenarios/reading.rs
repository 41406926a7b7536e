//! What a handler is shown of a stream.

use dunlin_reactor::Limits;

use crate::common::{Script, Wire};
use crate::site::{Played, Site};

/// Understands messages of ten bytes, and writes down each and what is left at the end.
pub(crate) fn tens() -> Script {
    Script::new(|script, _, batch| {
        for input in batch {
            while let Some(message) = input.bytes().get(..10) {
                let message = String::from_utf8_lossy(message).into_owned();
                script.log.push(format!("message {message}"));
                input.consume(10);
            }
            if input.is_eof() {
                let rest = String::from_utf8_lossy(input.bytes()).into_owned();
                script.log.push(format!("end {rest}"));
            }
        }
    })
}

/// What was understood.
pub(crate) fn understood(script: &Script) -> Vec<&str> {
    let lines = script.log.iter().map(String::as_str);
    lines
        .filter(|l| l.starts_with("message") || l.starts_with("end"))
        .collect()
}

fn inputs(script: &Script) -> usize {
    let lines = script.log.iter();
    lines.filter(|l| l.starts_with("input")).count()
}

pub(crate) fn connect_and_close<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::sink();
    drop(world.connect());
    world.until(&mut script, |s| !s.closed.is_empty());
    world.steps(&mut script, 5);
    assert_eq!(script.log, ["opened", "input 0 0 true", "closed 0 Eof"]);
    assert_eq!(world.event_loop.connections(), 0);
    Ok(())
}

pub(crate) fn idle_then_data<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::echo();
    let (mut client, _) = world.connect_opened(&mut script);
    for _ in 0..3 {
        world.pass_ms(10);
        world.steps(&mut script, 5);
        assert_eq!(script.log, ["opened"]);
    }
    world.write_all(&mut script, &mut client, b"at last");
    assert_eq!(world.read_exact(&mut script, &mut client, 7), b"at last");
    Ok(())
}

pub(crate) fn five_bytes_of_ten<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = tens();
    let (mut client, conn) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, b"01234");
    for _ in 0..10_000 {
        if world.event_loop.io().input_len(conn) == 5 {
            break;
        }
        world.step(&mut script);
    }
    assert_eq!(world.event_loop.io().input_len(conn), 5);
    assert!(inputs(&script) > 0 && understood(&script).is_empty());
    world.write_all(&mut script, &mut client, b"56789");
    world.until(&mut script, |s| !understood(s).is_empty());
    assert_eq!(understood(&script), ["message 0123456789"]);
    assert_eq!(world.event_loop.io().input_len(conn), 0);
    Ok(())
}

pub(crate) fn nineteen_bytes<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = tens();
    let (mut client, _) = world.connect_opened(&mut script);
    let mut rest = b"0123456789abcdefghi".as_slice();
    while !rest.is_empty() {
        rest = &rest[client.write(rest).unwrap()..];
    }
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(understood(&script), ["message 0123456789", "end abcdefghi"]);
    assert_eq!(script.closed[0].1, "Eof");
    Ok(())
}
