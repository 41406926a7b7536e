//! Pub/sub between the sessions of one console.

use crate::testing::{Console, check, resp3, show_all};

/// Runs one command that answers any number of times.
fn all(console: &mut Console, id: u64, line: &str) -> String {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    show_all(&console.call(id, &words))
}

#[test]
fn channels_and_patterns() {
    let mut console = Console::default();
    let c = &mut console;
    assert_eq!(
        all(c, 1, "SUBSCRIBE a b a"),
        "[subscribe a 1]; [subscribe b 2]; [subscribe a 2]"
    );
    assert_eq!(
        all(c, 2, "PSUBSCRIBE a* [ab]"),
        "[psubscribe a* 1]; [psubscribe [ab] 2]"
    );
    assert_eq!(
        c.run("3> PUBLISH a one; 3> PUBLISH ab two; 3> PUBLISH c three"),
        "3; 1; 0"
    );
    assert_eq!(c.messages(1), "[message a one]");
    assert_eq!(
        c.messages(2),
        "[pmessage [ab] a one]; [pmessage a* a one]; [pmessage a* ab two]"
    );
    assert_eq!(
        c.run(
            "3> PUBSUB NUMSUB a b c; 3> PUBSUB NUMPAT; 3> PUBSUB CHANNELS [a]; 3> PUBSUB CHANNELS x"
        ),
        "[a 1 b 1 c 0]; 2; [a]; []"
    );
    assert_eq!(
        all(c, 1, "UNSUBSCRIBE a nosuch"),
        "[unsubscribe a 1]; [unsubscribe nosuch 1]"
    );
    assert_eq!(all(c, 1, "UNSUBSCRIBE"), "[unsubscribe b 0]");
    assert_eq!(all(c, 1, "UNSUBSCRIBE"), "[unsubscribe nil 0]");
    assert_eq!(
        all(c, 2, "PUNSUBSCRIBE"),
        "[punsubscribe [ab] 1]; [punsubscribe a* 0]"
    );
    assert_eq!(
        c.run("PUBLISH a one; PUBSUB CHANNELS; PUBSUB NUMPAT; PUBSUB NUMSUB"),
        "0; []; 0; []"
    );
    assert_eq!(
        (c.messages(1), c.messages(2)),
        (String::new(), String::new())
    );
    assert_eq!(c.engine.pubsub.subscribers(), 0);
}

#[test]
fn shard_channels_are_others() {
    let mut console = Console::default();
    let c = &mut console;
    assert_eq!(all(c, 1, "SSUBSCRIBE a"), "[ssubscribe a 1]");
    assert_eq!(all(c, 1, "SUBSCRIBE a"), "[subscribe a 1]");
    assert_eq!(all(c, 1, "PSUBSCRIBE *"), "[psubscribe * 2]");
    assert_eq!(c.run("2> SPUBLISH a one; 2> PUBLISH a two"), "1; 2");
    assert_eq!(
        c.messages(1),
        "[smessage a one]; [message a two]; [pmessage * a two]"
    );
    assert_eq!(
        c.run("2> PUBSUB SHARDCHANNELS; 2> PUBSUB SHARDNUMSUB a b"),
        "[a]; [a 1 b 0]"
    );
    assert_eq!(
        all(c, 1, "SUNSUBSCRIBE b a"),
        "[sunsubscribe b 1]; [sunsubscribe a 0]"
    );
    assert_eq!(all(c, 1, "SUNSUBSCRIBE"), "[sunsubscribe nil 0]");
    assert_eq!(c.run("2> SPUBLISH a one"), "0");
}

