//! What transactions promise: Redis's own suite for MULTI, and the corners beside it.

use crate::testing::{Console, check};

#[test]
fn queues_and_runs() {
    check(
        "SET k a; MULTI; GET k; PING; EXEC",
        "OK; OK; QUEUED; QUEUED; [a PONG]",
    );
    check("MULTI; EXEC", "OK; []");
    check(
        "SET k a; MULTI; DEL k; DISCARD; GET k",
        "OK; OK; QUEUED; OK; a",
    );
    check(
        "EXEC; DISCARD",
        "(error) ERR EXEC without MULTI; (error) ERR DISCARD without MULTI",
    );
    check(
        "SET k a; MULTI; SET k 1 NX GET; SET k 2 PX 0; SET k 3; EXEC; GET k",
        "OK; OK; QUEUED; QUEUED; QUEUED; [a (error) ERR invalid expire time in 'set' command OK]; 3",
    );
}

#[test]
fn errors_of_multi_and_watch_inside_do_not_abort() {
    check(
        "MULTI; MULTI; WATCH x; SET a 1; EXEC",
        "OK; (error) ERR MULTI calls can not be nested; (error) ERR WATCH inside MULTI is not allowed; QUEUED; [OK]",
    );
}

const ABORT: &str = "(error) EXECABORT Transaction discarded because of previous errors.";

#[test]
fn errors_while_queueing_abort() {
    for (refused, error) in [
        (
            "NOSUCH",
            "ERR unknown command 'NOSUCH', with args beginning with: ",
        ),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        (
            "OBJECT NOSUCH k",
            "ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.",
        ),
        (
            "MULTI x",
            "ERR wrong number of arguments for 'multi' command",
        ),
    ] {
        check(
            &format!("MULTI; SET a 1; {refused}; SET b 1; EXEC; EXISTS a b; PING"),
            &format!("OK; QUEUED; (error) {error}; QUEUED; {ABORT}; 0; PONG"),
        );
    }
}

#[test]
fn an_abort_comes_before_a_changed_key_and_ends_both() {
    check(
        "WATCH k; SET k 1; MULTI; GET; EXEC; MULTI; PING; EXEC",
        &format!(
            "OK; OK; OK; (error) ERR wrong number of arguments for 'get' command; {ABORT}; OK; QUEUED; [PONG]"
        ),
    );
}

#[test]
fn a_refused_exec_ends_the_transaction() {
    let refused = "(error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command";
    check(
        "MULTI; SET a 1; EXEC now; EXISTS a; EXEC",
        &format!("OK; QUEUED; {refused}; 0; (error) ERR EXEC without MULTI"),
    );
    check(
        "WATCH a; EXEC now; SET a 1; MULTI; PING; EXEC",
        &format!("OK; {refused}; OK; OK; QUEUED; [PONG]"),
    );
    let mut console = Console::default();
    log_out(&mut console);
    assert_eq!(
        console.run("EXEC; PING; MULTI; NOSUCH"),
        "(error) EXECABORT Transaction discarded because of: NOAUTH Authentication required.; \
         (error) NOAUTH Authentication required.; (error) NOAUTH Authentication required.; \
         (error) ERR unknown command 'NOSUCH', with args beginning with: "
    );
    assert!(console.session(1).transaction.is_none());
}

/// A password is required from now on, and session 1 has not given it.
fn log_out(console: &mut Console) {
    console.engine.users.set_default_password(b"secret");
    console.session(1).authenticated = false;
}

#[test]
fn without_a_password_nobody_owes_one() {
    let mut console = Console::default();
    console.session(1).authenticated = false;
    assert_eq!(console.run("PING"), "PONG");
}

#[test]
fn losing_authentication_inside_multi_aborts() {
    let mut console = Console::default();
    console.run("MULTI; SET a 1");
    log_out(&mut console);
    assert_eq!(
        console.run("SET b 1"),
        "(error) NOAUTH Authentication required."
    );
    console.session(1).authenticated = true;
    assert_eq!(console.run("EXEC"), ABORT);
}

