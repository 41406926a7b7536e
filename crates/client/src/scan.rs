//! SCAN, HSCAN, SSCAN and ZSCAN as iterators.
//!
//! Invariant: one page is held at a time. As with the commands themselves, what is there from the beginning to the end of a scan comes at least
//! once, and may come twice.

use std::collections::VecDeque;

use crate::arg::ToArg;
use crate::client::Client;
use crate::command::Command;
use crate::error::Result;
use crate::reply::FromReply;

/// A scan: an iterator that asks for the next page when it has used one up. In tasks, [`Scan::step`] does the same.
///
/// ```no_run
/// use dunlin_client::Client;
///
/// let client = Client::connect("redis://127.0.0.1")?;
/// for key in client.scan().matching("user:*").count(100) {
///     println!("{}", String::from_utf8_lossy(&key?));
/// }
/// for pair in client.hscan("hash") {
///     let (field, value) = pair?;
///     println!("{} bytes, {} bytes", field.len(), value.len());
/// }
/// # Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it asks for nothing until it is iterated"]
pub struct Scan<'a, T> {
    client: &'a Client,
    /// The command's name, and its key.
    name: &'static str,
    key: Option<Vec<u8>>,
    options: Command,
    cursor: Vec<u8>,
    page: VecDeque<T>,
    /// The last page was fetched, or an error ended it.
    ended: bool,
}

impl<'a, T> Scan<'a, T> {
    fn new(client: &'a Client, name: &'static str, key: Option<Command>) -> Scan<'a, T> {
        Scan {
            client,
            name,
            key: key.and_then(|key| key.args().nth(1).map(<[u8]>::to_vec)),
            options: Command::new(""),
            cursor: b"0".to_vec(),
            page: VecDeque::new(),
            ended: false,
        }
    }

    /// Only what matches a pattern.
    pub fn matching(mut self, pattern: impl ToArg) -> Self {
        self.options.push(("MATCH", pattern));
        self
    }

    /// About how many the server looks at for one page.
    pub fn count(mut self, count: usize) -> Self {
        self.options.push(("COUNT", count));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name);
        command.push(self.key.as_ref());
        command.push(&self.cursor);
        for option in self.options.args().skip(1) {
            command.push(option);
        }
        command
    }
}

impl<T> Scan<'_, T>
where
    Vec<T>: FromReply,
{
    fn accept(&mut self, page: Result<(Vec<u8>, Vec<T>)>) -> Option<Result<T>> {
        match page {
            Ok((cursor, page)) => {
                self.ended = cursor == b"0";
                self.cursor = cursor;
                self.page = page.into();
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }

    /// The next element, for tasks; `None` at the end.
    ///
    /// # Errors
    /// As [`crate::Request::call`]; the scan is over then.
    pub async fn step(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(element) = self.page.pop_front() {
                return Some(Ok(element));
            }
            if self.ended {
                return None;
            }
            let page = self.client.send(self.command()).await;
            if let Some(error) = self.accept(page) {
                return Some(error);
            }
        }
    }
}

impl<T> Iterator for Scan<'_, T>
where
    Vec<T>: FromReply,
{
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(element) = self.page.pop_front() {
                return Some(Ok(element));
            }
            if self.ended {
                return None;
            }
            let page = self.client.call(self.command());
            if let Some(error) = self.accept(page) {
                return Some(error);
            }
        }
    }
}

impl Scan<'_, Vec<u8>> {
    /// Only keys of a type (of SCAN).
    pub fn kind(mut self, kind: &str) -> Self {
        self.options.push(("TYPE", kind));
        self
    }
}

impl Client {
    /// All keys of the database.
    pub fn scan(&self) -> Scan<'_, Vec<u8>> {
        Scan::new(self, "SCAN", None)
    }

    /// All fields of a hash, with their values.
    pub fn hscan(&self, key: impl ToArg) -> Scan<'_, (Vec<u8>, Vec<u8>)> {
        Scan::new(self, "HSCAN", Some(Command::new("").arg(key)))
    }

    /// All members of a set.
    pub fn sscan(&self, key: impl ToArg) -> Scan<'_, Vec<u8>> {
        Scan::new(self, "SSCAN", Some(Command::new("").arg(key)))
    }

    /// All members of a sorted set, with their scores.
    pub fn zscan(&self, key: impl ToArg) -> Scan<'_, (Vec<u8>, f64)> {
        Scan::new(self, "ZSCAN", Some(Command::new("").arg(key)))
    }
}
