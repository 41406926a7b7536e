//! CONFIG SET `bind` and `port` on the running binary: where it listens follows, and a failure changes nothing.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use common::{Client, Server, free_port};

fn answers(address: &str, port: u16) -> bool {
    let address = SocketAddr::new(address.parse().unwrap(), port);
    Client::connect(address).is_ok_and(|mut client| client.ask("PING") == "PONG")
}

#[test]
fn the_port_moves_and_connections_stay() {
    let server = Server::start("");
    let mut client = server.client();
    let port = free_port();
    assert_eq!(client.ask(&format!("CONFIG SET port {port}")), "OK");
    assert!(answers("127.0.0.1", port));
    assert!(!answers("127.0.0.1", server.port));
    assert!(
        client
            .ask("INFO server")
            .contains(&format!("tcp_port:{port}\r\n"))
    );
    assert_eq!(client.ask("CONFIG SET port 0"), "OK");
    assert!(!answers("127.0.0.1", port));
    assert_eq!(
        client.ask(&format!("CONFIG SET port {}", server.port)),
        "OK"
    );
    assert!(answers("127.0.0.1", server.port));
}

#[test]
fn a_port_in_use_changes_nothing() {
    let server = Server::start("");
    let mut client = server.client();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(
        client.ask(&format!("CONFIG SET timeout 5 port {port}")),
        "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!(client.ask("CONFIG GET timeout"), "[timeout 0]");
    assert!(answers("127.0.0.1", server.port));
    assert!(
        server
            .log()
            .contains("Could not create server TCP listening socket 127.0.0.1:")
    );
}

/// An address of this machine that is not loopback, if it has one: the one that packets to elsewhere would leave from.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // 192.0.2.0/24 is kept for documentation; nothing is sent.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[test]
fn without_a_password_only_this_machine_is_served() {
    let server = Server::start("bind *");
    let mut client = server.client();
    let Some(outer) = outer_address() else {
        eprintln!("left out: this machine has no other address than loopback");
        return;
    };
    let ask = || {
        let address = SocketAddr::new(outer, server.port);
        Client::connect(address).map(|mut client| client.ask("PING"))
    };
    assert!(ask().unwrap().starts_with("-DENIED"), "{outer}");
    assert_eq!(client.ask("CONFIG SET requirepass secret"), "OK");
    assert!(ask().unwrap().starts_with("-NOAUTH"));
    assert_eq!(client.ask("CONFIG SET requirepass ''"), "OK");
    assert!(ask().unwrap().starts_with("-DENIED"));
    assert_eq!(client.ask("CONFIG SET protected-mode no"), "OK");
    assert_eq!(ask().unwrap(), "PONG");
}

/// Whether this process may administer networks: bit 12 of its capabilities, see capabilities(7).
fn may_mark() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    u64::from_str_radix(capabilities.trim(), 16).unwrap() >> 12 & 1 == 1
}

#[test]
fn sockets_are_marked_where_the_system_lets_us() {
    let server = Server::start("socket-mark-id 7");
    assert!(answers("127.0.0.1", server.port));
    let refused = server.log().contains("goes without its mark");
    assert_eq!(refused, !may_mark(), "{}", server.log());
}

#[test]
fn addresses_change_also_where_one_excludes_the_other() {
    let server = Server::start("bind 127.0.0.1");
    let mut client = server.client();
    for (bind, here, there) in [
        ("127.0.0.1 127.0.0.2", true, true),
        ("127.0.0.2", false, true),
        ("*", true, true),
        ("127.0.0.1 -127.0.0.2", true, true),
        ("0.0.0.0", true, true),
        ("127.0.0.1", true, false),
    ] {
        let words = ["CONFIG", "SET", "bind", bind];
        assert_eq!(client.ask_words(&words), "OK", "{bind}");
        assert_eq!(answers("127.0.0.1", server.port), here, "{bind}");
        assert_eq!(answers("127.0.0.2", server.port), there, "{bind}");
    }
    // 192.0.2.0/24 is kept for documentation: no machine has it.
    for bind in ["127.0.0.1 192.0.2.1", "* 192.0.2.1", "nosuch.invalid"] {
        assert_eq!(
            client.ask_words(&["CONFIG", "SET", "bind", bind]),
            "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses."
        );
        assert_eq!(client.ask("CONFIG GET bind"), "[bind 127.0.0.1]");
        assert!(answers("127.0.0.1", server.port), "{bind}");
        assert!(!answers("127.0.0.2", server.port), "{bind}");
    }
    assert_eq!(
        client.ask_words(&["CONFIG", "SET", "bind", "127.0.0.1 -192.0.2.1"]),
        "OK"
    );
}

#[test]
fn there_is_a_way_in_when_everybody_is_there() {
    let server = Server::start("maxclients 3\nunixsocket lane.sock\nrequest-timeout 1");
    let mut first = server.client();
    common::wait_for("the end of the connection that tried the server", || {
        first
            .ask("INFO clients")
            .contains("connected_clients:1\r\n")
    });
    let mut crowd = vec![first, server.client(), server.client()];
    for client in &mut crowd {
        assert_eq!(client.ask("PING"), "PONG");
    }
    let mut late = server.client();
    assert_eq!(late.ask("PING"), "-ERR max number of clients reached");
    let mut admin = UnixStream::connect(server.directory.join("lane.sock")).unwrap();
    admin.set_read_timeout(Some(common::PATIENCE)).unwrap();
    admin.write_all(b"DBSIZE\r\n").unwrap();
    let mut answer = [0; 4];
    admin.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b":0\r\n");
    drop(crowd);
}

#[test]
fn who_never_finishes_a_request_is_cut() {
    let server = Server::start("request-timeout 1");
    let mut patient = server.client();
    let mut slow = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    slow.set_read_timeout(Some(common::PATIENCE)).unwrap();
    slow.write_all(b"*2\r\n$3\r\nGET\r\n$100\r\n").unwrap();
    let cut = slow.read(&mut [0; 10]);
    assert!(matches!(cut, Ok(0) | Err(_)), "{cut:?}");
    // Between two requests one may take one's time.
    assert_eq!(patient.ask("PING"), "PONG");
}
