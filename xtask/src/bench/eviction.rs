//! Eviction: how many reads of a cache hit under the same limit of memory, how well the limit is kept, and whether slow clients cost keys.

use anyhow::{Result, bail, ensure};

use super::Plan;
use super::report::{Bar, Better, Report, Row, median};
use crate::client::{Client, Reply};
use crate::server::{Launch, Server};

/// Keys that are asked for, by a Zipf distribution of this exponent: the n-th most popular one 1/n^0.99 times as often as the first.
const KEYS: usize = 200_000;
const EXPONENT: f64 = 0.99;
/// The limit: something like a third of the keys.
const LIMIT_BYTES: u64 = 12 << 20;
const VALUE: [u8; 64] = [b'v'; 64];
/// Reads of a round; the first part of them warms the cache and is not counted.
const READS: usize = 2_000_000;
const WARM_SHARE: usize = 4;
/// Reads sent together; what misses is written before the next.
const BATCH: usize = 64;
/// How often INFO is asked, in batches.
const BATCHES_PER_LOOK: usize = 64;
/// Memory above the limit, in percent, that misses the bar.
const ABOVE_PERCENT_MAX: f64 = 1.0;
/// Clients that ask for long replies and do not read them.
const SLOW_CLIENTS: usize = 200;
/// Keys that are written beside them each time.
const WRITES: usize = 1_000;
const LONG_ELEMENTS: usize = 10_000;
const LONG_ELEMENT: [u8; 1_000] = [b'e'; 1_000];
const QUICK_DIVISOR: usize = 20;
const POLICIES: [&str; 2] = ["allkeys-lru", "allkeys-lfu"];

/// What a round found.
#[derive(Clone, Copy, Debug)]
struct Round {
    hit_percent: f64,
    above_percent: f64,
}

/// Measures both sides.
pub(crate) fn measure(plan: &Plan) -> Result<Report> {
    let popularity = Zipf::new(KEYS);
    let mut rows = Vec::new();
    for policy in POLICIES {
        let mut sides = [Vec::new(), Vec::new()];
        for number in 0..plan.rounds {
            for (side, launch) in [&plan.ours, &plan.peer].into_iter().enumerate() {
                let launch = limited(plan, launch, side == 0, policy);
                sides[side].push(round(plan, &launch, &popularity, number as u64)?);
            }
        }
        let row = |what: &str, of: fn(&Round) -> f64, better, bar| Row {
            what: format!("{policy}, {what}"),
            unit: "%",
            ours: median(&sides[0].iter().map(of).collect::<Vec<_>>()),
            peer: median(&sides[1].iter().map(of).collect::<Vec<_>>()),
            better,
            bar,
            floor: None,
            charted: true,
        };
        rows.push(row(
            "reads that hit",
            |r| r.hit_percent,
            Better::More,
            Bar::RatioAtLeast(1.0),
        ));
        rows.push(row(
            "memory above the limit at worst",
            |r| r.above_percent,
            Better::Less,
            Bar::AtMost(ABOVE_PERCENT_MAX),
        ));
    }
    let slow = |launch: &Launch, is_ours| {
        evicted_by_slow_clients(plan, &limited(plan, launch, is_ours, "allkeys-lru"))
    };
    rows.push(Row {
        what: format!("keys evicted for {SLOW_CLIENTS} slow clients"),
        unit: "keys",
        ours: slow(&plan.ours, true)?,
        peer: slow(&plan.peer, false)?,
        better: Better::Less,
        bar: Bar::AtMost(0.0),
        floor: None,
        charted: false,
    });
    Ok(Report {
        name: "eviction",
        title: "Eviction",
        how: format!(
            "{READS} reads of {KEYS} keys by a Zipf distribution of exponent {EXPONENT} under a limit of {LIMIT_BYTES} bytes; what misses is written; the \
             first quarter is not counted; memory is used_memory, asked for all the time; medians of {} rounds. Slow clients ask for a list of \
             {LONG_ELEMENTS} elements of {} bytes each and do not read it.",
            plan.rounds,
            LONG_ELEMENT.len()
        ),
        rows,
    })
}

fn limited(plan: &Plan, launch: &Launch, is_ours: bool, policy: &'static str) -> Launch {
    let launch = launch.clone().on(&plan.cores.one);
    let launch = if is_ours {
        launch.with(&plan.workers(1))
    } else {
        launch
    };
    launch.with(&["--maxmemory-policy", policy])
}

/// Sets the limit, as far above what an empty server takes for both sides.
fn limit(client: &mut Client, bytes: u64) -> Result<u64> {
    let empty: u64 = client.info("memory", "used_memory")?.parse()?;
    let limit = empty + bytes;
    client.run(&format!("CONFIG SET maxmemory {limit}"))?;
    Ok(limit)
}

