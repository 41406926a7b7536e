//! The limits that all connections share, with a store of a few lines that counts what it is asked to append.

// The gateway does its I/O through the reactor; this test's business is to be its peers.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use dunlin_gateway::{Service, Settings, Store};
use dunlin_reactor::{ConnectAddress, Epoll, ListenAddress, ListenOptions, Listener};

const DEVICES: usize = 12;
const MESSAGES: usize = 300;
const PENDING_MAX: usize = 8;
const PENDING_BYTES_MAX: usize = 400;
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers TYPE and XADD, slowly, and notes how many XADDs it was ever sent ahead of its answers.
fn store(most_at_once: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut chunk = [0; 64 * 1024];
        loop {
            // Whole requests: what they are made of is sent in one write, and is short.
            let n = stream.read(&mut chunk).unwrap_or(0);
            if n == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&chunk[..n]);
            let appended = text.matches("\r\nXADD\r\n").count();
            most_at_once.fetch_max(appended, Ordering::Relaxed);
            let mut replies = "+none\r\n".repeat(text.matches("\r\nTYPE\r\n").count());
            replies += &"$3\r\n1-0\r\n".repeat(appended);
            thread::sleep(Duration::from_micros(200));
            if stream.write_all(replies.as_bytes()).is_err() {
                return;
            }
        }
    });
    address
}

#[test]
fn too_much_under_way_holds_everybody_back_and_loses_nothing() {
    let most_at_once = Arc::new(AtomicUsize::new(0));
    let at = Store::At(ConnectAddress::Tcp(store(Arc::clone(&most_at_once))));
    let mut settings = Settings::new(at, b"s").unwrap();
    settings.limits.pending_max = PENDING_MAX;
    settings.limits.pending_bytes_max = PENDING_BYTES_MAX;
    settings.limits.patience_ms = PATIENCE.as_millis() as u64;
    let local = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = Listener::bind(&local, &ListenOptions::default()).unwrap();
    let service = Service::start::<Epoll>(vec![listener], 1, "gateway", settings, 1).unwrap();
    let ListenAddress::Tcp(address) = service.addresses()[0].clone() else {
        panic!("it listens on TCP");
    };
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut frames = Vec::new();
                for id in 0..MESSAGES {
                    let payload = "x".repeat((id + number) % 100);
                    let length = 13 + payload.len() as u32;
                    frames.extend_from_slice(&length.to_be_bytes());
                    frames.extend_from_slice(format!("\x02{id:08}{payload}").as_bytes());
                }
                stream.write_all(&frames).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut acks = Vec::new();
                stream.read_to_end(&mut acks).unwrap();
                acks
            })
        })
        .collect();
    for device in devices {
        let acks = device.join().unwrap();
        assert_eq!(acks.len(), MESSAGES * 14);
        for (id, ack) in acks.chunks(14).enumerate() {
            let expected = [&b"\0\0\0\x0e\x82"[..], format!("{id:08}\0").as_bytes()].concat();
            assert_eq!(ack, expected);
        }
    }
    let most = most_at_once.load(Ordering::Relaxed);
    assert!((2..=PENDING_MAX).contains(&most), "{most} at once");
    assert_eq!(service.counters().kept(), (DEVICES * MESSAGES) as u64);
    let stopper = service.stopper();
    stopper.drain(u64::MAX);
    assert_eq!(service.join().unwrap().cut, 0);
}
