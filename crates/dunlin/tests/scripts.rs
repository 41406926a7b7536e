//! Scripts that do not end, and scripts that want too much: ended without a trace, and nobody else waits for them.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{Server, wait_for};

const CONFIG: &str = "enable-debug-command yes\nbusy-reply-threshold 100";

/// How soon a script has to end that was killed: 100 ms, and more where the machine is busy with other tests of a slow build.
const KILLED_WITHIN: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 100 });

/// Runs `script` on key `k`, kills it with `kill` once it takes long, and checks that nothing of it has remained; what it answered.
fn killed(server: &Server, request: &[&str], kill: &str) -> String {
    let mut watcher = server.client();
    watcher.ask("SET k before");
    watcher.ask("RPUSH l 1 2 3");
    let digest = watcher.ask("DEBUG DIGEST");
    let mut client = server.client();
    client.send(request).expect("the server takes it");
    // Others are served meanwhile, but for those who want its keys.
    thread::sleep(Duration::from_millis(50));
    assert_eq!(watcher.ask("PING"), "PONG");
    assert_eq!(watcher.ask("SET other 1"), "OK");
    assert_eq!(watcher.ask("DEL other"), "1");
    let busy = watcher.ask("GET k");
    assert!(busy.starts_with("-BUSY"), "{busy}");
    let at = Instant::now();
    assert_eq!(watcher.ask(kill), "OK");
    let reply = client.reply().expect("the script's reply");
    let took = at.elapsed();
    eprintln!("killed within {took:?}");
    assert!(took < KILLED_WITHIN, "{took:?}");
    assert_eq!(watcher.ask("DEBUG DIGEST"), digest);
    assert_eq!(watcher.ask("GET k"), "before");
    reply
}

#[test]
fn a_script_is_killed_after_it_wrote() {
    let server = Server::start(CONFIG);
    for body in [
        "redis.call('set', KEYS[1], 'after') while true do end",
        "redis.call('set', KEYS[1], 'after') while true do pcall(function() while true do end end) end",
        "redis.call('set', KEYS[1], 'after') local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
        "local function f() redis.call('set', KEYS[1], 'after') while true do coroutine.resume(coroutine.create(function() while true do xpcall(function() while true do redis.pcall('append', KEYS[1], 'x') end end, function(e) return e end) end end)) end end f()",
        "redis.call('del', KEYS[1]) redis.call('publish', 'c', 'm') repeat until pcall(error, 'x')",
        // Few instructions, each of which takes long.
        "redis.call('set', KEYS[1], string.rep('x', 1000000)) while true do redis.call('getrange', KEYS[1], 0, -1) end",
        "redis.call('set', KEYS[1], 'after') while true do pcall(string.rep, 'x', 1000000) end",
    ] {
        let reply = killed(&server, &["EVAL", body, "1", "k"], "SCRIPT KILL");
        assert!(reply.contains("Script killed by user"), "{body}: {reply}");
    }
    wait_for("a word about it in the log", || {
        server.log().contains("Slow script detected: ")
    });
}

#[test]
fn a_function_is_killed_after_it_wrote() {
    let server = Server::start(CONFIG);
    let library = "#!lua name=endless\nredis.register_function('spin', function(keys) redis.call('set', keys[1], 1) while true do end end)";
    let mut client = server.client();
    client
        .send(&["FUNCTION", "LOAD", library])
        .expect("the server takes it");
    assert_eq!(client.reply().expect("a reply"), "endless");
    let reply = killed(&server, &["FCALL", "spin", "1", "k"], "FUNCTION KILL");
    assert!(reply.contains("Script killed by user"), "{reply}");
}

#[test]
fn an_undeclared_key_in_an_endless_script_holds_everything() {
    let server = Server::start(CONFIG);
    let mut client = server.client();
    let body = "redis.call('set', KEYS[1], 1) for i = 1, 10000000 do redis.call('incr', 'n' .. i % 10) end";
    client
        .send(&["EVAL", body, "1", "k"])
        .expect("the server takes it");
    let mut watcher = server.client();
    wait_for("a kill", || watcher.ask("SCRIPT KILL") == "OK");
    let reply = client.reply().expect("the script's reply");
    assert!(reply.contains("Script killed by user"), "{reply}");
    assert_eq!(watcher.ask("DBSIZE"), "0");
}

#[test]
fn a_hungry_script_gets_an_error() {
    let server = Server::start(CONFIG);
    let mut client = server.client();
    for body in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 1048576) .. #t end",
        "redis.call('set', KEYS[1], 1) local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
    ] {
        client
            .send(&["EVAL", body, "1", "k"])
            .expect("the server takes it");
        let reply = client.reply().expect("a reply");
        assert!(reply.contains("not enough memory"), "{body}: {reply}");
        assert_eq!(client.ask("PING"), "PONG");
    }
}

#[test]
fn a_server_stops_though_a_script_runs() {
    let mut server = Server::start(CONFIG);
    let mut client = server.client();
    client
        .send(&["EVAL", "while true do end", "0"])
        .expect("the server takes it");
    thread::sleep(Duration::from_millis(50));
    server
        .client()
        .send(&["SHUTDOWN", "NOSAVE"])
        .expect("the server takes it");
    assert!(server.wait().success());
}
