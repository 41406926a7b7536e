//! Routing among the nodes of a genuine cluster: slots, redirections, units and transactions.
//!
//! Invariant: whatever the client believes of the map, the nodes' word counts, and no request is carried out twice.

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::{Genuine, block_on, wait_for};
use dunlin_client::commands::*;
use dunlin_client::{
    Client, Cluster, Command, Connection, Error, Options, Pipeline, SLOTS, Value, slot_of,
};

/// Three nodes, with a third of the slots each.
struct Nodes(Vec<Genuine>, Vec<PathBuf>);

impl Drop for Nodes {
    fn drop(&mut self) {
        self.0.clear();
        for file in &self.1 {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Nodes {
    fn start() -> Option<Nodes> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        let mut files = Vec::new();
        for _ in 0..3 {
            // The usual bus port, 10,000 above, may be beyond the last one.
            let bus = common::free_port().to_string();
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let file = format!("dunlin-cluster-{}-{next}.conf", std::process::id());
            let path = std::env::temp_dir().join(&file);
            let _ = std::fs::remove_file(&path);
            files.push(path);
            nodes.push(Genuine::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                &file,
                "--cluster-port",
                &bus,
            ])?);
            buses.push(bus);
        }
        let nodes = Nodes(nodes, files);
        for n in 0..3u16 {
            let first = SLOTS / 3 * n;
            let last = if n == 2 {
                SLOTS - 1
            } else {
                first + SLOTS / 3 - 1
            };
            let add = Command::new("CLUSTER").arg(("ADDSLOTSRANGE", first, last));
            let () = nodes.ask(n.into(), add);
        }
        for (node, bus) in nodes.0.iter().zip(&buses).skip(1) {
            let meet = Command::new("CLUSTER").arg(("MEET", "127.0.0.1", node.port, bus));
            let () = nodes.ask(0, meet);
        }
        for n in 0..3 {
            wait_for("the cluster", || {
                let info: String = nodes.ask(n, Command::new("CLUSTER").arg("INFO"));
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            });
        }
        Some(nodes)
    }

    fn ask<T: dunlin_client::FromReply>(&self, n: usize, command: Command) -> T {
        let mut connection = Connection::connect(self.0[n].options()).unwrap();
        connection.call(command).unwrap()
    }

    fn id(&self, n: usize) -> String {
        self.ask(n, Command::new("CLUSTER").arg("MYID"))
    }

    fn client(&self) -> Cluster {
        Cluster::connect(self.0[0].options()).unwrap()
    }

    fn owner(&self, slot: u16) -> usize {
        usize::from(slot / (SLOTS / 3)).min(2)
    }

    fn set_slot(&self, n: usize, slot: u16, words: &[&str]) {
        let () = self.ask(n, Command::new("CLUSTER").arg(("SETSLOT", slot)).arg(words));
    }
}