#[test]
fn a_subscriber_in_resp2_may_only_listen() {
    let mut console = Console::default();
    let c = &mut console;
    all(c, 1, "SUBSCRIBE a");
    assert_eq!(
        c.run("PING; PING x; GET k; CONFIG GET x; NOSUCH; GET"),
        "[pong ]; [pong x]; (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
         RESET are allowed in this context; (error) ERR unknown command 'CONFIG', with args beginning with: 'GET' 'x' ; \
         (error) ERR unknown command 'NOSUCH', with args beginning with: ; \
         (error) ERR wrong number of arguments for 'get' command"
    );
    // What is a subcommand's name is not meant.
    assert!(
        c.run("SLOWLOG RESET; OBJECT HELP")
            .contains("Can't execute 'object|help'")
    );
    resp3(c);
    assert_eq!(c.run("PING; GET k; PUBLISH a x"), "PONG; nil; 1");
    assert_eq!(c.messages(1), "[message a x]");
    c.session(1).version = dunlin_resp::Version::Resp2;
    all(c, 1, "UNSUBSCRIBE a");
    assert_eq!(c.run("PING; GET k; QUIT"), "PONG; nil; OK");
}

#[test]
fn a_transaction_publishes_when_it_commits() {
    let mut console = Console::default();
    let c = &mut console;
    all(c, 1, "SUBSCRIBE a");
    assert_eq!(
        c.run("2> MULTI; 2> PUBLISH a one; 2> PUBLISH none x; 2> PUBLISH a two"),
        "OK; QUEUED; QUEUED; QUEUED"
    );
    assert_eq!(c.messages(1), "");
    assert_eq!(c.run("2> EXEC"), "[1 0 1]");
    assert_eq!(c.messages(1), "[message a one]; [message a two]");
    // Subscribing inside, as Redis has it.
    assert_eq!(
        c.run("2> MULTI; 2> SUBSCRIBE b; 2> PUBLISH b x; 2> SSUBSCRIBE b; 2> EXEC"),
        "OK; QUEUED; QUEUED; QUEUED; \
         [[subscribe b 1] 1 (error) ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client]"
    );
    assert_eq!(c.messages(2), "[message b x]");
}

#[test]
fn what_is_undone_is_not_published() {
    let mut console = Console::default();
    let c = &mut console;
    all(c, 1, "SUBSCRIBE a");
    let engine = c.engine.clone();
    let mut local = engine.store.local(0, 1);
    local.outbox.message(false, b"a", b"from before");
    let mut txn = dunlin_store::Txn::new(&engine.store, None, &mut local, 1);
    txn.keep_images();
    txn.local().outbox.message(false, b"a", b"x");
    txn.roll_back();
    txn.commit(None);
    assert_eq!(c.messages(1), "[message a from before]");
    assert_eq!(
        c.run("2> MULTI; 2> PUBLISH a x; 2> SET k v; 2> LPUSH k x; 2> EXEC RB")
            .split("; ")
            .last(),
        Some("(error) EXECABORT Transaction rolled back")
    );
    assert_eq!(c.messages(1), "");
    local.outbox.message(false, b"a", b"y");
    dunlin_store::Txn::new(&engine.store, None, &mut local, 1).commit(None);
    assert_eq!(
        (local.wakes, c.messages(1)),
        (vec![0], "[message a y]".to_owned())
    );
}

#[test]
fn messages_of_any_length_arrive() {
    let mut console = Console::default();
    all(&mut console, 1, "SUBSCRIBE a");
    all(&mut console, 2, "SUBSCRIBE a");
    console.session(2).version = dunlin_resp::Version::Resp3;
    let mut expected = Vec::new();
    for len in [0, 1, 100, 5_000, 16_383, 16_384, 100_000, 3] {
        let message = "x".repeat(len);
        console.call(3, &[b"PUBLISH", b"a", message.as_bytes()]);
        expected.push(format!("[message a {message}]"));
    }
    let expected = expected.join("; ");
    assert!(console.messages(1) == expected && console.messages(2) == expected);
}

