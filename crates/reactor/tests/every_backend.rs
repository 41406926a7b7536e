//! The loop's behaviour, on the in-memory network and on every backend over real sockets: each scenario runs on all of them.

#[macro_use]
mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Script, Wire, World, reply};
use dunlin_reactor::backend::Backend;
use dunlin_reactor::{ConnState, Limits, PostError, Rope, Shared};

fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 % 251) as u8).collect()
}

on_every_backend!(bytes_come_back_in_order, Limits::default());
fn bytes_come_back_in_order<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    let mut client = world.connect();
    let sent = pattern(300_000);
    let mut got = Vec::new();
    let mut rest = sent.as_slice();
    while got.len() < sent.len() {
        let n = client.write(&rest[..rest.len().min(9_999)]).unwrap();
        rest = &rest[n..];
        world.step(&mut script);
        client.read(&mut got).unwrap();
    }
    assert!(got == sent);
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Eof");
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
}

on_every_backend!(unconsumed_bytes_are_shown_again, Limits::default());
fn unconsumed_bytes_are_shown_again<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Understands messages of 1,000 bytes only.
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            while input.bytes().len() >= 1_000 {
                reply(io, input.conn(), &input.bytes()[..1_000]);
                input.consume(1_000);
            }
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    let sent = pattern(50_000);
    for piece in sent.chunks(333) {
        world.write_all(&mut script, &mut client, piece);
    }
    assert!(world.read_exact(&mut script, &mut client, 50_000) == sent);
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
}

on_every_backend!(a_half_closed_peer_gets_its_replies, Limits::default());
fn a_half_closed_peer_gets_its_replies<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Answers only once all requests have come, with shared and owned bytes.
    let value = Arc::new(pattern(1_000_000));
    let mut script = Script::new(move |script, io, batch| {
        for input in batch {
            if input.is_eof() {
                assert_eq!(input.bytes(), b"one two ");
                input.consume(8);
                let mut rope = Rope::with_buffer(io.buffer());
                rope.tail().extend_from_slice(b"<");
                rope.push_shared(Shared {
                    bytes: Arc::clone(&value),
                    start: 0,
                    end: value.len(),
                });
                rope.tail().extend_from_slice(b">");
                io.send(input.conn(), &mut rope);
                script.log.push(format!("{:?}", io.state(input.conn())));
            }
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, b"one ");
    world.write_all(&mut script, &mut client, b"two ");
    client.shutdown();
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got.len(), 1_000_002);
    assert!(got[1..1_000_001] == pattern(1_000_000));
    assert!(script.log.contains(&format!("{:?}", ConnState::HalfClose)));
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed[0].1, "Eof");
}

on_every_backend!(
    a_paused_connection_keeps_what_came_before_its_end,
    Limits::default()
);
fn a_paused_connection_keeps_what_came_before_its_end<B: Backend, C: Wire>(mut world: World<B, C>) {
    let paused = Rc::new(Cell::new(true));
    let pause = Rc::clone(&paused);
    let mut script = Script::new(move |script, io, batch| {
        for input in batch {
            if pause.get() {
                io.pause_input(input.conn());
                continue;
            }
            let got = script.received.entry(input.conn()).or_default();
            got.extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
        }
    });
    let (mut client, conn) = world.connect_opened(&mut script);
    world.write_all(&mut script, &mut client, b"first");
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    let more = pattern(40_000);
    let mut rest = more.as_slice();
    while !rest.is_empty() {
        let n = client.write(rest).unwrap();
        rest = &rest[n..];
    }
    drop(client);
    world.until(&mut script, |s| s.log.contains(&"peer_closed".to_string()));
    assert_eq!(script.open.len(), 1, "unread data keeps it open");
    paused.set(false);
    world.event_loop.io().resume_input(conn);
    world.until(&mut script, |s| s.open.is_empty());
    let got = &script.received[&conn];
    assert!(got.starts_with(b"first") && got[5..] == more);
    assert_eq!(script.log.iter().filter(|l| *l == "peer_closed").count(), 1);
}

