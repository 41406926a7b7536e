//! A small RESP2 client over a blocking socket, for tasks that must know exactly what they send and get.
//!
//! Independent of our own crates on purpose: a bug in `resp` must not hide itself here. Not for speed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// How long a reply may take; KEYS over a million keys under load takes seconds.
const REPLY_LIMIT_S: u64 = 120;

/// Bytes that one call throws away.
const SKIPPED_AT_ONCE_MAX: usize = 1 << 18;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl Client {
    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16) -> Result<Client> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(REPLY_LIMIT_S)))?;
        Ok(Client {
            stream: BufReader::with_capacity(1 << 18, stream),
            out: Vec::new(),
        })
    }

    /// Appends a command to what [`Client::flush`] sends.
    pub(crate) fn queue(&mut self, arguments: &[&[u8]]) {
        encode(&mut self.out, arguments);
    }

    /// Sends what was queued.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Sends a command and waits for its reply.
    pub(crate) fn call(&mut self, arguments: &[&[u8]]) -> Result<Reply> {
        self.queue(arguments);
        self.flush()?;
        self.reply()
    }

    /// Sends a command given as words, and fails on an error reply.
    pub(crate) fn run(&mut self, words: &str) -> Result<Reply> {
        let arguments: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
        match self.call(&arguments)? {
            Reply::Error(text) => bail!("{words}: {text}"),
            reply => Ok(reply),
        }
    }

    /// The integer that a command answers.
    pub(crate) fn integer(&mut self, words: &str) -> Result<i64> {
        match self.run(words)? {
            Reply::Integer(value) => Ok(value),
            other => bail!("{words}: {other:?} is no integer"),
        }
    }

    /// A field of INFO, as text.
    pub(crate) fn info(&mut self, section: &str, field: &str) -> Result<String> {
        let Reply::Bulk(text) = self.run(&format!("INFO {section}"))? else {
            bail!("INFO {section}: no bulk string");
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .map(str::to_owned)
            .with_context(|| format!("INFO {section} has no {field}"))
    }

    /// Reads one reply.
    pub(crate) fn reply(&mut self) -> Result<Reply> {
        let mut line = Vec::new();
        self.stream
            .read_until(b'\n', &mut line)
            .context("no reply")?;
        ensure!(
            line.ends_with(b"\r\n"),
            "the connection ended inside a reply"
        );
        let kind = line[0];
        let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
        Ok(match kind {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(text.parse()?),
            b'$' => match text.parse::<i64>()? {
                -1 => Reply::Null,
                length => {
                    let mut bytes = vec![0; usize::try_from(length)? + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(bytes.len() - 2);
                    Reply::Bulk(bytes)
                }
            },
            b'*' => match text.parse::<i64>()? {
                -1 => Reply::Null,
                count => Reply::Array((0..count).map(|_| self.reply()).collect::<Result<_>>()?),
            },
            other => bail!("a reply that begins with {:?}", char::from(other)),
        })
    }

    /// Throws away exactly this many bytes of replies. Linux does so without copying them, so that this costs the load's core little.
    pub(crate) fn skip(&mut self, bytes: usize) -> Result<()> {
        let buffered = self.stream.buffer().len().min(bytes);
        self.stream.consume(buffered);
        let mut left = bytes - buffered;
        let mut untouched = vec![0; left.min(SKIPPED_AT_ONCE_MAX)];
        while left > 0 {
            let most = left.min(untouched.len());
            let socket = self.stream.get_ref();
            let skipped = match recv(socket, &mut untouched[..most], RecvFlags::TRUNC) {
                Ok((_, skipped)) => skipped,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            ensure!(skipped > 0, "the connection ended inside a reply");
            left -= skipped;
        }
        Ok(())
    }

    /// The socket below, for what is not a command.
    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

/// Appends a command in RESP.
pub(crate) fn encode(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}