#[test]
fn a_refused_exec_counts_as_rejected_not_as_call() {
    let mut console = Console::default();
    console.run("EXEC now; EXEC; GET");
    let engine = &console.engine;
    let stat = |name: &str| {
        let id = engine.table.id_of(name.as_bytes()).expect("a command");
        let stat = &engine.stats[0].commands[id];
        (
            stat.calls.value(),
            stat.rejected.value(),
            stat.failed.value(),
        )
    };
    assert_eq!(stat("exec"), (1, 1, 1));
    assert_eq!(stat("get"), (0, 1, 0));
    assert_eq!(engine.stats[0].errors.value(), 3);
}

#[test]
fn watched_keys() {
    let outcome = |script: &str, expected: &str| {
        let reply = Console::default().run(&format!("{script}; MULTI; PING; EXEC"));
        let last = reply.rsplit("; ").next().expect("a reply");
        assert_eq!(last, expected, "{script}");
    };
    let (runs, fails) = ("[PONG]", "nil");
    outcome("WATCH x y z; WATCH k", runs);
    outcome("SET x 30; WATCH x; SET x 40", fails);
    outcome("SET x 30; WATCH a b x k z; SET x 40", fails);
    outcome("SET x 30; WATCH x; SET x 40; UNWATCH", runs);
    outcome("UNWATCH", runs);
    outcome("WATCH x; SET x 1; MULTI; DISCARD", runs);
    outcome("WATCH x; SET x 1; MULTI; DISCARD; SET x 2", runs);
    outcome("WATCH x; MULTI; EXEC; SET x 1", runs);
    outcome("WATCH x; SET x 1; MULTI; EXEC; SET x 2", runs);
    outcome("SET x 1; WATCH x; EXPIRE x 10", fails);
    outcome("SET x 1 EX 10; WATCH x; PERSIST x", fails);
    outcome("WATCH x; 2> SELECT 1; 2> SET x 1", runs);
    outcome(
        "SELECT 5; SET x 1; WATCH x; SELECT 1; SET x 1; SELECT 5",
        runs,
    );
    outcome(
        "SELECT 5; WATCH x; SELECT 1; 2> SELECT 5; 2> SET x 1",
        fails,
    );
    outcome("WATCH x x; SET x 1", fails);
    // Watched twice, in two databases, by two sessions.
    outcome("WATCH x; 2> WATCH x; 2> UNWATCH; 3> SET x 1", fails);
}

#[test]
fn watched_keys_and_time() {
    let outcome = |script: &str, expected: &str| {
        let reply = Console::default().run(&format!("{script}; MULTI; PING; EXEC"));
        let last = reply.rsplit("; ").next().expect("a reply");
        assert_eq!(last, expected, "{script}");
    };
    let (runs, fails) = ("[PONG]", "nil");
    // Alive when watched, expired before EXEC; removed by whom does not matter.
    outcome("SET x 1 PX 5; WATCH x; +5ms", fails);
    outcome("SET x 1 PX 5; WATCH x; +5ms; EXISTS x", fails);
    outcome("SET x 1 PX 5; WATCH x; +5ms; 2> FLUSHDB", fails);
    outcome("SET x 1 PX 5; WATCH x; +5ms; 2> SWAPDB 0 1", fails);
    // Expired when watched: its removal is no change.
    outcome("SET x 1 PX 5; +5ms; WATCH x", runs);
    outcome("SET x 1 PX 5; +5ms; WATCH x; EXISTS x", runs);
    outcome("SET x 1 PX 5; +5ms; WATCH x; FLUSHDB", runs);
    outcome("SET x 1 PX 5; +5ms; WATCH x; SET x 2", fails);
    // The wheel removes it, not a look-up.
    let mut console = Console::default();
    console.run("SET x 1 PX 5; WATCH x; +5ms");
    console.expire();
    assert_eq!(console.run("MULTI; PING; EXEC"), "OK; QUEUED; nil");
}

