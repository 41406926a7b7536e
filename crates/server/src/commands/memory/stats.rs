//! MEMORY STATS: the figures of INFO's section on memory, and the overhead of each database.

use dunlin_engine::commands::server::memory::{DICT_SHARE_BYTES, TIMER_BYTES};
use dunlin_engine::{Ctx, Flow, Outcome, Reply};

use crate::commands::info::facts::Facts;
use crate::host::host;

/// A figure.
enum Figure {
    Count(u64),
    Signed(i64),
    Double(f64),
}

pub(super) fn stats(cx: &mut Ctx<'_>) -> Outcome {
    let now_ms = cx.keys.now_ms();
    let facts = Facts::new(host(cx), now_ms);
    let store = &cx.engine.store;
    let databases: Vec<u32> = (0..store.databases() as u32)
        .filter(|db| store.len(*db) > 0)
        .collect();
    let (before, behind) = figures(&facts);
    cx.reply.map(before.len() + databases.len() + behind.len());
    write(&mut cx.reply, &before);
    for db in databases {
        cx.reply.bulk(format!("db.{db}").as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"overhead.hashtable.main");
        cx.reply.count(store.len(db) as usize * DICT_SHARE_BYTES);
        cx.reply.bulk(b"overhead.hashtable.expires");
        cx.reply.count(store.expires(db) as usize * TIMER_BYTES);
    }
    write(&mut cx.reply, &behind);
    Ok(Flow::Done)
}

fn write(reply: &mut Reply<'_>, figures: &Figures) {
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Count(n) => reply.integer(*n as i64),
            Figure::Signed(n) => reply.integer(*n),
            Figure::Double(x) => reply.double(*x),
        }
    }
}

type Figures = Vec<(&'static str, Figure)>;

/// What stands before the databases, and what behind them.
fn figures(facts: &Facts) -> (Figures, Figures) {
    use Figure::{Count, Double, Signed};
    let (memory, overhead) = (facts.memory(), facts.overhead());
    let resident = facts.resident().unwrap_or(0);
    let store = &facts.shared.engine.store;
    let keys: u64 = (0..store.databases() as u32).map(|db| store.len(db)).sum();
    let ratio = |a: u64, b: u64| Double(if b == 0 { 0.0 } else { a as f64 / b as f64 });
    let difference = |a: u64, b: u64| Signed(a as i64 - b as i64);
    let percent = |a: u64, b: u64| {
        Double(if b == 0 {
            0.0
        } else {
            a as f64 * 100.0 / b as f64
        })
    };
    let before = vec![
        ("peak.allocated", Count(facts.peak())),
        ("total.allocated", Count(memory.allocated)),
        ("startup.allocated", Count(overhead.startup as u64)),
        // There is no replication, cluster or persistence that could take any.
        ("replication.backlog", Count(0)),
        ("clients.slaves", Count(0)),
        ("clients.normal", Count(overhead.clients as u64)),
        ("cluster.links", Count(0)),
        ("aof.buffer", Count(0)),
        (
            "lua.caches",
            Count(facts.shared.engine.scripts.overhead_bytes() as u64),
        ),
        (
            "functions.caches",
            Count(facts.shared.engine.scripts.library_bytes() as u64),
        ),
    ];
    let behind = vec![
        ("overhead.total", Count(overhead.total() as u64)),
        ("keys.count", Count(keys)),
        (
            "keys.bytes-per-key",
            Count(facts.net_usage().checked_div(keys).unwrap_or(0)),
        ),
        ("dataset.bytes", Count(facts.dataset())),
        (
            "dataset.percentage",
            percent(facts.dataset(), facts.net_usage()),
        ),
        ("peak.percentage", percent(memory.allocated, facts.peak())),
        ("allocator.allocated", Count(memory.allocated)),
        ("allocator.active", Count(memory.active)),
        ("allocator.resident", Count(memory.resident)),
        (
            "allocator-fragmentation.ratio",
            ratio(memory.active, memory.allocated),
        ),
        (
            "allocator-fragmentation.bytes",
            difference(memory.active, memory.allocated),
        ),
        ("allocator-rss.ratio", ratio(memory.resident, memory.active)),
        (
            "allocator-rss.bytes",
            difference(memory.resident, memory.active),
        ),
        ("rss-overhead.ratio", ratio(resident, memory.resident)),
        ("rss-overhead.bytes", difference(resident, memory.resident)),
        ("fragmentation", ratio(resident, memory.allocated)),
        (
            "fragmentation.bytes",
            difference(resident, memory.allocated),
        ),
    ];
    (before, behind)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn figures_of_the_server_and_its_databases() {
        let mut console = Console::default();
        console.run("SET a 1 PX 1000; SET b 1; SELECT 3; SET c 1");
        let reply = console.run("MEMORY STATS");
        assert!(
            reply.starts_with(
                "[peak.allocated 3145728 total.allocated 3145728 startup.allocated 3145728 "
            ),
            "{reply}"
        );
        for part in [
            " db.0 [overhead.hashtable.main 24 overhead.hashtable.expires 24] db.3 [overhead.hashtable.main 12 overhead.hashtable.expires 0] ",
            " keys.count 3 ",
            " overhead.total 3145788 ",
            " allocator-fragmentation.ratio 1.3333333333333333 allocator-fragmentation.bytes 1048576 ",
        ] {
            assert!(reply.contains(part), "{part}: {reply}");
        }
    }
}