/// Runs a script with all keyspace events told, and shows them as `key:event`.
fn events(letters: u32, script: &str) -> String {
    let mut console = Console::default();
    all(&mut console, 9, "PSUBSCRIBE __keyspace@*");
    all(&mut console, 8, "PSUBSCRIBE __keyevent@*");
    console.engine.store.notify.set(letters);
    console.run(script);
    let shown = |text: String, strip: &str| {
        let messages = text.split("; ").filter(|m| !m.is_empty());
        let each = messages.map(|m| {
            let words: Vec<&str> = m.trim_matches(['[', ']']).split(' ').collect();
            let (channel, said) = (words[2], words[3]);
            let (_, rest) = channel.split_once("__:").expect("an event's channel");
            match strip {
                "keyspace" => format!("{rest}:{said}"),
                _ => format!("{said}:{rest}"),
            }
        });
        each.collect::<Vec<_>>().join(" ")
    };
    let by_key = shown(console.messages(9), "keyspace");
    let by_event = shown(console.messages(8), "keyevent");
    assert_eq!(by_key, by_event, "both channels tell the same");
    by_key
}

/// Everything but new keys and misses.
const USUAL: u32 = 0b01_1011_1111_1111;

#[test]
fn events_have_the_names_that_redis_gives_them() {
    for (script, expected) in [
        (
            "SET k v; SET k v PX 100; GETSET k x; SETEX k 10 v; PERSIST k; GETEX k PX 5000; GETEX k PERSIST; GETDEL k",
            "k:set k:set k:expire k:set k:set k:expire k:persist k:expire k:persist k:del",
        ),
        (
            "MSET a 1 b 2; INCR a; DECRBY a 2; INCRBYFLOAT a 0.5; APPEND a x; SETRANGE b 1 z; SETNX c 1; SETNX c 2",
            "a:set b:set a:incrby a:incrby a:incrbyfloat a:append b:setrange c:set",
        ),
        (
            "SET k v; EXPIRE k 100; EXPIRE k -1; DEL k; UNLINK k",
            "k:set k:expire k:del",
        ),
        (
            "SET a 1; RENAME a b; COPY b c; MOVE b 1; DEL c",
            "a:set a:rename_from b:rename_to c:copy_to b:move_from b:move_to c:del",
        ),
        (
            "RPUSH l a b c d; LPUSH l x; LPUSHX l y; LSET l 0 z; LINSERT l BEFORE a q; LREM l 1 q; LTRIM l 1 -2; LPOP l; RPOP l; LMOVE l m LEFT RIGHT; DEL m; LPOP l 9",
            "l:rpush l:lpush l:lpush l:lset l:linsert l:lrem l:ltrim l:lpop l:rpop m:rpush l:lpop m:del l:lpop l:del",
        ),
        (
            "RPUSH l a; LTRIM l 5 9; RPUSH l a; LREM l 0 a; RPUSH l a; RPOPLPUSH l l",
            "l:rpush l:ltrim l:del l:rpush l:lrem l:del l:rpush l:lpush l:rpop",
        ),
        (
            "HSET h a 1 b 2; HMSET h c 3; HSETNX h d 4; HINCRBY h a 1; HINCRBYFLOAT h a 1.5; HDEL h a; HDEL h b c d",
            "h:hset h:hset h:hset h:hincrby h:hincrbyfloat h:hdel h:hdel h:del",
        ),
        (
            "SADD s a b c; SADD s a; SREM s a; SMOVE s t b; SPOP s; SADD u x; SINTERSTORE d t u; SUNIONSTORE d t u; SDIFFSTORE d t t; SREM t b",
            "s:sadd s:srem s:srem t:sadd s:spop s:del u:sadd d:sunionstore d:del t:srem t:del",
        ),
        (
            "ZADD z 1 a 2 b 3 c 4 d 5 e; ZADD z 1 a; ZINCRBY z 1 a; ZREM z a; ZPOPMIN z; ZPOPMAX z; ZREMRANGEBYRANK z 0 0; ZREMRANGEBYSCORE z 0 9",
            "z:zadd z:zincr z:zrem z:zpopmin z:zpopmax z:zremrangebyrank z:zremrangebyscore z:del",
        ),
        (
            "ZADD z 1 a 2 b; ZRANGESTORE d z 0 -1; ZUNIONSTORE d 1 z; ZINTERSTORE d 1 z; ZDIFFSTORE d 2 z z; ZREMRANGEBYLEX z - +",
            "z:zadd d:zrangestore d:zunionstore d:zinterstore d:del z:zremrangebylex z:del",
        ),
        (
            "RPUSH l 2 1; SORT l STORE d; SORT nosuch STORE d",
            "l:rpush d:sortstore d:del",
        ),
        ("SET k v PX 10; +11ms; GET k", "k:set k:expire k:expired"),
        ("MULTI; SET k v; DEL k; EXEC", "k:set k:del"),
        ("SET k v; FLUSHALL", "k:set"),
    ] {
        assert_eq!(events(USUAL, script), expected, "{script}");
    }
}