on_every_backend!(resumed_input_is_shown_without_new_bytes, Limits::default());
fn resumed_input_is_shown_without_new_bytes<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut shown = 0;
    let mut script = Script::new(move |script, io, batch| {
        for input in batch {
            shown += 1;
            if shown == 1 {
                io.pause_input(input.conn());
                io.set_timer(io.now_ms() + 5, 1);
                // Resumed at once: shown again next turn, and not before.
                io.resume_input(input.conn());
            } else {
                let n = input.bytes().len();
                script.log.push(format!("second {n}"));
                input.consume(n);
            }
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    assert_eq!(client.write(b"x").unwrap(), 1);
    world.until(&mut script, |s| s.log.contains(&"second 1".to_string()));
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
}

fn tight() -> Limits {
    Limits {
        output_soft_bytes: 100_000,
        output_hard_bytes: 50_000_000,
        ..Limits::default()
    }
}

on_every_backend!(a_peer_that_does_not_read_is_not_read, tight());
fn a_peer_that_does_not_read_is_not_read<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Each byte is answered with 1,000.
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            reply(io, input.conn(), &vec![b'x'; n * 1_000]);
            input.consume(n);
        }
    });
    let (mut slow, conn) = world.connect_opened(&mut script);
    let (mut other, _) = world.connect_opened(&mut script);
    let mut sent = 0;
    while world.event_loop.io().output_len(conn) <= 100_000 {
        sent += slow.write(&[b'r'; 10]).unwrap();
        world.step(&mut script);
    }
    let len = world.event_loop.io().output_len(conn);
    // One read of what had queued up may overshoot; it is not read beyond that.
    assert!(len > 100_000, "{len} bytes are queued");
    let inputs = |s: &Script| s.log.iter().filter(|l| l.starts_with("input 0")).count();
    let before = inputs(&script);
    sent += slow.write(b"r").unwrap();
    world.steps(&mut script, 50);
    assert_eq!(
        inputs(&script),
        before,
        "read although its output is above the limit"
    );
    world.write_all(&mut script, &mut other, b"r");
    assert_eq!(
        world.read_exact(&mut script, &mut other, 1_000).len(),
        1_000
    );
    assert_eq!(
        world.read_exact(&mut script, &mut slow, sent * 1_000).len(),
        sent * 1_000
    );
    assert!(script.log.contains(&"drained".to_string()));
    drop((slow, other));
    world.until(&mut script, |s| s.open.is_empty());
}

fn hard() -> Limits {
    Limits {
        output_soft_bytes: usize::MAX,
        output_hard_bytes: 20_000_000,
        ..Limits::default()
    }
}

on_every_backend!(too_much_output_closes_the_connection, hard());
fn too_much_output_closes_the_connection<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            reply(io, input.conn(), &vec![b'x'; 1_000_000]);
            input.consume(n);
        }
    });
    let (mut greedy, _) = world.connect_opened(&mut script);
    let (mut other, _) = world.connect_opened(&mut script);
    for _ in 0..10_000 {
        if script.closed.is_empty() {
            greedy.write(b"r").unwrap();
            world.step(&mut script);
        }
    }
    assert_eq!(script.closed[0].1, "OutputLimit");
    assert!(world.event_loop.io().buffered_bytes() < 1_000_000);
    world.write_all(&mut script, &mut other, b"r");
    world.read_exact(&mut script, &mut other, 1_000_000);
    drop((greedy, other));
    world.until(&mut script, |s| s.open.is_empty());
}

on_every_backend!(a_last_reply_survives_unread_input, Limits::default());
fn a_last_reply_survives_unread_input<B: Backend, C: Wire>(mut world: World<B, C>) {
    // Closes at the first input, while the client is still sending.
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            reply(io, input.conn(), &[b'e'; 200_000]);
            io.close_after_flush(input.conn());
            reply(io, input.conn(), b"too late");
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    client.write(&[b'x'; 60_000]).unwrap();
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    client.write(&[b'x'; 1_000]).unwrap();
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got.len(), 200_000);
    assert_eq!(script.closed.len(), 1);
    assert_eq!(script.closed[0].1, "Local");
    drop(client);
    world.steps(&mut script, 5);
    world.pass_ms(5);
    world.steps(&mut script, 5);
}

fn short_linger() -> Limits {
    Limits {
        linger_ms: 30,
        ..Limits::default()
    }
}

on_every_backend!(
    a_peer_that_never_closes_does_not_linger_for_ever,
    short_linger()
);
fn a_peer_that_never_closes_does_not_linger_for_ever<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            reply(io, input.conn(), &[b'e'; 5_000_000]);
            io.close_after_flush(input.conn());
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    client.write(&[b'x'; 60_000]).unwrap();
    let mut got = Vec::new();
    for _ in 0..100_000 {
        if !script.closed.is_empty() {
            break;
        }
        client.read(&mut got).unwrap();
        world.step(&mut script);
    }
    assert_eq!(script.closed[0].1, "Local");
    world.pass_ms(31);
    world.steps(&mut script, 3);
    world.event_loop.remote().stop(u64::MAX - 1);
    world.steps(&mut script, 4);
    assert!(world.event_loop.has_ended(), "a socket lingers");
    drop(client);
}

