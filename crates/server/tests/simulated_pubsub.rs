//! Pub/sub in the simulated server: publishers, subscribers of both workers and one who comes and goes, in a seeded order.
//!
//! Shown here: every subscriber gets every message of its channels once, those of one publisher in their order; events of keys come in
//! the order of their changes; the same seed gives the same trace, byte for byte.

#![allow(clippy::disallowed_methods)]

mod world;

use std::sync::Arc;

use dunlin_reactor::backend::memory::Client;
use dunlin_resp::reply;

use world::{ADDRESS, World};

/// Enough turns for any run; more means that something hangs.
const STEPS_MAX: usize = 3_000_000;
const CHANNELS: usize = 3;
const SUBSCRIBERS: usize = 6;
const PUBLISHERS: usize = 3;
/// Messages of each publisher, in turn to each channel.
const MESSAGES: usize = 300;
/// Changes of one key, and what their events are called.
const CHANGES: usize = 100;
const NAMES: [&str; 3] = ["set", "append", "setrange"];

/// A seeded generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

struct Actor {
    client: Client,
    outgoing: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// Lines that it waits for: those that begin so, and how many.
    wanted: (&'static str, usize),
}

impl Actor {
    fn new(world: &World) -> Actor {
        let address = ADDRESS.parse().expect("an address");
        Actor {
            client: world.network.connect(address).expect("the server listens"),
            outgoing: Vec::new(),
            sent: 0,
            received: Vec::new(),
            wanted: ("", 0),
        }
    }

    fn push(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        reply::request(&mut self.outgoing, &words);
    }

    /// Sends or receives a little.
    fn act(&mut self, rng: &mut Rng, trace: &mut Vec<u8>, index: usize) {
        if self.sent < self.outgoing.len() {
            let len = 1 + rng.below((self.outgoing.len() - self.sent).min(300));
            let part = &self.outgoing[self.sent..self.sent + len];
            self.sent += self.client.write(part).unwrap_or(0);
        }
        let before = self.received.len();
        let _ = self.client.read(&mut self.received, 1 + rng.below(4_096));
        if self.received.len() > before {
            trace.extend_from_slice(format!("{index}:").as_bytes());
            trace.extend_from_slice(&self.received[before..]);
        }
    }

    fn lines(&self, prefix: &str) -> Vec<&str> {
        let text = std::str::from_utf8(&self.received).expect("all is text");
        text.split("\r\n")
            .filter(|line| line.starts_with(prefix))
            .collect()
    }

