//! A server that does nothing: what the machine and the load tool allow at best, to hold other figures against.
//!
//! It answers each request of a redis-benchmark with a constant, having only counted them: with the bytes of `--reply-file`, or else a GET
//! with 64 bytes and anything else with +OK. With `--log yes` it writes what it is sent to a file in `--dir` and flushes that first, once for all that
//! is there, as a durable server must. `cargo xtask bench` measures it beside the real ones.
//!
//! `cargo run --release -p dunlin-reactor --example floor -- --port 7777`

use std::error::Error;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use dunlin_reactor::{
    CloseReason, ConnId, Epoll, Handler, Input, Io, Limits, ListenAddress, Peer, Rope,
    SystemBackend, TcpServer, Uring,
};

/// What begins a request, and stands nowhere else in one of redis-benchmark's.
const REQUEST: u8 = b'*';
/// Where the name of a request of fewer than ten words begins: behind `*2`, `$3` and their line ends.
const NAME_AT: usize = 8;

/// The log is so long from the start, since a flush that changes no length takes less; it begins anew at the end.
const LOG_BYTES: usize = 64 << 20;

/// What makes requests durable.
struct Log {
    file: File,
    /// Where the next request goes.
    at: usize,
    /// Requests that are not written.
    waiting: Vec<u8>,
}

impl Log {
    fn new(dir: &Path) -> io::Result<Log> {
        let file = File::create(dir.join("floor.log"))?;
        file.write_all_at(&vec![b'#'; LOG_BYTES], 0)?;
        file.sync_all()?;
        Ok(Log {
            file,
            at: 0,
            waiting: Vec::new(),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.at + self.waiting.len() > LOG_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.waiting, self.at as u64)?;
        self.at += self.waiting.len();
        self.waiting.clear();
        self.file.sync_data()
    }
}

/// Answers and forgets.
struct Floor {
    log: Option<Log>,
    /// To GET, and to anything if all are answered alike.
    reply: Vec<u8>,
    is_for_all: bool,
}

impl Floor {
    fn reply(&self, request: &[u8]) -> &[u8] {
        match request.get(NAME_AT..NAME_AT + 4) {
            Some(b"PING") => b"+PONG\r\n",
            // The load tool asks it first.
            Some(b"CONF") => b"+OK\r\n",
            Some(b"GET\r") => &self.reply,
            _ if self.is_for_all => &self.reply,
            _ => b"+OK\r\n",
        }
    }
}

impl Handler for Floor {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        if let Some(log) = &mut self.log {
            for input in batch.iter() {
                log.waiting.extend_from_slice(input.bytes());
            }
            // Nothing may be answered that is not durable; that there are figures then would be worse than no server.
            log.flush().expect("the disk takes the log");
        }
        for input in batch {
            let bytes = input.bytes();
            let requests = bytes.iter().filter(|&&byte| byte == REQUEST).count();
            let reply = self.reply(bytes);
            let mut rope = Rope::with_buffer(io.buffer());
            for _ in 0..requests {
                rope.tail().extend_from_slice(reply);
            }
            let len = bytes.len();
            io.send(input.conn(), &mut rope);
            input.consume(len);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
}

/// The word behind a flag. Other flags are those of a server that does something.
fn value(flag: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != flag).nth(1)
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = value("--port").ok_or("say --port")?.parse()?;
    let file = value("--reply-file");
    let log = match value("--log").as_deref() {
        Some("yes") => Some(Log::new(Path::new(&value("--dir").ok_or("say --dir")?))?),
        _ => None,
    };
    let floor = Floor {
        log,
        is_for_all: file.is_some(),
        reply: match file {
            Some(path) => std::fs::read(path)?,
            None => [b"$64\r\n".as_slice(), &[b'v'; 64], b"\r\n"].concat(),
        },
    };
    match value("--io-backend").as_deref() {
        Some("io_uring") => serve::<Uring>(port, floor),
        _ => serve::<Epoll>(port, floor),
    }
}

fn serve<B: SystemBackend>(port: u16, mut floor: Floor) -> Result<(), Box<dyn Error>> {
    let mut tcp = TcpServer::new();
    tcp.listen(&ListenAddress::Tcp(SocketAddr::from((
        Ipv4Addr::LOCALHOST,
        port,
    ))))?;
    let mut loops = tcp.into_loops::<B>(1, &Limits::default())?;
    loops[0].run(&mut floor)?;
    Ok(())
}