fn round(plan: &Plan, launch: &Launch, popularity: &Zipf, seed: u64) -> Result<Round> {
    let server = launch.start()?;
    let mut client = server.client()?;
    let limit = limit(&mut client, LIMIT_BYTES)?;
    let reads = READS / if plan.quick { QUICK_DIVISOR } else { 1 };
    let mut random = Random(seed);
    let (mut counted, mut hits, mut highest) = (0, 0, 0);
    for batch in 0..reads / BATCH {
        let keys: Vec<String> = (0..BATCH)
            .map(|_| format!("key:{:012}", popularity.draw(&mut random)))
            .collect();
        for key in &keys {
            client.queue(&[b"GET", key.as_bytes()]);
        }
        client.flush()?;
        let mut missed = Vec::new();
        for key in &keys {
            match client.reply()? {
                Reply::Null => missed.push(key),
                Reply::Bulk(_) => {}
                other => bail!("GET {key}: {other:?}"),
            }
        }
        for key in &missed {
            client.queue(&[b"SET", key.as_bytes(), &VALUE]);
        }
        client.flush()?;
        for key in &missed {
            let reply = client.reply()?;
            ensure!(!matches!(reply, Reply::Error(_)), "SET {key}: {reply:?}");
        }
        if batch * BATCH >= reads / WARM_SHARE {
            counted += BATCH;
            hits += BATCH - missed.len();
        }
        if batch % BATCHES_PER_LOOK == 0 {
            highest = highest.max(client.info("memory", "used_memory")?.parse()?);
        }
    }
    let above: u64 = u64::saturating_sub(highest, limit);
    Ok(Round {
        hit_percent: 100.0 * hits as f64 / counted as f64,
        above_percent: 100.0 * above as f64 / limit as f64,
    })
}

/// Writes some keys; one that counts the buffers of clients may be out of memory by now and refuse them.
fn write_some(client: &mut Client) -> Result<()> {
    for index in 0..WRITES {
        let key = format!("key:{index:012}");
        client.queue(&[b"SET", key.as_bytes(), &VALUE]);
    }
    client.flush()?;
    for _ in 0..WRITES {
        client.reply()?;
    }
    Ok(())
}

/// Fills a server to its limit, has many clients ask for long replies, and says how many keys that cost.
fn evicted_by_slow_clients(plan: &Plan, launch: &Launch) -> Result<f64> {
    let server = launch.start()?;
    let mut client = server.client()?;
    let clients = SLOW_CLIENTS / if plan.quick { QUICK_DIVISOR } else { 1 };
    for _ in 0..LONG_ELEMENTS {
        client.queue(&[b"RPUSH", b"long", &LONG_ELEMENT]);
    }
    client.flush()?;
    for _ in 0..LONG_ELEMENTS {
        client.reply()?;
    }
    // A little room is left: what comes on top is the replies' alone.
    let used: u64 = client.info("memory", "used_memory")?.parse()?;
    client.run(&format!("CONFIG SET maxmemory {}", used + (1 << 20)))?;
    write_some(&mut client)?;
    let slow: Vec<Client> = (0..clients)
        .map(|_| {
            let mut slow = server.client()?;
            slow.queue(&[b"LRANGE", b"long", b"0", b"-1"]);
            slow.flush()?;
            Ok(slow)
        })
        .collect::<Result<_>>()?;
    write_some(&mut client)?;
    wait_for_replies(&server, clients)?;
    write_some(&mut client)?;
    let evicted = client.info("stats", "evicted_keys")?.parse()?;
    drop(slow);
    Ok(evicted)
}

/// Waits until a server has processed as many LRANGEs, or has closed whoever asked.
fn wait_for_replies(server: &Server, count: usize) -> Result<()> {
    const TRIES: usize = 200;
    let mut client = server.client()?;
    for _ in 0..TRIES {
        let calls = client.info("commandstats", "cmdstat_lrange")?;
        let calls = calls.split([',', '=']).nth(1).unwrap_or_default();
        if calls.parse().is_ok_and(|calls: usize| calls >= count) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bail!("{count} LRANGEs were not processed in time")
}

/// Uniform numbers (splitmix64).
struct Random(u64);

impl Random {
    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Ranks from 0, the first most often.
struct Zipf {
    /// Share of the ranks up to each.
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(ranks: usize) -> Zipf {
        let mut sum = 0.0;
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-EXPONENT));
        let mut cumulative: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|share| *share /= sum);
        Zipf { cumulative }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = random.unit();
        let rank = self.cumulative.partition_point(|share| *share <= at);
        rank.min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, Zipf};

    #[test]
    fn the_first_is_asked_for_most() {
        let zipf = Zipf::new(1_000);
        let mut random = Random(1);
        let mut counts = [0usize; 1_000];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut random)] += 1;
        }
        // 1 / (1 + 2^-0.99 + ...) of all is 13 %.
        assert!((12_000..15_000).contains(&counts[0]), "{}", counts[0]);
        assert!(counts[0] > counts[1] && counts[1] > counts[50]);
    }
}