    fn is_done(&self) -> bool {
        self.sent == self.outgoing.len() && self.lines(self.wanted.0).len() >= self.wanted.1
    }
}

/// Lets everybody act in a seeded order until they have what they wait for.
fn play(world: &mut World, actors: &mut [Actor], rng: &mut Rng, trace: &mut Vec<u8>) {
    for step in 0.. {
        assert!(
            step < STEPS_MAX,
            "clients wait for messages that don't come"
        );
        match rng.below(10) {
            0..=4 => {
                let index = rng.below(actors.len());
                actors[index].act(rng, trace, index);
            }
            part => {
                world.step(part % 2);
            }
        }
        if step % 1_000 == 0 && actors.iter().all(Actor::is_done) {
            return;
        }
    }
}

fn run(seed: u64) -> Vec<u8> {
    let mut rng = Rng(seed);
    let mut world = World::new(seed, &["--notify-keyspace-events", "K$"]);
    let mut trace = Vec::new();
    // On one worker and the other in turn.
    let mut actors: Vec<Actor> = (0..SUBSCRIBERS).map(|_| Actor::new(&world)).collect();
    for (index, actor) in actors.iter_mut().enumerate() {
        if index >= CHANNELS {
            actor.push("HELLO 3");
        }
        actor.push(&format!("SUBSCRIBE c{}", index % CHANNELS));
        actor.wanted = ("subscribe", 1);
    }
    let mut events = Actor::new(&world);
    events.push("PSUBSCRIBE __keyspace@*");
    events.wanted = ("psubscribe", 1);
    actors.push(events);
    play(&mut world, &mut actors, &mut rng, &mut trace);
    for (index, actor) in actors.iter_mut().enumerate() {
        actor.wanted = match index {
            SUBSCRIBERS => ("__keyspace@0", CHANGES),
            _ => ("p", PUBLISHERS * MESSAGES / CHANNELS),
        };
    }
    let mut changes = Vec::new();
    for publisher in 0..PUBLISHERS {
        let mut actor = Actor::new(&world);
        for number in 0..MESSAGES {
            let publish = format!("PUBLISH c{} p{publisher}-{number}", number % CHANNELS);
            match number % 10 {
                // A transaction, now and then.
                3 => {
                    actor.push("MULTI");
                    actor.push(&publish);
                    actor.push("EXEC");
                }
                _ => actor.push(&publish),
            }
            if publisher == 0 && number % (MESSAGES / CHANGES) == 0 {
                let at = rng.below(3);
                actor.push(["SET n 0", "APPEND n 1", "SETRANGE n 0 7"][at]);
                changes.push(NAMES[at]);
            }
        }
        actors.push(actor);
    }
    let mut comes_and_goes = Actor::new(&world);
    for _ in 0..100 {
        comes_and_goes.push("SUBSCRIBE c0 c1");
        comes_and_goes.push(["UNSUBSCRIBE", "UNSUBSCRIBE c0", "RESET"][rng.below(3)]);
    }
    actors.push(comes_and_goes);
    play(&mut world, &mut actors, &mut rng, &mut trace);
    for (index, actor) in actors.iter().enumerate().take(SUBSCRIBERS) {
        for publisher in 0..PUBLISHERS {
            let got = actor.lines(&format!("p{publisher}-"));
            let of_channel = (0..MESSAGES).filter(|number| number % CHANNELS == index % CHANNELS);
            let expected: Vec<String> = of_channel.map(|n| format!("p{publisher}-{n}")).collect();
            assert_eq!(got, expected, "seed {seed}, subscriber {index}");
        }
    }
    let pubsub = Arc::clone(&world.engine.pubsub);
    let told = actors[SUBSCRIBERS].lines("");
    let told: Vec<&str> = told
        .into_iter()
        .filter(|line| NAMES.contains(line))
        .collect();
    assert_eq!(told, changes, "seed {seed}");
    assert!(pubsub.subscribers() > SUBSCRIBERS);
    // All gone: nothing is left of them.
    drop(actors);
    for step in 0..STEPS_MAX {
        if pubsub.subscribers() == 0 {
            break;
        }
        world.step(step % 2);
    }
    let left = dunlin_engine::pubsub::Kind::ALL.map(|kind| pubsub.len(kind));
    assert_eq!((left, pubsub.subscribers()), ([0; 3], 0));
    trace
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let first = run(1);
    assert!(first == run(1), "the same seed, another trace");
    assert!(
        first != run(2),
        "another seed, the same trace: the seed is not used"
    );
}

#[test]
fn every_message_arrives_once_and_in_order() {
    (10..30).for_each(|seed| drop(run(seed)));
}

#[test]
fn a_publisher_waits_for_a_worker_that_does_not_take_its_mail() {
    const LENGTH: usize = 100_000;
    const COUNT: usize = 100;
    let mut world = World::new(1, &["--client-output-buffer-limit", "pubsub 0 0 0"]);
    let (mut publisher, mut subscriber) = (Actor::new(&world), Actor::new(&world));
    let (mut rng, mut trace) = (Rng(1), Vec::new());
    subscriber.push("SUBSCRIBE c");
    subscriber.wanted = ("subscribe", 1);
    play(
        &mut world,
        std::slice::from_mut(&mut subscriber),
        &mut rng,
        &mut trace,
    );
    let text = "m".repeat(LENGTH);
    (0..COUNT).for_each(|_| publisher.push(&format!("PUBLISH c {text}")));
    let send = |world: &mut World, actor: &mut Actor| {
        actor.sent += actor
            .client
            .write(&actor.outgoing[actor.sent..])
            .unwrap_or(0);
        let _ = actor.client.read(&mut actor.received, usize::MAX);
        world.step(0);
        world.network.advance_ms(1);
    };
    // The subscriber's worker, the second one, does nothing meanwhile.
    (0..2_000).for_each(|_| send(&mut world, &mut publisher));
    assert!(world.engine.pubsub.has_mail(1) && world.engine.pubsub.is_congested());
    let published = publisher.lines(":1").len();
    assert!((40..46).contains(&published), "{published} of {COUNT}");
    for _ in 0..20_000 {
        send(&mut world, &mut publisher);
        world.step(1);
        let _ = subscriber.client.read(&mut subscriber.received, usize::MAX);
    }
    assert_eq!(publisher.lines(":1").len(), COUNT);
    assert_eq!(subscriber.lines("mmm").len(), COUNT);
    assert!(!world.engine.pubsub.is_congested());
}
