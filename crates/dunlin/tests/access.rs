//! Users on the running binary: files that are written and read again, connections that are closed; and clients that leave while others
//! send them what is no longer valid.

mod common;

use common::{Server, read, scratch, wait_for};

/// The lines of a configuration that define users.
fn user_lines(text: &str) -> String {
    let lines = text.lines().filter(|line| line.starts_with("user "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn config_rewrite_writes_users_that_a_server_reads_again() {
    let server =
        Server::start("user alice on >pass ~a:* &c* +@read -keys\nuser gone on nopass +ping");
    let mut client = server.client();
    for line in [
        "ACL SETUSER bob on nopass ~x:* +get",
        "ACL SETUSER bob reset on nopass %R~b:* +get",
        "ACL SETUSER alice >second -config|set",
        "ACL DELUSER gone",
    ] {
        client.ask(line);
    }
    client.ask_words(&["ACL", "SETUSER", "bob", "(+set ~c:*)"]);
    let users = client.ask("ACL LIST");
    assert!(
        users.contains("bob") && users.contains("(~c:*") && !users.contains("gone"),
        "{users}"
    );
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    let lines = user_lines(&read(&server.config));
    assert_eq!(
        lines.lines().filter(|line| line.contains(" bob ")).count(),
        1,
        "{lines}"
    );
    // Once more: nothing is written twice.
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    assert_eq!(user_lines(&read(&server.config)), lines);
    let again = Server::start(&lines);
    let mut client = again.client();
    assert_eq!(client.ask("ACL LIST"), users);
    assert_eq!(client.ask("AUTH alice second"), "OK");
    assert!(client.ask("GET b:1").starts_with("-NOPERM"));
}

#[test]
fn acl_load_closes_the_connections_of_all_users_but_the_default_one() {
    let file = scratch("users").join("users.acl");
    let write = |users: &[&str]| {
        let lines = users
            .iter()
            .map(|name| format!("user {name} on >pass ~* &* +@all\n"));
        std::fs::write(&file, lines.collect::<String>()).expect("the file is written");
    };
    write(&["alice", "carol"]);
    let server = Server::start(&format!("aclfile {}", file.display()));
    let [mut alice, mut carol, mut other] = [(); 3].map(|()| server.client());
    assert_eq!(alice.ask("AUTH alice pass"), "OK");
    assert_eq!(carol.ask("AUTH carol pass"), "OK");
    // One that waits is closed, too.
    let mut waiting = server.client();
    assert_eq!(waiting.ask("AUTH alice pass"), "OK");
    waiting
        .send(&["BLPOP", "nothing", "0"])
        .expect("the server takes it");
    write(&["carol"]);
    assert_eq!(other.ask("ACL LOAD"), "OK");
    wait_for("the end of alice", || alice.try_ask(&["PING"]).is_err());
    wait_for("the end of carol", || carol.try_ask(&["PING"]).is_err());
    assert!(waiting.reply().is_err());
    assert_eq!(other.ask("PING"), "PONG");
    assert!(other.ask("AUTH alice pass").starts_with("-WRONGPASS"));
    let mut carol = server.client();
    assert_eq!(carol.ask("AUTH carol pass"), "OK");
    // A file that can't be read changes nothing, and closes nobody.
    std::fs::write(&file, "user carol on nonsense\n").expect("the file is written");
    assert!(other.ask("ACL LOAD").starts_with("-ERR"));
    assert_eq!(carol.ask("ACL WHOAMI"), "carol");
}

#[test]
fn who_leaves_while_invalidations_are_sent_to_it_harms_nobody() {
    const CHANNEL: &str = "__redis__:invalidate";
    let server = Server::start("");
    let [mut reader, mut writer] = [(); 2].map(|()| server.client());
    for round in 0..40 {
        let mut listener = server.client();
        let id = listener.ask("CLIENT ID");
        listener.ask(&format!("SUBSCRIBE {CHANNEL}"));
        assert_eq!(
            reader.ask(&format!("CLIENT TRACKING ON REDIRECT {id}")),
            "OK"
        );
        reader.ask("GET k");
        writer.ask("SET k 1");
        let told = listener.reply().expect("an invalidation");
        assert_eq!(told, format!("[message {CHANNEL} [k]]"));
        reader.ask("GET k");
        if round % 2 == 0 {
            // Its end and the change meet in the server.
            writer
                .send(&["SET", "k", "2"])
                .expect("the server takes it");
            drop(listener);
            assert_eq!(writer.reply().expect("a reply"), "OK");
        } else {
            drop(listener);
        }
        wait_for("the broken redirection", || {
            writer.ask("SET k 3");
            reader.ask("GET k");
            reader
                .ask("CLIENT TRACKINGINFO")
                .contains("broken_redirect")
        });
        assert_eq!(reader.ask("CLIENT TRACKING OFF"), "OK");
    }
    assert_eq!(writer.ask("PING"), "PONG");
}
