//! Commands in order over one connection, and what they have brought it into: a database, a transaction, subscriptions, RESP3.
//!
//! Invariant: what the prompt shows is what the server has confirmed. A connection that is lost takes its transaction and
//! subscriptions with it; login, database and protocol are restored by the next one.

use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use dunlin_resp::Value;

use super::connection::{Connection, Lost};
use super::endpoint::Endpoint;
use super::format::{Output, error_text, table};
use super::interrupt::Interrupt;
use super::options::{Options, Protocol};

/// How many redirections one command follows.
const REDIRECTIONS_MAX: usize = 16;

/// Why a command did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is gone, or the wait for it was broken off.
    Lost(Lost),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Failure {
        Failure::Lost(lost)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Other(error.into())
    }
}

/// Where a command has to be sent instead.
struct Redirection {
    slot: String,
    ask: bool,
}

/// The client's side of a conversation.
#[derive(Debug)]
pub(super) struct Session {
    options: Options,
    /// Where the server is now: `connect` and redirections change it.
    pub(super) endpoint: Endpoint,
    connection: Option<Connection>,
    interrupt: Option<Rc<Interrupt>>,
    /// At a prompt, where errors are shown and the next command comes.
    pub(super) interactive: bool,
    /// Replies of hashes and scores as tables.
    pub(super) tables: bool,
    database: i64,
    database_before_multi: i64,
    in_multi: bool,
    subscribed: bool,
    resp3: bool,
    asking: bool,
    saw_error: bool,
}

