//! Pipelines, transactions, scripts and scans, against a genuine redis-server.
//!
//! Invariant: a unit stays together on a connection that others use at the same time.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use common::{Fake, Genuine, block_on, wait_for};
use dunlin_client::{Client, Command, Error, Pipeline, Script, Value};

#[test]
fn all_replies_of_a_pipeline_come_in_order_with_errors_in_their_places() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options()).unwrap();
    let mut pipeline = Pipeline::new();
    pipeline.command("SET").arg(("k", "v"));
    pipeline.command("INCR").arg("k").command("GET").arg("k");
    let (set, incr, get): (String, Result<i64, Error>, String) = client.run(&pipeline).unwrap();
    assert_eq!((set.as_str(), get.as_str()), ("OK", "v"));
    assert_eq!(incr.unwrap_err().server().unwrap().code(), "ERR");
    assert!(client.run::<(String, i64, String)>(&pipeline).is_err());
    let replies: Vec<Result<Value, Error>> = block_on(client.run_async(pipeline)).unwrap();
    assert_eq!(replies.len(), 3);
    assert_eq!(client.run::<Vec<i64>>(&Pipeline::new()).unwrap(), []);
    assert_eq!(
        block_on(client.run_async::<Vec<i64>>(Pipeline::new())).unwrap(),
        []
    );
    let one = Pipeline::new().with(Command::new("GET").arg("k"));
    assert_eq!(client.run::<(String,)>(&one).unwrap().0, "v");
    let mut many = Pipeline::new();
    for n in 0..10_000 {
        many.command("ECHO").arg(n);
    }
    let replies: Vec<i64> = client.run(&many).unwrap();
    assert!(replies.iter().copied().eq(0..10_000));
}