#[test]
fn watched_keys_and_whole_databases() {
    let outcome = |script: &str, expected: &str| {
        let reply = Console::default().run(&format!("{script}; MULTI; PING; EXEC"));
        let last = reply.rsplit("; ").next().expect("a reply");
        assert_eq!(last, expected, "{script}");
    };
    let (runs, fails) = ("[PONG]", "nil");
    for flush in ["FLUSHALL", "FLUSHDB"] {
        outcome(&format!("SET x 1; WATCH x; {flush}"), fails);
        outcome(&format!("WATCH x; SET y 1; {flush}"), runs);
    }
    outcome("SET x 1; WATCH x; SELECT 1; FLUSHDB", runs);
    outcome("SET x 1; WATCH x; SELECT 1; FLUSHALL", fails);
    outcome("SET x 1; WATCH x; SWAPDB 0 1", fails);
    outcome("SET x 1; WATCH x; SWAPDB 1 2", runs);
    outcome("SET x 1; WATCH x; SWAPDB 0 0", runs);
    outcome("SELECT 1; SET x 1; SELECT 0; WATCH x; SWAPDB 0 1", fails);
    outcome("SET y 1; WATCH x; SWAPDB 0 1", runs);
    // An expired key changes places with none, and the other way round.
    outcome("SELECT 1; SET x 1 PX 1; +2ms; WATCH x; SWAPDB 0 1", runs);
    outcome("SET x 1 PX 1; +2ms; SELECT 1; WATCH x; SWAPDB 0 1", runs);
    outcome(
        "SELECT 1; SET x 1 PX 1; SELECT 0; SET x 2 PX 1; +2ms; SELECT 1; WATCH x; SWAPDB 0 1",
        runs,
    );
}

#[test]
fn unwatch_inside_multi_is_queued() {
    check(
        "WATCH x; SET x 1; MULTI; UNWATCH; EXEC",
        "OK; OK; OK; QUEUED; nil",
    );
    check(
        "WATCH x; MULTI; UNWATCH; GET x; EXEC",
        "OK; OK; QUEUED; QUEUED; [OK nil]",
    );
}

#[test]
fn time_stands_still_inside() {
    check(
        "SET k v PX 10; MULTI; PTTL k; GET k; PTTL k; EXEC",
        "OK; OK; QUEUED; QUEUED; QUEUED; [10 v 10]",
    );
    check(
        "MULTI; SET k v PX 10; EXEC; +10ms; GET k",
        "OK; QUEUED; [OK]; nil",
    );
}

#[test]
fn whole_databases_inside() {
    check(
        "SET a 1; MULTI; SET b 1; KEYS b; DBSIZE; FLUSHALL; RANDOMKEY; SET c 1; SCAN 0; SWAPDB 0 1; EXEC; DBSIZE",
        "OK; OK; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; QUEUED; \
         [OK [b] 2 OK nil OK [0 [c]] OK]; 0",
    );
}

#[test]
fn a_database_selected_inside_stays_selected() {
    check(
        "MULTI; SELECT 3; SET k 1; EXEC; DBSIZE; SELECT 0; DBSIZE",
        "OK; QUEUED; QUEUED; [OK OK]; 1; OK; 0",
    );
    check(
        "MULTI; SELECT 3; DISCARD; SET k 1; SELECT 3; DBSIZE",
        "OK; QUEUED; OK; OK; OK; 0",
    );
}

#[test]
fn commands_of_an_aborted_transaction_take_no_memory() {
    let mut console = Console::default();
    console.run("MULTI; SET a 1; NOSUCH; SET b 1; SET c 1");
    let transaction = console
        .session(1)
        .transaction
        .as_ref()
        .expect("MULTI is open");
    assert_eq!(transaction.queue.len(), 1);
}
