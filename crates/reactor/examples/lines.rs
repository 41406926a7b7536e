//! A protocol of lines: a request is a line, and so is its answer.
//!
//! `cargo run --release -p dunlin-reactor --example lines -- --port 7777`, then type into `nc 127.0.0.1 7777`:
//! `upper <text>`, `add <a> <b>`, `primes <n>` (how many there are below n), `quit`.
//!
//! It shows how requests are cut out of what arrives (any number of them in one piece, or one in many pieces), how answers keep
//! the order of the requests, and how work that takes long is done without holding up the others: `primes` goes to a thread pool,
//! its connection's input is paused meanwhile, and the answer comes back as a task of the loop.
//!
//! Invariant: a loop never counts primes, and no request of a connection is looked at before the one before it is answered.

mod support;

use std::error::Error;
use std::sync::Arc;

use dunlin_reactor::{
    CloseReason, ConnId, EnqueueError, Handler, Input, Io, Limits, Peer, Remote, ThreadPool,
};
use support::{Flags, serve, text};

/// The longest request.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// What is counted at most: some tens of ms.
const PRIMES_BELOW_MAX: usize = 10_000_000;

/// Requests for primes that may wait for a thread.
const PRIMES_WAITING_MAX: usize = 64;

struct Lines {
    pool: Arc<ThreadPool>,
    this_loop: Remote,
}

/// What a request comes to.
enum Answer {
    Now(String),
    Later,
    Quit,
}

impl Lines {
    fn answer(&self, conn: ConnId, request: &str) -> Answer {
        let (command, rest) = request.split_once(' ').unwrap_or((request, ""));
        let numbers: Result<Vec<i64>, _> = rest.split_whitespace().map(str::parse).collect();
        match (command, numbers.as_deref()) {
            ("upper", _) => Answer::Now(rest.to_uppercase()),
            ("add", Ok([a, b])) => match a.checked_add(*b) {
                Some(sum) => Answer::Now(sum.to_string()),
                None => Answer::Now("error: that is too much".into()),
            },
            ("primes", Ok([n])) => self.count_primes(conn, *n),
            ("quit", _) => Answer::Quit,
            _ => Answer::Now("error: upper <text>, add <a> <b>, primes <n> or quit".into()),
        }
    }

    fn count_primes(&self, conn: ConnId, below: i64) -> Answer {
        let Ok(below @ ..=PRIMES_BELOW_MAX) = usize::try_from(below) else {
            return Answer::Now(format!("error: from 0 to {PRIMES_BELOW_MAX}"));
        };
        let this_loop = self.this_loop.clone();
        let task = move || {
            let count = primes_below(below);
            let answer = move |io: &mut Io<'_>| {
                io.send(conn, &mut text(format!("{count}\n")));
                // What waits behind the request is shown again.
                io.resume_input(conn);
            };
            // It fails only when the loop has ended, and then nobody waits for the answer.
            let _ = this_loop.post(Box::new(answer));
        };
        match self.pool.enqueue(task) {
            Ok(_) => Answer::Later,
            Err(EnqueueError::Full) => Answer::Now("error: too many count primes now".into()),
            Err(EnqueueError::Stopped) => Answer::Quit,
        }
    }

    /// Answers what can be answered of one connection's input; how much of it that was.
    fn serve(&self, io: &mut Io<'_>, input: &Input) -> usize {
        let (conn, bytes) = (input.conn(), input.bytes());
        let mut answers = String::new();
        let mut done = 0;
        let mut closes = false;
        while done < bytes.len() && !closes {
            let rest = &bytes[done..];
            let end = rest.iter().position(|b| *b == b'\n');
            if end.unwrap_or(rest.len()) > LINE_BYTES_MAX {
                answers.push_str("error: line too long\n");
                closes = true;
                break;
            }
            let Some(end) = end.or(input.is_eof().then_some(rest.len())) else {
                break;
            };
            done = (done + end + 1).min(bytes.len());
            let request = String::from_utf8_lossy(&rest[..end]);
            match self.answer(conn, request.trim_end()) {
                Answer::Now(answer) => {
                    answers.push_str(&answer);
                    answers.push('\n');
                }
                Answer::Later => {
                    io.pause_input(conn);
                    break;
                }
                Answer::Quit => closes = true,
            }
        }
        if !answers.is_empty() {
            io.send(conn, &mut text(answers));
        }
        if closes {
            // What would be sent after this call would be dropped.
            io.close_after_flush(conn);
        }
        done
    }
}

/// How many prime numbers are less than `n`, by the sieve of Eratosthenes.
fn primes_below(n: usize) -> usize {
    let mut is_composite = vec![false; n];
    let mut count = 0;
    for i in 2..n {
        if !is_composite[i] {
            count += 1;
            for multiple in (i * i..n).step_by(i) {
                is_composite[multiple] = true;
            }
        }
    }
    count
}

impl Handler for Lines {
    fn opened(&mut self, _: &mut Io<'_>, _: ConnId, _: &Peer) {}

    fn inputs(&mut self, io: &mut Io<'_>, batch: &mut [Input]) {
        for input in batch {
            let done = self.serve(io, input);
            input.consume(done);
        }
    }

    fn closed(&mut self, _: &mut Io<'_>, _: ConnId, _: CloseReason) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["--port", "--backend", "--threads"])?;
    let threads = flags.value("--threads", 2)?;
    let workers = ThreadPool::start(threads, "primes", PRIMES_WAITING_MAX)?;
    let workers = Arc::new(workers);
    let make = move |this_loop| Lines {
        pool: Arc::clone(&workers),
        this_loop,
    };
    serve(&flags, "lines", threads, &Limits::default(), make)
}