impl Session {
    pub(super) fn new(options: Options) -> Session {
        Session {
            endpoint: options.endpoint.clone(),
            connection: None,
            interrupt: None,
            interactive: false,
            tables: options.table == Some(true),
            database: 0,
            database_before_multi: 0,
            in_multi: false,
            subscribed: false,
            resp3: false,
            asking: false,
            saw_error: false,
            options,
        }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether any command was answered by an error.
    pub(super) fn saw_error(&self) -> bool {
        self.saw_error
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.subscribed
    }

    /// The connection, if there is one.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Ctrl-C ends waits from now on, not the program.
    pub(super) fn set_interrupt(&mut self, interrupt: Rc<Interrupt>) {
        self.interrupt = Some(interrupt);
    }

    /// Becomes readable at Ctrl-C, if that was taken over.
    pub(super) fn interrupt(&self) -> Option<&Interrupt> {
        self.interrupt.as_deref()
    }

    /// What stands before the line that is typed.
    pub(super) fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".to_owned();
        }
        let mut prompt = match &self.endpoint.socket {
            Some(path) => format!("redis {}", path.display()),
            None => self.endpoint.to_string(),
        };
        if self.database != 0 {
            prompt.push_str(&format!("[{}]", self.database));
        }
        if self.in_multi {
            prompt.push_str("(TX)");
        }
        if self.subscribed {
            prompt.push_str("(subscribed mode)");
        }
        prompt.push_str("> ");
        prompt
    }

    /// Connects if there is no connection. A login or database that is refused is shown, and the connection stays.
    ///
    /// # Errors
    /// When nobody answers.
    pub(super) fn connect(&mut self) -> Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.in_multi = false;
        self.subscribed = false;
        self.database = 0;
        self.resp3 = false;
        let mut connection = super::open(&self.endpoint)?;
        let introduced = super::introduce(&mut connection, &self.endpoint);
        if introduced.is_ok() {
            self.database = self.endpoint.database;
        }
        let greeted = introduced.and_then(|()| self.speak_resp3(&mut connection));
        if let Some(interrupt) = &self.interrupt {
            connection.interruptible(Rc::clone(interrupt));
        }
        self.connection = Some(connection);
        if let Err(error) = greeted {
            let _ = writeln!(io::stderr(), "{error:#}");
        }
        Ok(())
    }

    fn speak_resp3(&mut self, connection: &mut Connection) -> Result<()> {
        if self.options.protocol == Protocol::Resp2 {
            return Ok(());
        }
        let answer = connection.ask(&["HELLO", "3"])?;
        self.resp3 = matches!(answer, Value::Map(_));
        match self.options.protocol {
            Protocol::Resp3 => super::refuse_error("HELLO 3 failed", &answer),
            _ => Ok(()),
        }
    }

    /// Goes to another server.
    pub(super) fn connect_to(&mut self, host: &str, port: u16) -> Result<()> {
        host.clone_into(&mut self.endpoint.host);
        self.endpoint.port = port;
        self.endpoint.socket = None;
        self.disconnect();
        self.connect()
    }

    /// Drops the connection and what it was in.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.in_multi = false;
        self.subscribed = false;
    }

    /// Sends a command `repeat` times (below 0: for ever), following redirections, and shows its replies.
    pub(super) fn issue(&mut self, arguments: &[Vec<u8>], repeat: i64) -> Result<(), Failure> {
        for _ in 0..=REDIRECTIONS_MAX {
            self.connect()?;
            match self.send(arguments, repeat) {
                Ok(None) => return Ok(()),
                Ok(Some(redirection)) => {
                    if self.interactive {
                        let (slot, endpoint) = (redirection.slot, &self.endpoint);
                        writeln!(
                            io::stdout(),
                            "-> Redirected to slot [{slot}] located at {endpoint}"
                        )?;
                    }
                    self.disconnect();
                    self.asking = redirection.ask;
                }
                Err(failure) => {
                    if matches!(failure, Failure::Lost(_)) {
                        self.disconnect();
                    }
                    return Err(failure);
                }
            }
        }
        Err(Failure::Other(anyhow::anyhow!(
            "redirected {REDIRECTIONS_MAX} times"
        )))
    }

    fn send(&mut self, arguments: &[Vec<u8>], repeat: i64) -> Result<Option<Redirection>, Failure> {
        let mut left = repeat;
        while left != 0 {
            left = (left - 1).max(-1);
            if std::mem::take(&mut self.asking) {
                let connection = self.connection.as_mut().ok_or(Lost::Closed)?;
                let answer = connection.ask(&["ASKING"])?;
                super::refuse_error("ASKING failed", &answer)?;
            }
            let connection = self.connection.as_mut().ok_or(Lost::Closed)?;
            connection.send(arguments)?;
            if is(arguments, 0, "monitor") {
                self.monitor()?;
                return Ok(None);
            }
            if let Some(redirection) = self.answer(arguments)? {
                return Ok(Some(redirection));
            }
            if !self.options.interval.is_zero() {
                self.pause(self.options.interval);
            }
        }
        Ok(None)
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Shows what MONITOR shows until it is refused or the connection ends.
    fn monitor(&mut self) -> Result<(), Failure> {
        loop {
            let line = self.receive()?;
            self.show(&line, &[])?;
            if error_text(&line).is_some() {
                self.saw_error = true;
                return Ok(());
            }
        }
    }

    fn receive(&mut self) -> Result<Value, Lost> {
        self.connection.as_mut().ok_or(Lost::Closed)?.receive()
    }

    /// Waits for the reply of the command, showing what comes before it, and notes what it changes.
    fn answer(&mut self, arguments: &[Vec<u8>]) -> Result<Option<Redirection>, Failure> {
        let confirms = confirmations(arguments);
        let mut confirmations_left = confirms.map_or(0, |(_, count)| count);
        loop {
            let value = match self.receive() {
                // A server that was told to stop has no more to say.
                Err(Lost::Closed) if is(arguments, 0, "shutdown") => {
                    self.disconnect();
                    return Ok(None);
                }
                received => received?,
            };
            let message = message_kind(&value);
            if let (Some(kind), true) = (message, confirmations_left > 0 || self.subscribed) {
                self.show(&value, &[])?;
                if confirms.is_some_and(|_| arguments[0].eq_ignore_ascii_case(kind))
                    && confirmations_left > 0
                {
                    self.subscribed |= !kind.windows(5).any(|part| part == b"unsub");
                    confirmations_left -= 1;
                    if confirmations_left == 0 {
                        return Ok(None);
                    }
                }
                continue;
            }
            if let Value::Push(_) = value {
                if self.options.show_pushes || self.subscribed {
                    self.show_push(&value)?;
                }
                continue;
            }
            if let Some(redirection) = self.redirected(&value) {
                return Ok(Some(redirection));
            }
            if error_text(&value).is_some() {
                self.saw_error = true;
                if self.options.errors_fail && !self.interactive {
                    let text = String::from_utf8_lossy(error_text(&value).unwrap_or_default())
                        .into_owned();
                    return Err(Failure::Other(anyhow::Error::msg(text)));
                }
            }
            self.show(&value, arguments)?;
            self.note(arguments, &value);
            return Ok(None);
        }
    }

    /// Where `value` sends us, if we follow it.
    fn redirected(&mut self, value: &Value) -> Option<Redirection> {
        let text = std::str::from_utf8(error_text(value)?).ok()?;
        let mut words = text.split(' ');
        let ask = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        if !self.options.cluster_mode {
            return None;
        }
        let slot = words.next()?.to_owned();
        let (host, port) = words.next()?.rsplit_once(':')?;
        self.endpoint.port = port.parse().ok()?;
        // Without a host it is the same as before.
        if !host.is_empty() {
            host.clone_into(&mut self.endpoint.host);
        }
        Some(Redirection { slot, ask })
    }

    /// Keeps track of what a command that was answered has changed.
    fn note(&mut self, arguments: &[Vec<u8>], value: &Value) {
        let failed = error_text(value).is_some();
        let alone = arguments.len() == 1;
        let undone = failed || matches!(value, Value::Null | Value::NullArray);
        if is(arguments, 0, "select") && arguments.len() == 2 && !failed {
            let database = std::str::from_utf8(&arguments[1])
                .ok()
                .and_then(|n| n.parse().ok());
            self.set_database(database.unwrap_or(0));
        } else if is(arguments, 0, "multi") && alone && !failed {
            self.in_multi = true;
            self.database_before_multi = self.database;
        } else if is(arguments, 0, "exec") && self.in_multi {
            self.in_multi = false;
            if undone {
                self.set_database(self.database_before_multi);
            }
        } else if is(arguments, 0, "discard") && alone && !failed {
            self.in_multi = false;
            self.set_database(self.database_before_multi);
        } else if is(arguments, 0, "reset") && alone && !failed {
            self.in_multi = false;
            self.subscribed = false;
            self.resp3 = false;
            self.set_database(0);
        } else if is(arguments, 0, "hello") && !failed {
            self.resp3 = matches!(value, Value::Map(_));
        }
    }

    fn set_database(&mut self, database: i64) {
        self.database = database;
        self.endpoint.database = database;
    }

    /// Shows messages until the connection ends, if it is subscribed to anything.
    pub(super) fn follow_messages(&mut self) -> Result<(), Failure> {
        while self.subscribed {
            let value = self.receive()?;
            self.show(&value, &[])?;
        }
        Ok(())
    }

    /// Shows what has come already.
    pub(super) fn show_buffered(&mut self) -> Result<(), Failure> {
        while let Some(connection) = &mut self.connection
            && let Some(value) = connection.buffered()?
        {
            self.show(&value, &[])?;
        }
        Ok(())
    }

    /// Reads what is there and shows it.
    pub(super) fn show_readable(&mut self) -> Result<(), Failure> {
        self.connection.as_mut().ok_or(Lost::Closed)?.fill()?;
        self.show_buffered()
    }

    /// A push that nobody waited for. What is told of changed keys gets a line of its own.
    fn show_push(&self, value: &Value) -> Result<(), Failure> {
        if let (Output::Standard, Value::Push(items)) = (self.options.format.output, value)
            && let [Value::Bulk(kind), what] = items.as_slice()
            && kind == b"invalidate"
        {
            let mut line = b"-> invalidate: ".to_vec();
            match what {
                Value::Array(keys) => {
                    for (i, key) in keys.iter().enumerate() {
                        line.extend_from_slice(if i > 0 { b", " } else { b"" });
                        if let Value::Bulk(key) = key {
                            super::format::quote::quoted(&mut line, key);
                        }
                    }
                }
                _ => line.extend_from_slice(b"all keys"),
            }
            line.push(b'\n');
            io::stdout().write_all(&line)?;
            return Ok(());
        }
        self.show(value, &[])
    }

    /// Writes a reply in the format of the options; `arguments` are those of the command that it answers.
    fn show(&self, value: &Value, arguments: &[Vec<u8>]) -> Result<(), Failure> {
        let mut out = Vec::new();
        let table = self.tables.then(|| table::of(arguments, value)).flatten();
        match table {
            Some(table) => out.extend_from_slice(table.as_bytes()),
            None => self
                .options
                .format
                .write(&mut out, value, is_for_reading(arguments)),
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()?;
        Ok(())
    }
}

fn is(arguments: &[Vec<u8>], at: usize, word: &str) -> bool {
    arguments
        .get(at)
        .is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a command is answered by text that is to be read as it is.
fn is_for_reading(arguments: &[Vec<u8>]) -> bool {
    let n = arguments.len();
    let is = |at, word| is(arguments, at, word);
    is(0, "info")
        || is(0, "lolwut")
        || (is(0, "debug")
            && (is(1, "htstats") || is(1, "htstats-key") || is(1, "client-eviction")))
        || (is(0, "memory") && (is(1, "malloc-stats") || is(1, "doctor")))
        || (is(0, "cluster") && n == 2 && (is(1, "nodes") || is(1, "info")))
        || (is(0, "client") && (is(1, "list") || is(1, "info")))
        || (is(0, "latency") && n == 3 && is(1, "graph"))
        || (is(0, "latency") && n == 2 && is(1, "doctor"))
}

/// For a command of subscriptions: whether it subscribes, and how many messages confirm it.
fn confirmations(arguments: &[Vec<u8>]) -> Option<(bool, usize)> {
    let name = arguments.first()?.to_ascii_lowercase();
    let subscribes = match name.as_slice() {
        b"subscribe" | b"psubscribe" | b"ssubscribe" => true,
        b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => false,
        _ => return None,
    };
    Some((subscribes, (arguments.len() - 1).max(1)))
}

/// What a message of pub/sub calls itself; `None` for everything else.
fn message_kind(value: &Value) -> Option<&[u8]> {
    let (Value::Push(items) | Value::Array(items)) = value else {
        return None;
    };
    match items.as_slice() {
        [Value::Bulk(kind), _, _, ..]
            if kind.ends_with(b"message") || kind.ends_with(b"subscribe") =>
        {
            Some(kind)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn texts_for_reading() {
        for line in [
            "INFO",
            "info server",
            "client list",
            "LATENCY doctor",
            "memory doctor",
            "latency graph x",
        ] {
            assert!(is_for_reading(&words(line)), "{line}");
        }
        for line in ["get info", "client id", "latency latest", "cluster nodes x"] {
            assert!(!is_for_reading(&words(line)), "{line}");
        }
    }

    #[test]
    fn confirmations_are_counted_by_channel() {
        assert_eq!(confirmations(&words("SUBSCRIBE a b")), Some((true, 2)));
        assert_eq!(confirmations(&words("unsubscribe")), Some((false, 1)));
        assert_eq!(confirmations(&words("publish a b")), None);
    }
}
