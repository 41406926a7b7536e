//! An echo server of bytes: what comes is sent back as it comes, whatever its lines are.
//!
//! `cargo xtask bench --only echo` measures it beside the same server on other runtimes. One loop, no flags but these:
//!
//! `cargo run --release -p dunlin-reactor --example echo_bytes -- --port 7777 --backend io_uring`
//!
//! Invariant: it holds nothing between turns; a peer that does not read its echoes is not read either.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use dunlin_reactor::{
    CloseReason, ConnId, Epoll, Handler, Input, Io, Limits, ListenAddress, Peer, Rope,
    SystemBackend, TcpServer, Uring,
};

/// Sends back.
struct Echo;

impl Handler for Echo {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let mut rope = Rope::with_buffer(io.buffer());
            rope.tail().extend_from_slice(input.bytes());
            input.consume(input.bytes().len());
            io.send(input.conn(), &mut rope);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
}

fn serve<B: SystemBackend>(port: u16) -> Result<(), Box<dyn Error>> {
    let mut tcp = TcpServer::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    tcp.listen(&ListenAddress::Tcp(address))?;
    let mut loops = tcp.into_loops::<B>(1, &Limits::default())?;
    loops[0].run(&mut Echo)?;
    Ok(())
}

/// The word behind a flag. Other arguments are those of a server that does something, and ignored.
fn value(flag: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != flag).nth(1)
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = value("--port").ok_or("say --port")?.parse()?;
    match value("--backend").as_deref() {
        None | Some("epoll") => serve::<Epoll>(port),
        Some("io_uring") => serve::<Uring>(port),
        Some(other) => Err(format!("--backend {other}: there are epoll and io_uring").into()),
    }
}
