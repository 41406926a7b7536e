//! Pub/sub: one publisher, many subscribers of its channel; what a delivery costs the server, and how many there are in a second.
//!
//! The publisher keeps a few batches of PUBLISH on their way, and every subscriber reads every byte: what is counted was delivered.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use super::Plan;
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

const SUBSCRIBERS: usize = 200;
const CHANNEL: &[u8] = b"channel";
const MESSAGE: [u8; 64] = [b'm'; 64];
/// PUBLISH commands that are sent together, with the bar for the server's CPU per delivery beside the peer's.
const BATCHES: [(usize, Bar); 2] = [(16, Bar::RatioAtMost(0.9)), (1, Bar::None)];
/// Batches on their way before the first one's replies are waited for.
const AHEAD: usize = 4;
/// Deliveries with two workers over those with one.
const SPEED_UP_MIN: f64 = 1.3;

/// What a round showed.
#[derive(Copy, Clone, Debug)]
struct Round {
    per_s: f64,
    /// The server's, for each delivery.
    cpu_us: f64,
    /// The load's.
    load_us: f64,
}

type Figure = fn(&Round) -> f64;

/// Measures the peer, and ours with one and two workers.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let ours = |workers: usize, cores: &str| {
        let workers = plan.workers(workers);
        Fan::new(&plan.ours.clone().on(cores).with(&workers), plan.quick)
    };
    let mut fans = [
        ours(1, &plan.cores.one)?,
        ours(2, &plan.cores.two)?,
        Fan::new(&plan.peer.clone().on(&plan.cores.one), plan.quick)?,
    ];
    let mut rows = Vec::new();
    for (batch, cpu_bar) in BATCHES {
        let mut results = [Vec::new(), Vec::new(), Vec::new()];
        // The first round warms up.
        for round in 0..=plan.rounds {
            for (fan, results) in fans.iter_mut().zip(&mut results) {
                let measured = fan.round(batch, plan.round_s)?;
                if round > 0 {
                    results.push(measured);
                }
            }
        }
        let middle =
            |side: usize, of: Figure| median(&results[side].iter().map(of).collect::<Vec<_>>());
        let per_s: Figure = |round| round.per_s;
        let cpu_us: Figure = |round| round.cpu_us;
        // Whatever the second worker does, these two cores have to carry the load, too.
        let shared = plan.cores.shared.then(|| {
            let load_us = middle(0, |round| round.load_us);
            2e6 / (middle(0, cpu_us) + load_us)
        });
        rows.push(Row {
            what: format!("batches of {batch}, server CPU"),
            unit: "us/delivery",
            ours: middle(0, cpu_us),
            peer: middle(2, cpu_us),
            better: Better::Less,
            bar: cpu_bar,
            floor: None,
            charted: true,
        });
        rows.push(Row {
            what: format!("batches of {batch}, delivered"),
            unit: "messages/s",
            ours: middle(0, per_s),
            peer: middle(2, per_s),
            better: Better::More,
            bar: Bar::None,
            floor: None,
            charted: true,
        });
        rows.push(Row {
            what: format!(
                "batches of {batch}, delivered by two workers of ours, beside one worker of ours"
            ),
            unit: "messages/s",
            ours: middle(1, per_s),
            peer: middle(0, per_s),
            better: Better::More,
            bar: if batch > 1 {
                Bar::RatioAtLeast(SPEED_UP_MIN)
            } else {
                Bar::None
            },
            floor: shared,
            charted: false,
        });
    }
    Ok(Report {
        name: "pubsub",
        title: "Pub/sub",
        how: format!(
            "One publisher, {SUBSCRIBERS} subscribers of its channel, messages of {} bytes; batches of PUBLISH with {AHEAD} on their way; every byte is \
             read by every subscriber, on another core than the server; medians of {} rounds of {} s, the servers taking turns. On a machine of two cores \
             the load shares one with the second worker: possible is what two cores deliver if a delivery costs server and load what it costs them with \
             one worker, and nothing else takes time.",
            MESSAGE.len(),
            plan.rounds,
            plan.round_s
        ),
        rows,
    })
}

/// A server, its publisher and its subscribers.
struct Fan {
    server: Server,
    publisher: Client,
    subscribers: Vec<Client>,
}

impl Fan {
    fn new(launch: &Launch, quick: bool) -> Result<Fan> {
        let server = launch.start()?;
        let count = if quick { SUBSCRIBERS / 10 } else { SUBSCRIBERS };
        let mut subscribers = Vec::new();
        for _ in 0..count {
            let mut client = server.client()?;
            let confirmed = client.call(&[b"SUBSCRIBE", CHANNEL])?;
            ensure!(matches!(confirmed, Reply::Array(_)), "{confirmed:?}");
            subscribers.push(client);
        }
        Ok(Fan {
            publisher: server.client()?,
            server,
            subscribers,
        })
    }

    /// Publishes for so long; everything is delivered when it returns.
    fn round(&mut self, batch: usize, seconds: f64) -> Result<Round> {
        let cpu_before = self.server.cpu_ns()?;
        let load_before = own_cpu_us();
        let started = Instant::now();
        let end = started + Duration::from_secs_f64(seconds);
        let (mut sent, mut received) = (0, 0);
        while received < sent || Instant::now() < end {
            if sent < received + AHEAD && Instant::now() < end {
                for _ in 0..batch {
                    self.publisher.queue(&[b"PUBLISH", CHANNEL, &MESSAGE]);
                }
                self.publisher.flush()?;
                sent += 1;
                continue;
            }
            self.receive(batch)?;
            received += 1;
        }
        let deliveries = (received * batch * self.subscribers.len()) as f64;
        Ok(Round {
            per_s: deliveries / started.elapsed().as_secs_f64(),
            cpu_us: (self.server.cpu_ns()? - cpu_before) as f64 / 1_000.0 / deliveries,
            load_us: (own_cpu_us() - load_before) / deliveries,
        })
    }

    /// Reads what one batch makes: its replies, and its messages at every subscriber.
    fn receive(&mut self, batch: usize) -> Result<()> {
        let count = i64::try_from(self.subscribers.len())?;
        for _ in 0..batch {
            let reply = self.publisher.reply()?;
            ensure!(reply == Reply::Integer(count), "PUBLISH: {reply:?}");
        }
        for subscriber in &mut self.subscribers {
            subscriber.skip(batch * message_bytes())?;
        }
        Ok(())
    }
}

/// What this process has taken of the processor so far, in microseconds.
fn own_cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Length of a message as it arrives.
fn message_bytes() -> usize {
    let mut bytes = Vec::new();
    crate::client::encode(&mut bytes, &[b"message", CHANNEL, &MESSAGE]);
    bytes.len()
}