on_every_backend!(our_side_can_be_shut_first, Limits::default());
fn our_side_can_be_shut_first<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|script, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            let got = script.received.entry(input.conn()).or_default();
            got.extend_from_slice(input.bytes());
            input.consume(n);
            reply(io, input.conn(), b"bye");
            io.shutdown_write(input.conn());
            reply(io, input.conn(), b"dropped");
        }
    });
    let (mut client, conn) = world.connect_opened(&mut script);
    client.write(b"1").unwrap();
    let (got, end) = world.read_to_end(&mut script, &mut client);
    end.unwrap();
    assert_eq!(got, b"bye");
    assert_eq!(world.event_loop.io().state(conn), ConnState::HalfClose);
    world.write_all(&mut script, &mut client, b"23");
    world.until(&mut script, |s| s.received[&conn] == b"123");
    drop(client);
    world.until(&mut script, |s| s.open.is_empty());
}

on_every_backend!(stale_ids_do_nothing, Limits::default());
fn stale_ids_do_nothing<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|script, io, batch| {
        // The first of the batch closes everyone.
        for conn in script.open.clone() {
            io.close(conn);
        }
        for input in batch {
            reply(io, input.conn(), b"never");
            io.pause_input(input.conn());
            io.resume_input(input.conn());
            io.close_after_flush(input.conn());
            io.shutdown_write(input.conn());
            io.set_nodelay(input.conn(), true);
            assert_eq!(io.output_len(input.conn()), 0);
            assert_eq!(io.state(input.conn()), ConnState::Disconnected);
        }
    });
    let mut clients: Vec<C> = (0..5)
        .map(|_| world.connect_opened(&mut script).0)
        .collect();
    let old = script.open.clone();
    for client in &mut clients {
        client.write(b"x").unwrap();
    }
    world.until(&mut script, |s| s.open.is_empty());
    assert_eq!(script.closed.len(), 5);
    let (mut fresh, _) = world.connect_opened(&mut script);
    for conn in old {
        world.event_loop.io().close(conn);
        reply(&mut world.event_loop.io(), conn, b"never");
    }
    world.steps(&mut script, 3);
    assert_eq!(script.open.len(), 1, "an old id reached a new connection");
    assert_eq!(fresh.read(&mut Vec::new()).unwrap(), None);
    drop((fresh, clients));
    world.until(&mut script, |s| s.open.is_empty());
}

on_every_backend!(timers_fire_in_order_and_not_early, Limits::default());
fn timers_fire_in_order_and_not_early<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    world.step(&mut script);
    let mut io = world.event_loop.io();
    io.refresh_now();
    let now_ms = io.now_ms();
    io.set_timer(now_ms + 30, 30);
    io.set_timer(now_ms + 10, 10);
    let cancelled = io.set_timer(now_ms + 20, 20);
    io.set_timer(now_ms.saturating_sub(5), 0);
    io.cancel_timer(cancelled);
    io.cancel_timer(cancelled);
    world.step(&mut script);
    assert_eq!(script.log, ["timer 0"]);
    world.pass_ms(31);
    world.steps(&mut script, 2);
    assert_eq!(script.log, ["timer 0", "timer 10", "timer 30"]);
}

on_every_backend!(tasks_run_once_and_are_bounded, few_tasks());
fn few_tasks() -> Limits {
    Limits {
        tasks_max: 3,
        ..Limits::default()
    }
}
fn tasks_run_once_and_are_bounded<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    let ran = Arc::new(AtomicUsize::new(0));
    let remote = world.event_loop.remote();
    let task = || {
        let ran = Arc::clone(&ran);
        Box::new(move |_: &mut dunlin_reactor::Io<'_>| {
            ran.fetch_add(1, Ordering::Relaxed);
        })
    };
    for _ in 0..3 {
        remote.post(task()).unwrap();
    }
    assert!(matches!(remote.post(task()), Err(PostError::Full(_))));
    world.event_loop.run_once(&mut script).unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 3);
    assert_eq!(script.log, ["woken"]);
    remote.stop(0);
    remote.post(task()).unwrap();
    world.event_loop.run(&mut script).unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 4);
    assert!(matches!(remote.post(task()), Err(PostError::Ended(_))));
}

