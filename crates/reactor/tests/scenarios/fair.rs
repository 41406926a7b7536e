//! One connection must not live at the others' cost, nor the loop at the machine's.

use dunlin_reactor::{Limits, Sleep};

use crate::common::{Script, Wire, reply};
use crate::deadlines::send_big;
use crate::site::{Played, Site, WorldOf};

/// Rounds of question and answer beside the greedy one.
const ROUNDS: usize = 20;

/// Turns in which an answer must come, on a network that hesitates now and then.
const TURNS_MAX: usize = 100;

/// Turns that an idle loop may take until its timer is due: a wait may end early now and then.
const TURNS_ASLEEP_MAX: u64 = 5;

/// Asks and waits for the answer, with `meanwhile` called before each turn.
fn ask<S: Site>(
    world: &mut WorldOf<S>,
    script: &mut Script,
    client: &mut S::Client,
    mut meanwhile: impl FnMut(),
) {
    assert_eq!(client.write(b"?").unwrap(), 1);
    let mut got = Vec::new();
    for _ in 0..TURNS_MAX {
        meanwhile();
        world.step(script);
        client.read(&mut got).unwrap();
        if !got.is_empty() {
            assert_eq!(got, b"!");
            return;
        }
    }
    panic!("no answer in {TURNS_MAX} turns");
}

/// Answers questions, and counts what else comes.
fn answering() -> Script {
    Script::new(|script, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            if input.bytes() == b"?" {
                reply(io, input.conn(), b"!");
            } else {
                script.backlog += n;
            }
            input.consume(n);
        }
        script.log.clear();
    })
}

pub(crate) fn a_greedy_sender_does_not_starve_others<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = answering();
    let (mut greedy, _) = world.connect_opened(&mut script);
    let (mut modest, _) = world.connect_opened(&mut script);
    let flood = vec![b'f'; 1 << 20];
    for _ in 0..ROUNDS {
        ask::<S>(&mut world, &mut script, &mut modest, || {
            let _ = greedy.write(&flood).unwrap();
        });
    }
    let before = script.backlog;
    let _ = greedy.write(&flood).unwrap();
    world.until(&mut script, |s| s.backlog > before);
    assert!(
        script.backlog > ROUNDS,
        "the greedy one was not read at all"
    );
    Ok(())
}

pub(crate) fn a_greedy_reader_does_not_starve_others<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = answering();
    let (mut greedy, conn) = world.connect_opened(&mut script);
    let (mut modest, _) = world.connect_opened(&mut script);
    send_big::<S>(&mut world, conn);
    let mut got = Vec::new();
    for _ in 0..ROUNDS {
        ask::<S>(&mut world, &mut script, &mut modest, || {
            greedy.read(&mut got).unwrap();
        });
    }
    assert!(got.len() > ROUNDS, "the greedy one got nothing at all");
    assert!(
        world.event_loop.io().output_len(conn) > 0,
        "it had all before the others asked"
    );
    Ok(())
}

pub(crate) fn an_idle_loop_sleeps<S: Site>() -> Played {
    let mut world = S::world(Limits::default())?;
    let mut script = Script::echo();
    let (mut client, conn) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, b"hello");
    world.read_exact(&mut script, &mut client, 5);
    world.event_loop.io().pause_input(conn);
    let _ = client.write(b"and nobody reads on").unwrap();
    world.steps(&mut script, 200);
    assert_sleeps::<S>(&mut world, &mut script);
    Ok(())
}

/// Nothing is left in the queues, and the backend has nothing more to say: what comes next is the end of the sleep.
pub(crate) fn assert_sleeps<S: Site>(world: &mut WorldOf<S>, script: &mut Script) {
    assert_eq!(world.event_loop.sleep(), Sleep::Forever);
    let mut io = world.event_loop.io();
    io.refresh_now();
    let at_ms = io.now_ms() + 50;
    io.set_timer(at_ms, 9);
    let before = world.event_loop.stats().turns;
    while !script.log.contains(&"timer 9".to_string()) {
        let turns = world.event_loop.stats().turns - before;
        assert!(turns < TURNS_ASLEEP_MAX, "it turns instead of sleeping");
        if S::NAME == "memory" {
            // Its time does not move by waiting.
            world.pass_ms(25);
        }
        world.event_loop.run_once(script).unwrap();
    }
}