#[test]
fn requests_go_to_the_nodes_of_their_keys() {
    let Some(nodes) = Nodes::start() else {
        return;
    };
    let cluster = nodes.client();
    assert_eq!(cluster.nodes().len(), 3);
    let threads: Vec<_> = (0..8)
        .map(|id| {
            let cluster = cluster.clone();
            thread::spawn(move || {
                for n in 0..50 {
                    let key = format!("key:{id}:{n}");
                    let () = cluster.set(&key, n).call().unwrap();
                    assert_eq!(cluster.get(&key).call::<i64>().unwrap(), n);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let sizes: Vec<i64> = (0..3)
        .map(|n| nodes.ask(n, Command::new("DBSIZE")))
        .collect();
    assert_eq!(sizes.iter().sum::<i64>(), 400);
    assert!(sizes.iter().all(|size| *size > 50), "{sizes:?}");
    // With a map that is right, no node sends a request elsewhere.
    for n in 0..3 {
        let stats: String = nodes.ask(n, Command::new("INFO").arg("errorstats"));
        assert!(!stats.contains("MOVED"), "{stats}");
    }
    let same = cluster.node_of("{key:0:0}x").unwrap();
    let channel = same.ssubscribe("{key:0:0}x").unwrap();
    let () = cluster.spublish("{key:0:0}x", "m").call().unwrap();
    assert_eq!(channel.recv().unwrap().payload, b"m");
}

#[test]
fn what_may_be_split_is_split_and_put_together_in_order() {
    let Some(nodes) = Nodes::start() else {
        return;
    };
    let cluster = nodes.client();
    let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let mut fill = Pipeline::new();
    for (n, key) in keys.iter().enumerate().filter(|(n, _)| n % 5 != 0) {
        fill.set(key, n);
    }
    let () = cluster.run::<Vec<()>>(&fill).map(drop).unwrap();
    let values: Vec<Option<usize>> = cluster.mget(&keys).call().unwrap();
    for (n, value) in values.into_iter().enumerate() {
        assert_eq!(value, (n % 5 != 0).then_some(n));
    }
    assert_eq!(cluster.exists(&keys).call::<i64>().unwrap(), 40);
    assert_eq!(block_on(cluster.touch(&keys).send::<i64>()).unwrap(), 40);
    assert_eq!(cluster.del(&keys).call::<i64>().unwrap(), 40);
    // These would lose their meaning.
    let error = cluster.mset([("a", 1), ("b", 2)]).call::<()>().unwrap_err();
    assert_eq!(error.server().unwrap().code(), "CROSSSLOT");
    let () = cluster.mset([("{t}a", 1), ("{t}b", 2)]).call().unwrap();
}

#[test]
fn units_and_transactions() {
    let Some(nodes) = Nodes::start() else {
        return;
    };
    let cluster = nodes.client();
    let mut unit = Pipeline::new();
    for n in 0..100 {
        unit.set(format!("u{n}"), n).incr(format!("u{n}"));
    }
    unit.incr("u0").lpush("u0", 1);
    let replies: Vec<Result<Value, Error>> = cluster.run(&unit).unwrap();
    assert_eq!(replies.len(), 202);
    for n in 0..100 {
        let number = replies[n * 2 + 1].as_ref().unwrap();
        assert_eq!(*number, Value::Integer(n as i64 + 1));
    }
    assert_eq!(*replies[200].as_ref().unwrap(), Value::Integer(2));
    assert!(replies[201].is_err());
    let mut transfer = Pipeline::transaction();
    transfer.incrby("{bank}a", 5).decrby("{bank}b", 5);
    assert_eq!(cluster.run::<(i64, i64)>(&transfer).unwrap(), (5, -5));
    let mut torn = Pipeline::transaction();
    torn.incr("a").incr("b");
    assert!(matches!(
        cluster.run::<()>(&torn),
        Err(Error::CrossSlot { .. })
    ));
}

#[test]
fn moved_slots_are_followed_and_the_map_is_corrected() {
    let Some(nodes) = Nodes::start() else {
        return;
    };
    let cluster = nodes.client();
    let slot = slot_of(b"traveller");
    let from = nodes.owner(slot);
    let to = (from + 1) % 3;
    let id = nodes.id(to);
    // The new owner first: it alone makes the claim known.
    nodes.set_slot(to, slot, &["IMPORTING", &nodes.id(from)]);
    nodes.set_slot(to, slot, &["NODE", &id]);
    nodes.set_slot(from, slot, &["NODE", &id]);
    let () = cluster.set("traveller", 1).call().unwrap();
    let mut unit = Pipeline::transaction();
    unit.incr("traveller");
    assert_eq!(cluster.run::<(i64,)>(&unit).unwrap(), (2,));
    let errors = |n| -> String { nodes.ask(n, Command::new("INFO").arg("errorstats")) };
    let moved = errors(from);
    assert!(moved.contains("errorstat_MOVED:count=1"), "{moved}");
    let stale = nodes.client();
    assert_eq!(stale.get("traveller").call::<i64>().unwrap(), 2);
    for n in 0..20 {
        assert_eq!(cluster.incr("traveller").call::<i64>().unwrap(), n + 3);
    }
    assert_eq!(errors(from), moved);
}

#[test]
fn slots_on_their_way_are_asked_for_on_both_sides() {
    let Some(nodes) = Nodes::start() else {
        return;
    };
    let cluster = nodes.client();
    for key in ["{way}a", "{way}b"] {
        let () = cluster.set(key, key).call().unwrap();
    }
    let slot = slot_of(b"way");
    let from = nodes.owner(slot);
    let to = (from + 1) % 3;
    nodes.set_slot(to, slot, &["IMPORTING", &nodes.id(from)]);
    nodes.set_slot(from, slot, &["MIGRATING", &nodes.id(to)]);
    let port = nodes.0[to].port;
    let migrate = Command::new("MIGRATE").arg(("127.0.0.1", port, "{way}a", 0, 1_000));
    let () = nodes.ask(from, migrate);
    for key in ["{way}a", "{way}b"] {
        assert_eq!(cluster.get(key).call::<String>().unwrap(), key);
        let mut unit = Pipeline::new();
        unit.get(key).strlen(key);
        let both: (String, usize) = cluster.run(&unit).unwrap();
        assert_eq!(both, (key.to_owned(), key.len()));
    }
    // Nothing that was sent on to the new node was carried out twice.
    let () = cluster.set("{way}n", 0).call().unwrap();
    for n in 1..10 {
        assert_eq!(cluster.incr("{way}n").call::<i64>().unwrap(), n);
    }
}

#[test]
fn a_server_without_a_cluster_says_so() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let error = Cluster::connect(genuine.options()).unwrap_err();
    assert!(error.server().is_some(), "{error}");
    let nobody: Options = "redis://127.0.0.1:1".parse().unwrap();
    assert!(Cluster::connect(nobody.deadline(Duration::from_millis(100))).is_err());
    let client = Client::connect(genuine.options()).unwrap();
    let () = client.set("k", "v").arg(("EX", 100)).call().unwrap();
    assert_eq!(client.ttl("k").call::<i64>().unwrap(), 100);
}
