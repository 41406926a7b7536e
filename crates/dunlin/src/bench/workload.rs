//! What is sent: the tests of redis-benchmark by their names, a command of the user's, or a mix of GET and SET.

use anyhow::{Result, bail};

use super::options::{Options, Ratio};
use super::template::Template;

/// A test.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// As reports name it.
    pub(super) title: String,
    /// Requests and how often each is chosen among the sum of all.
    pub(super) parts: Vec<(Template, u32)>,
}

/// One of redis-benchmark's tests: the names that -t knows it by, its title, and its words; `score` stands for one of ZADD's.
struct Known {
    names: &'static [&'static str],
    title: &'static str,
    words: &'static str,
}

const fn known(names: &'static [&'static str], title: &'static str, words: &'static str) -> Known {
    Known {
        names,
        title,
        words,
    }
}

/// The tests in their order. PING_INLINE alone is not encoded.
const TESTS: [Known; 21] = [
    known(&["ping_inline", "ping"], "PING_INLINE", "PING"),
    known(&["ping_mbulk", "ping"], "PING_MBULK", "PING"),
    known(&["set"], "SET", "SET key:__rand_int__ __data__"),
    known(&["get"], "GET", "GET key:__rand_int__"),
    known(&["incr"], "INCR", "INCR counter:__rand_int__"),
    known(&["lpush"], "LPUSH", "LPUSH mylist __data__"),
    known(&["rpush"], "RPUSH", "RPUSH mylist __data__"),
    known(&["lpop"], "LPOP", "LPOP mylist"),
    known(&["rpop"], "RPOP", "RPOP mylist"),
    known(&["sadd"], "SADD", "SADD myset element:__rand_int__"),
    known(
        &["hset"],
        "HSET",
        "HSET myhash element:__rand_int__ __data__",
    ),
    known(&["spop"], "SPOP", "SPOP myset"),
    known(&["zadd"], "ZADD", "ZADD myzset score element:__rand_int__"),
    known(&["zpopmin"], "ZPOPMIN", "ZPOPMIN myzset"),
    known(
        &[
            "lrange",
            "lrange_100",
            "lrange_300",
            "lrange_500",
            "lrange_600",
        ],
        "LPUSH (needed to benchmark LRANGE)",
        "LPUSH mylist __data__",
    ),
    known(
        &["lrange", "lrange_100"],
        "LRANGE_100 (first 100 elements)",
        "LRANGE mylist 0 99",
    ),
    known(
        &["lrange", "lrange_300"],
        "LRANGE_300 (first 300 elements)",
        "LRANGE mylist 0 299",
    ),
    known(
        &["lrange", "lrange_500"],
        "LRANGE_500 (first 500 elements)",
        "LRANGE mylist 0 499",
    ),
    known(
        &["lrange", "lrange_600"],
        "LRANGE_600 (first 600 elements)",
        "LRANGE mylist 0 599",
    ),
    known(&["mset"], "MSET (10 keys)", "MSET"),
    known(&["xadd"], "XADD", "XADD mystream * myfield __data__"),
];
/// Keys of MSET.
const MSET_KEYS: usize = 10;

/// The tests that the options name.
///
/// # Errors
/// A name that no test has.
pub(super) fn all(options: &Options) -> Result<Vec<Workload>> {
    let data = vec![b'x'; options.data_bytes];
    let random = options.key_space.is_some();
    if let Some(ratio) = options.ratio {
        return Ok(vec![mixed(ratio, &data, random)]);
    }
    if !options.command.is_empty() {
        let title = String::from_utf8_lossy(&options.command.join(&b" "[..])).into_owned();
        return Ok(vec![Workload {
            title,
            parts: vec![(Template::new(&options.command, &data, random), 1)],
        }]);
    }
    if let Some(unknown) = options
        .tests
        .iter()
        .find(|name| !TESTS.iter().any(|test| test.names.contains(&name.as_str())))
    {
        bail!("-t: there is no test {unknown}");
    }
    let chosen = TESTS.iter().filter(|test| {
        options.tests.is_empty()
            || test
                .names
                .iter()
                .any(|name| options.tests.iter().any(|wanted| wanted == name))
    });
    Ok(chosen.map(|test| test.workload(&data, random)).collect())
}

impl Known {
    fn workload(&self, data: &[u8], random: bool) -> Workload {
        let template = if self.title == "PING_INLINE" {
            Template::raw(b"PING\r\n".to_vec(), false)
        } else {
            let mut words: Vec<Vec<u8>> = self
                .words
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect();
            if self.title == "ZADD" {
                words[2] = if random {
                    b"__rand_int__".to_vec()
                } else {
                    b"0".to_vec()
                };
            }
            if self.words == "MSET" {
                for _ in 0..MSET_KEYS {
                    words.extend([b"key:__rand_int__".to_vec(), b"__data__".to_vec()]);
                }
            }
            Template::new(&words, data, random)
        };
        Workload {
            title: self.title.to_owned(),
            parts: vec![(template, 1)],
        }
    }
}

fn mixed(ratio: Ratio, data: &[u8], random: bool) -> Workload {
    let words = |text: &str| {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let template = |text: &str| Template::new(&words(text), data, random);
    Workload {
        title: format!("GET:SET {}:{}", ratio.gets, ratio.sets),
        parts: vec![
            (template("GET key:__rand_int__"), ratio.gets),
            (template("SET key:__rand_int__ __data__"), ratio.sets),
        ],
    }
}