#[test]
fn new_keys_and_misses_are_told_on_request() {
    const NEW: u32 = 1 << 10 | 3 << 11;
    assert_eq!(
        events(
            NEW,
            "SET k v; SET k w; RPUSH l a; RPUSH l b; SET k v; RENAME k l; COPY l m; SETRANGE r 2 x; SADD s a; SUNIONSTORE s2 s; SUNIONSTORE s2 s"
        ),
        "k:new l:new l:new m:new r:new s:new s2:new"
    );
    const MISS: u32 = 1 << 13 | 3 << 11;
    assert_eq!(
        events(
            MISS,
            "GET k; SET k v; GET k; EXISTS a k b; TTL c; TYPE d; DEL e; SMEMBERS f; SUNION g h; OBJECT ENCODING i; STRLEN j; LLEN l; GETEX m; GETDEL n; HGET o a; ZSCORE p x; LRANGE q 0 1; SINTERCARD 1 r; SCARD s; LPOS t a; SORT u; EXPIRETIME v; TOUCH w; MGET x; GETSET y 1; LPOP z; GETRANGE aa 0 1; ZCOUNT bb 1 2; HLEN cc; ZRANGEBYSCORE dd 1 2; HRANDFIELD ee; SRANDMEMBER ff; SISMEMBER gg a; ZRANK hh a; LINDEX ii 0; SSCAN kk 0; SPOP ll; SMISMEMBER mm a; ZRANDMEMBER nn; LCS oo pp; SUBSTR qq 0 1"
        ),
        "k:keymiss a:keymiss b:keymiss c:keymiss d:keymiss f:keymiss g:keymiss h:keymiss j:keymiss l:keymiss m:keymiss n:keymiss o:keymiss p:keymiss q:keymiss r:keymiss s:keymiss t:keymiss u:keymiss v:keymiss w:keymiss x:keymiss y:keymiss aa:keymiss bb:keymiss cc:keymiss dd:keymiss ee:keymiss ff:keymiss gg:keymiss hh:keymiss ii:keymiss kk:keymiss mm:keymiss nn:keymiss oo:keymiss pp:keymiss qq:keymiss"
    );
}

#[test]
fn nothing_is_put_down_while_nobody_wants_it() {
    assert_eq!(
        events(1 << 3 | 3 << 11, "SET k v; RPUSH l a; SADD s a"),
        "s:sadd"
    );
    assert_eq!(events(0x7ff, "SET k v"), "", "no channel was chosen");
}

#[test]
fn help_and_refusals() {
    check(
        "PUBSUB CHANNELS a b; PUBSUB NUMPAT x; PUBSUB NOSUCH; PUBSUB; PUBLISH a; SUBSCRIBE; COMMAND GETKEYS SPUBLISH a b",
        "(error) ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.; \
         (error) ERR wrong number of arguments for 'pubsub|numpat' command; \
         (error) ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP.; \
         (error) ERR wrong number of arguments for 'pubsub' command; \
         (error) ERR wrong number of arguments for 'publish' command; \
         (error) ERR wrong number of arguments for 'subscribe' command; \
         (error) ERR The command has no key arguments",
    );
}