#[test]
fn transactions_share_the_connection_with_everybody() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|id| {
            let client = client.clone();
            thread::spawn(move || {
                let key = format!("k{}", id % 2);
                for n in 0..100 {
                    let unit = Pipeline::transaction()
                        .with(Command::new("INCR").arg(&key))
                        .with(Command::new("DECR").arg(&key))
                        .with(Command::new("ECHO").arg(n));
                    let (_, zero, echo): (i64, i64, i64) = client.run(&unit).unwrap();
                    assert_eq!((zero, echo), (0, n));
                    let seen: i64 = client.command("GET").arg(&key).call().unwrap();
                    assert_eq!(seen, 0);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    // A command that is none: nothing is run, and the reason is told.
    let bad = Pipeline::transaction()
        .with(Command::new("SET").arg(("no", 1)))
        .with(Command::new("NOSUCH"));
    let error = client.run::<()>(&bad).unwrap_err();
    assert!(error.to_string().contains("unknown command"), "{error}");
    let error = block_on(client.run_async::<()>(bad)).unwrap_err();
    assert!(error.to_string().contains("unknown command"), "{error}");
    assert_eq!(client.command("EXISTS").arg("no").call::<i64>().unwrap(), 0);
}

#[test]
fn a_transaction_is_one_block_on_the_wire() {
    let fake = Fake::start(|peer| {
        while let Some(request) = peer.request() {
            match request.as_str() {
                "MULTI" => peer.send("+OK\r\n"),
                "EXEC RB" => peer.send("*1\r\n:1\r\n"),
                _ => peer.send("+QUEUED\r\n"),
            }
        }
    });
    let client = Client::connect(fake.options()).unwrap();
    let unit = Pipeline::transaction().rollback();
    let unit = unit.with(Command::new("INCR").arg("k"));
    assert_eq!(client.run::<(i64,)>(&unit).unwrap(), (1,));
    assert_eq!(fake.log()[1..], ["MULTI", "INCR k", "EXEC RB"]);
}

#[test]
fn a_unit_whose_connection_is_lost_is_in_doubt_as_a_whole() {
    let fake = Fake::start(|peer| {
        if peer.number > 0 {
            return peer.echo();
        }
        peer.request();
        peer.send("+OK\r\n");
        peer.request();
        peer.reset();
    });
    let client = Client::connect(fake.options()).unwrap();
    let mut unit = Pipeline::new();
    unit.command("SET")
        .arg(("a", 1))
        .command("SET")
        .arg(("b", 2));
    assert!(matches!(
        client.run::<()>(&unit),
        Err(Error::ConnectionReset)
    ));
    wait_for("the next connection", || {
        client.command("ECHO").arg("x").call::<String>().is_ok()
    });
    assert!(
        !fake
            .log()
            .iter()
            .skip(4)
            .any(|line| line.starts_with("SET"))
    );
}

#[test]
fn scripts_are_called_by_their_digests_and_sent_once() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options()).unwrap();
    let script = Script::new("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}");
    for n in 1..4 {
        let reply: (String, i64, i64) = script.call(&client, ["k"], [n]).unwrap();
        assert_eq!(reply, ("k".into(), n, n));
    }
    let () = client.command("SCRIPT").arg("FLUSH").call().unwrap();
    let reply: (String, i64, i64) = block_on(script.run(&client, ["k"], [4])).unwrap();
    assert_eq!(reply.2, 4);
    let stats: String = client.command("INFO").arg("commandstats").call().unwrap();
    assert!(stats.contains("cmdstat_eval:calls=2"), "{stats}");
}

#[test]
fn scans_are_iterators() {
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    for url in [
        genuine.options(),
        genuine.options().protocol(dunlin_client::Protocol::Resp2),
    ] {
        let client = Client::connect(url).unwrap();
        let mut fill = Pipeline::new();
        for n in 0..1_000 {
            fill.command("SET").arg((format!("key:{n}"), n));
            fill.command("HSET").arg(("hash", format!("f{n}"), n));
            fill.command("SADD").arg(("set", n));
            fill.command("ZADD").arg(("zset", f64::from(n) + 0.5, n));
        }
        let () = client.run::<Vec<Value>>(&fill).map(drop).unwrap();
        let keys: BTreeSet<_> = client
            .scan()
            .matching("key:*")
            .map(Result::unwrap)
            .collect();
        assert_eq!(keys.len(), 1_000);
        let strings = client.scan().kind("string").count(500).count_ok();
        assert_eq!(strings, 1_000);
        let fields: BTreeMap<_, _> = client.hscan("hash").map(Result::unwrap).collect();
        assert_eq!(fields.len(), 1_000);
        assert_eq!(fields[&b"f7"[..]], b"7");
        let members: BTreeSet<_> = client.sscan("set").map(Result::unwrap).collect();
        assert_eq!(members.len(), 1_000);
        let scores: BTreeMap<_, _> = client.zscan("zset").map(Result::unwrap).collect();
        assert_eq!(scores[&b"9"[..]], 9.5);
        let seen = block_on(async {
            let (mut scan, mut seen) = (client.sscan("set").matching("1*"), 0);
            while let Some(member) = scan.step().await {
                assert!(member.unwrap().starts_with(b"1"));
                seen += 1;
            }
            seen
        });
        assert!(seen >= 111);
        let wrong = client.hscan("set").next().unwrap();
        assert_eq!(wrong.unwrap_err().server().unwrap().code(), "WRONGTYPE");
    }
}

trait CountOk {
    fn count_ok(self) -> usize;
}

impl<T, I: Iterator<Item = Result<T, Error>>> CountOk for I
where
    T: Ord,
{
    fn count_ok(self) -> usize {
        self.map(Result::unwrap).collect::<BTreeSet<T>>().len()
    }
}

#[test]
fn typed_commands_are_there_for_everything_that_takes_commands() {
    use dunlin_client::commands::*;
    let Some(genuine) = Genuine::start(&[]) else {
        return;
    };
    let client = Client::connect(genuine.options()).unwrap();
    let () = client.mset([("a", 1), ("b", 2)]).call().unwrap();
    assert_eq!(client.incrbyfloat("a", 0.5).call::<f64>().unwrap(), 1.5);
    assert_eq!(
        client
            .zadd("z", [(1, "x"), (2, "y")])
            .call::<i64>()
            .unwrap(),
        2
    );
    assert_eq!(client.zadd("z", ("NX", 3, "x")).call::<i64>().unwrap(), 0);
    let union: Vec<String> = client.zunion(["z", "no"]).call().unwrap();
    assert_eq!(union, ["x", "y"]);
    let range = client.zrange("z", 0, -1).arg("WITHSCORES");
    let range: Vec<(String, f64)> = range.call().unwrap();
    assert_eq!(range, [("x".into(), 1.0), ("y".into(), 2.0)]);
    let id: String = client.xadd("s", ("*", "field", "value")).call().unwrap();
    type Entries = Vec<(String, Vec<(String, String)>)>;
    let read: BTreeMap<String, Entries> = client.xread(("STREAMS", "s", "0")).call().unwrap();
    assert_eq!(read["s"], [(id, vec![("field".into(), "value".into())])]);
    let memory: BTreeMap<String, String> = client.config_get("maxmemory").call().unwrap();
    assert_eq!(memory["maxmemory"], "0");
    assert_eq!(client.object_encoding("b").call::<String>().unwrap(), "int");
    let kind: String = client.type_("z").call().unwrap();
    assert_eq!(kind, "zset");
    assert_eq!(block_on(client.get("b").send::<i64>()).unwrap(), 2);

    let mut pipeline = Pipeline::new();
    pipeline.set("k", "v").arg(("EX", 9)).ttl("k").get("k");
    let replies: (String, i64, String) = client.run(&pipeline).unwrap();
    assert_eq!(replies, ("OK".into(), 9, "v".into()));

    let mut connection = dunlin_client::Connection::connect(genuine.options()).unwrap();
    let () = connection.select(3).call().unwrap();
    assert_eq!(connection.dbsize().call::<i64>().unwrap(), 0);
}