on_every_backend!(a_stop_finishes_what_was_received, Limits::default());
fn a_stop_finishes_what_was_received<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            reply(io, input.conn(), &vec![b'y'; n * 2_000]);
            input.consume(n);
        }
    });
    let (mut idle, _) = world.connect_opened(&mut script);
    let (mut busy, _) = world.connect_opened(&mut script);
    busy.write(&[b'x'; 1_000]).unwrap();
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    let at_ms = world.event_loop.io().now_ms() + 10_000;
    world.event_loop.remote().stop(at_ms);
    let (got, end) = world.read_to_end(&mut script, &mut idle);
    end.unwrap();
    assert!(got.is_empty());
    let (got, end) = world.read_to_end(&mut script, &mut busy);
    end.unwrap();
    assert_eq!(got.len() % 2_000, 0, "a reply was cut");
    assert!(!got.is_empty());
    drop((idle, busy));
    world.steps(&mut script, 1_000);
    assert!(world.event_loop.has_ended());
    assert_eq!(world.event_loop.report().cut, 0);
    assert_eq!(script.log.iter().filter(|l| *l == "stopping").count(), 1);
}

on_every_backend!(a_stop_cuts_at_its_deadline, Limits::default());
fn a_stop_cuts_at_its_deadline<B: Backend, C: Wire>(mut world: World<B, C>) {
    let endless = Arc::new(vec![b'y'; 20_000_000]);
    let mut script = Script::new(move |_, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            let mut rope = Rope::new();
            rope.push_shared(Shared {
                bytes: Arc::clone(&endless),
                start: 0,
                end: endless.len(),
            });
            io.send(input.conn(), &mut rope);
            input.consume(n);
        }
    });
    let stuck: Vec<C> = (0..3)
        .map(|_| {
            let (mut client, _) = world.connect_opened(&mut script);
            client.write(b"x").unwrap();
            client
        })
        .collect();
    let inputs = |s: &Script| s.log.iter().filter(|l| l.starts_with("input")).count();
    world.until(&mut script, |s| inputs(s) == 3);
    let mut io = world.event_loop.io();
    io.refresh_now();
    let at_ms = io.now_ms() + 60;
    world.event_loop.remote().stop(at_ms);
    world.steps(&mut script, 10);
    assert!(
        !world.event_loop.has_ended(),
        "it must wait for the slow peers"
    );
    world.pass_ms(61);
    world.steps(&mut script, 2);
    assert!(world.event_loop.has_ended());
    assert_eq!(world.event_loop.report().cut, 3);
    assert!(script.closed.iter().all(|(_, why)| why == "Deadline"));
    drop(stuck);
}

on_every_backend!(
    a_stop_does_not_wait_for_who_takes_nothing,
    Limits {
        stop_stall_ms: 1_000,
        ..Limits::default()
    }
);
fn a_stop_does_not_wait_for_who_takes_nothing<B: Backend, C: Wire>(mut world: World<B, C>) {
    let endless = Arc::new(vec![b'y'; 20_000_000]);
    let mut script = Script::new(move |_, io, batch| {
        for input in batch {
            let n = input.bytes().len();
            let mut rope = Rope::new();
            // More than the peer takes below, however large the system's buffers grow.
            for _ in 0..20 {
                rope.push_shared(Shared {
                    bytes: Arc::clone(&endless),
                    start: 0,
                    end: endless.len(),
                });
            }
            io.send(input.conn(), &mut rope);
            input.consume(n);
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    client.write(b"x").unwrap();
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    world.event_loop.remote().stop(u64::MAX);
    world.steps(&mut script, 10);
    // While it takes some now and then, it is waited for.
    let mut got = Vec::new();
    for _ in 0..5 {
        world.pass_ms(250);
        got.clear();
        client_reads(&mut client, &mut got);
        world.steps(&mut script, 10);
        assert!(!world.event_loop.has_ended());
    }
    // The system may make some more room meanwhile; then it takes nothing.
    for _ in 0..20 {
        world.steps(&mut script, 200);
        world.pass_ms(1_001);
        world.steps(&mut script, 2);
        if world.event_loop.has_ended() {
            break;
        }
    }
    assert!(world.event_loop.has_ended());
    assert_eq!(world.event_loop.report().cut, 1);
}

on_every_backend!(a_second_stop_ends_at_once, Limits::default());
fn a_second_stop_ends_at_once<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::new(|_, io, batch| {
        for input in batch {
            io.pause_input(input.conn());
        }
    });
    let (mut client, _) = world.connect_opened(&mut script);
    client.write(b"x").unwrap();
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    let remote = world.event_loop.remote();
    remote.stop(u64::MAX);
    world.steps(&mut script, 20);
    assert!(!world.event_loop.has_ended());
    remote.stop(0);
    world.step(&mut script);
    assert!(world.event_loop.has_ended());
    assert_eq!(world.event_loop.report().cut, 1);
    drop(client);
}

on_every_backend!(a_big_reply_does_not_stall_the_others, Limits::default());
fn a_big_reply_does_not_stall_the_others<B: Backend, C: Wire>(mut world: World<B, C>) {
    const BIG_BYTES: usize = 5_000_000;
    let value = Arc::new(pattern(BIG_BYTES));
    let mut script = Script::new(move |_, io, batch| {
        for input in batch {
            if input.bytes() == b"!" {
                let mut rope = Rope::new();
                rope.push_shared(Shared {
                    bytes: Arc::clone(&value),
                    start: 0,
                    end: value.len(),
                });
                io.send(input.conn(), &mut rope);
            } else {
                reply(io, input.conn(), b"small");
            }
            input.consume(input.bytes().len());
        }
    });
    let (mut heavy, _) = world.connect_opened(&mut script);
    let (mut light, _) = world.connect_opened(&mut script);
    heavy.write(b"!").unwrap();
    world.until(&mut script, |s| {
        s.log.iter().any(|l| l.starts_with("input"))
    });
    let mut got = Vec::new();
    let mut answered = 0;
    while got.len() < BIG_BYTES {
        client_reads(&mut heavy, &mut got);
        light.write(b"?").unwrap();
        assert_eq!(world.read_exact(&mut script, &mut light, 5), b"small");
        answered += usize::from(got.len() < BIG_BYTES);
    }
    assert!(answered > 3, "the light one waited for the heavy one");
    assert!(got == pattern(BIG_BYTES));
    drop((heavy, light));
    world.until(&mut script, |s| s.open.is_empty());
}

fn client_reads<C: Wire>(client: &mut C, out: &mut Vec<u8>) {
    while let Ok(Some(n)) = client.read(out) {
        assert_ne!(n, 0);
    }
}

on_every_backend!(many_connections_come_and_go, Limits::default());
fn many_connections_come_and_go<B: Backend, C: Wire>(mut world: World<B, C>) {
    let mut script = Script::echo();
    for round in 0..40 {
        let mut clients: Vec<C> = (0..20).map(|_| world.connect()).collect();
        for client in &mut clients {
            client.write(b"hello").unwrap();
        }
        if round % 2 == 0 {
            for client in &mut clients {
                assert_eq!(world.read_exact(&mut script, client, 5), b"hello");
            }
        }
        drop(clients);
        let due = (round + 1) * 20;
        world.until(&mut script, |s| s.closed.len() == due);
    }
    assert_eq!(world.event_loop.connections(), 0);
    assert!(
        script.closed.iter().all(|(c, _)| c.index() < 40),
        "slots are reused"
    );
    assert_eq!(world.event_loop.io().buffered_bytes(), 0);
}

on_every_backend!(the_handler_bounds_the_sleep, Limits::default());
fn the_handler_bounds_the_sleep<B: Backend, C: Wire>(mut world: World<B, C>) {
    use dunlin_reactor::Sleep;
    let mut script = Script::echo();
    world.step(&mut script);
    script.sleep_until_ms = Some(0);
    world.step(&mut script);
    assert_eq!(world.event_loop.sleep(), Sleep::Until(0));
    // So far that it is not due before it is looked at; the loop may look at it earlier, see `TimerWheel::next_tick`.
    let now_ms = world.event_loop.io().now_ms();
    world.event_loop.io().set_timer(now_ms + 50_000, 1);
    script.sleep_until_ms = None;
    world.step(&mut script);
    let Sleep::Until(timer_ms) = world.event_loop.sleep() else {
        panic!("it forgets its timer");
    };
    assert!(timer_ms > now_ms && timer_ms <= now_ms + 50_000);
    for (bound_ms, sleep_ms) in [(timer_ms - 1, timer_ms - 1), (timer_ms + 5, timer_ms)] {
        script.sleep_until_ms = Some(bound_ms);
        world.step(&mut script);
        assert_eq!(world.event_loop.sleep(), Sleep::Until(sleep_ms));
    }
}
