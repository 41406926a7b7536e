//! A million random string commands against a plain map: every reply, and now and then everything that is stored, beside images
//! taken before. `DUNLIN_MODEL_OPERATIONS` sets another number.

mod common;
mod strings_common;

use std::collections::HashMap;

use dunlin_engine::testing::{Console, START_MS};
use dunlin_store::{Image, Kind};
use strings_common::{Numbers, look, with_all};

const COMMANDS: usize = 1_000_000;
/// Between two looks at everything that is stored.
const COMMANDS_PER_LOOK: usize = 50_000;
/// Commands between two images, on average.
const COMMANDS_PER_IMAGE: u64 = 200;
const IMAGES_MAX: u64 = 100;
const SMALL_KEYS: u64 = 60;
const BIG_KEYS: u64 = 4;
/// Longest string of the test: a few chunks.
const BYTES_MAX: usize = 300_000;
const FAR_MS: u64 = 1 << 40;

const NOT_INTEGER: &[u8] = b"-ERR value is not an integer or out of range\r\n";
const OVERFLOW: &[u8] = b"-ERR increment or decrement would overflow\r\n";
const TOO_LONG: &[u8] = b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";

#[derive(Clone, Debug, PartialEq)]
struct Value {
    text: Vec<u8>,
    /// Modified in place, so not `embstr` whatever its length.
    raw: bool,
    deadline: Option<u64>,
}

impl Value {
    fn encoding(&self) -> &'static str {
        match integer(&self.text) {
            _ if self.raw => "raw",
            Some(_) => "int",
            None if self.text.len() <= 44 => "embstr",
            None => "raw",
        }
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    let n: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (n.to_string().as_bytes() == text).then_some(n)
}

fn bulk(text: Option<&[u8]>) -> Vec<u8> {
    match text {
        None => b"$-1\r\n".to_vec(),
        Some(text) => [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat(),
    }
}

fn number(n: impl std::fmt::Display) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
}

/// The plain map.
struct Model {
    keys: HashMap<Vec<u8>, Value>,
    now_ms: u64,
}

impl Model {
    fn get(&mut self, key: &[u8]) -> Option<&mut Value> {
        if self
            .keys
            .get(key)?
            .deadline
            .is_some_and(|at| at <= self.now_ms)
        {
            self.keys.remove(key);
        }
        self.keys.get_mut(key)
    }

    fn text(&mut self, key: &[u8]) -> Option<&[u8]> {
        self.get(key).map(|v| v.text.as_slice())
    }

    fn set(&mut self, key: &[u8], text: &[u8], deadline: Option<u64>) {
        self.keys.insert(
            key.to_vec(),
            Value {
                text: text.to_vec(),
                raw: false,
                deadline,
            },
        );
    }

    fn write(&mut self, key: &[u8], offset: usize, bytes: &[u8]) -> usize {
        let fresh = || Value {
            text: Vec::new(),
            raw: true,
            deadline: None,
        };
        self.get(key);
        let value = self.keys.entry(key.to_vec()).or_insert_with(fresh);
        value.raw = true;
        value
            .text
            .resize(value.text.len().max(offset + bytes.len()), 0);
        value.text[offset..offset + bytes.len()].copy_from_slice(bytes);
        value.text.len()
    }

    fn add(&mut self, key: &[u8], increment: i64) -> Vec<u8> {
        let Some(old) = self.text(key).map_or(Some(0), integer) else {
            return NOT_INTEGER.to_vec();
        };
        let Some(new) = old.checked_add(increment) else {
            return OVERFLOW.to_vec();
        };
        let deadline = self.get(key).and_then(|v| v.deadline);
        self.set(key, new.to_string().as_bytes(), deadline);
        number(new)
    }
}

/// The test's state: the same commands go to the console and to the model.
struct Run {
    numbers: Numbers,
    console: Console,
    model: Model,
    /// Images and what they must go on showing.
    images: Vec<(Image, Vec<u8>)>,
    /// Set whenever a chunked string was met, so that the test shows that it does.
    chunked: usize,
}

impl Run {
    fn small_key(&mut self) -> Vec<u8> {
        format!("k{}", self.numbers.below(SMALL_KEYS)).into_bytes()
    }

    /// Mostly a key of short strings, sometimes one of long ones.
    fn key(&mut self) -> Vec<u8> {
        if self.numbers.one_in(60) {
            format!("big{}", self.numbers.below(BIG_KEYS)).into_bytes()
        } else {
            self.small_key()
        }
    }

    fn value_for(&mut self, key: &[u8]) -> Vec<u8> {
        if key.starts_with(b"big") && !self.numbers.one_in(3) {
            return vec![
                self.numbers.below(256) as u8;
                60_000 + self.numbers.below(10_000) as usize
            ];
        }
        match self.numbers.below(7) {
            0..3 => (self.numbers.next() as i64 >> self.numbers.below(63))
                .to_string()
                .into_bytes(),
            3 => Vec::new(),
            _ => vec![b'a' + self.numbers.below(26) as u8; self.numbers.below(70) as usize],
        }
    }

    fn check(&mut self, args: &[&[u8]], expected: &[u8]) {
        let reply = self.console.call(1, args);
        if reply != expected {
            let shown = |b: &[u8]| b[..b.len().min(100)].escape_ascii().to_string();
            let args: Vec<String> = args.iter().map(|a| shown(a)).collect();
            panic!("{args:?}: {} instead of {}", shown(&reply), shown(expected));
        }
    }

    fn step(&mut self) {
        match self.numbers.below(20) {
            0..4 => self.read(),
            4..9 => self.store(),
            9..12 => self.count(),
            12..15 => self.modify(),
            15 => self.several(),
            16 => self.take(),
            17 => self.count_quarters(),
            18 => self.expire(),
            _ => {
                let ms = self.numbers.below(30);
                self.console.advance_ms(ms);
                self.model.now_ms += ms;
            }
        }
    }

    /// Takes an image of a value; the one that makes room for it is what it was.
    fn take_image(&mut self) {
        let key = self.key();
        let Some(text) = self.model.text(&key).map(<[u8]>::to_vec) else {
            return;
        };
        let image = with_all(&self.console.engine, 0, |txn| {
            let key = txn.key(&key);
            txn.peek(0, &key).map(|entry| entry.image())
        });
        self.images.push((image.expect("the model has it"), text));
        if self.images.len() as u64 > IMAGES_MAX {
            let (image, shown) = self
                .images
                .swap_remove(self.numbers.below(IMAGES_MAX) as usize);
            assert!(image.to_vec() == shown, "an image changed");
        }
    }

    fn read(&mut self) {
        let key = self.key();
        let text = self.model.text(&key).map(<[u8]>::to_vec);
        self.chunked += usize::from(text.as_ref().is_some_and(|t| t.len() > 65_536));
        match self.numbers.below(4) {
            0 => self.check(&[b"STRLEN", &key], &number(text.map_or(0, |t| t.len()))),
            1 => {
                let text = text.unwrap_or_default();
                let len = text.len() as i64;
                let index = |n: &mut Numbers| (n.next() % (2 * len as u64 + 5)) as i64 - len - 2;
                let (start, end) = (index(&mut self.numbers), index(&mut self.numbers));
                let absolute = |i: i64| if i < 0 { (len + i).max(0) } else { i };
                let (from, to) = (absolute(start), absolute(end).min(len - 1));
                // Two negative indices in the wrong order name nothing, even where both are cut off to 0.
                let wrong_order = start < 0 && end < 0 && start > end;
                let part = if from > to || wrong_order {
                    &[][..]
                } else {
                    &text[from as usize..=to as usize]
                };
                let name: &[u8] = if self.numbers.one_in(2) {
                    b"GETRANGE"
                } else {
                    b"SUBSTR"
                };
                let (start, end) = (start.to_string(), end.to_string());
                self.check(
                    &[name, &key, start.as_bytes(), end.as_bytes()],
                    &bulk(Some(part)),
                );
            }
            _ => self.check(&[b"GET", &key], &bulk(text.as_deref())),
        }
    }

    fn store(&mut self) {
        let key = self.key();
        let value = self.value_for(&key);
        let old = self.model.get(&key).cloned();
        let old_reply = bulk(old.as_ref().map(|v| v.text.as_slice()));
        let in_ms = 1 + self.numbers.below(60);
        let (ms, at) = (in_ms.to_string(), self.model.now_ms + in_ms);
        match self.numbers.below(9) {
            0 => {
                let absent = old.is_none();
                if absent {
                    self.model.set(&key, &value, None);
                }
                self.check(&[b"SETNX", &key, &value], &number(u8::from(absent)));
            }
            1 => {
                self.model.set(&key, &value, None);
                self.check(&[b"GETSET", &key, &value], &old_reply);
            }
            2 => {
                self.model.set(&key, &value, Some(at));
                self.check(&[b"PSETEX", &key, ms.as_bytes(), &value], b"+OK\r\n");
            }
            3 => {
                self.model
                    .set(&key, &value, Some(self.model.now_ms + in_ms * 1000));
                self.check(&[b"SETEX", &key, ms.as_bytes(), &value], b"+OK\r\n");
            }
            4 => self.store_with_options(&key, &value, old),
            _ => {
                self.model.set(&key, &value, None);
                self.check(&[b"SET", &key, &value], b"+OK\r\n");
            }
        }
    }

    /// SET with options in any order.
    fn store_with_options(&mut self, key: &[u8], value: &[u8], old: Option<Value>) {
        let (get, condition, expiry) = (
            self.numbers.one_in(2),
            self.numbers.below(3),
            self.numbers.below(4),
        );
        let ms = 1 + self.numbers.below(60);
        let deadline = match expiry {
            0 => None,
            1 => old.as_ref().and_then(|v| v.deadline),
            _ => Some(self.model.now_ms + ms),
        };
        let time = if expiry == 2 {
            ms
        } else {
            self.model.now_ms + ms
        }
        .to_string();
        let mut options: Vec<Vec<&[u8]>> = vec![
            match expiry {
                0 => vec![],
                1 => vec![b"keepttl"],
                2 => vec![b"pX", time.as_bytes()],
                _ => vec![b"PXAT", time.as_bytes()],
            },
            [vec![], vec![&b"NX"[..]], vec![b"xx"]][condition as usize].clone(),
            if get { vec![b"Get"] } else { vec![] },
        ];
        let turn = self.numbers.below(options.len() as u64) as usize;
        options.rotate_left(turn);
        let stored = [true, old.is_none(), old.is_some()][condition as usize];
        let expected = match (get, stored) {
            (true, _) => bulk(old.as_ref().map(|v| v.text.as_slice())),
            (false, true) => b"+OK\r\n".to_vec(),
            (false, false) => bulk(None),
        };
        if stored {
            self.model.set(key, value, deadline);
        }
        let args = [&[&b"SET"[..], key, value][..], &options.concat()].concat();
        self.check(&args, &expected);
    }

    fn count(&mut self) {
        let key = self.small_key();
        let increment = self.numbers.next() as i64 >> self.numbers.below(64);
        let text = increment.to_string();
        match self.numbers.below(4) {
            0 => {
                let expected = self.model.add(&key, 1);
                self.check(&[b"INCR", &key], &expected);
            }
            1 => {
                let expected = self.model.add(&key, -1);
                self.check(&[b"DECR", &key], &expected);
            }
            2 => {
                let expected = self.model.add(&key, increment);
                self.check(&[b"INCRBY", &key, text.as_bytes()], &expected);
            }
            _ => {
                let expected = match increment.checked_neg() {
                    None => b"-ERR decrement would overflow\r\n".to_vec(),
                    Some(negated) => self.model.add(&key, negated),
                };
                self.check(&[b"DECRBY", &key, text.as_bytes()], &expected);
            }
        }
    }

    /// INCRBYFLOAT in quarters, which every floating-point type holds exactly.
    fn count_quarters(&mut self) {
        let key = format!("f{}", self.numbers.below(5)).into_bytes();
        let old = self.model.text(&key).map_or(0.0, |t| {
            String::from_utf8_lossy(t).parse::<f64>().expect("a number")
        });
        let increment = (self.numbers.next() as i32 >> self.numbers.below(31)) as f64 / 4.0;
        let new = (old + increment).to_string();
        // Redis prints no negative zero; neither does the sum of two doubles here, for 0 + -0 is 0.
        let deadline = self.model.get(&key).and_then(|v| v.deadline);
        self.model.set(&key, new.as_bytes(), deadline);
        self.check(
            &[b"INCRBYFLOAT", &key, increment.to_string().as_bytes()],
            &bulk(Some(new.as_bytes())),
        );
    }

    fn modify(&mut self) {
        let key = self.key();
        let value = self.value_for(&key);
        let len = self.model.text(&key).map_or(0, <[u8]>::len);
        if self.numbers.one_in(2) {
            // A fresh string is stored as it is; what is there already becomes raw.
            let expected = if self.model.get(&key).is_none() {
                self.model.set(&key, &value, None);
                number(value.len())
            } else if len + value.len() > BYTES_MAX {
                TOO_LONG.to_vec()
            } else {
                number(self.model.write(&key, len, &value))
            };
            return self.check(&[b"APPEND", &key, &value], &expected);
        }
        let reach = if key.starts_with(b"big") {
            BYTES_MAX + 1000
        } else {
            100
        };
        let offset = match self.numbers.below(4) {
            0 => self.numbers.below(reach as u64) as usize,
            _ => self.numbers.below(len as u64 + 3) as usize,
        };
        let expected = if value.is_empty() {
            number(len)
        } else if offset + value.len() > BYTES_MAX {
            TOO_LONG.to_vec()
        } else {
            number(self.model.write(&key, offset, &value))
        };
        self.check(
            &[b"SETRANGE", &key, offset.to_string().as_bytes(), &value],
            &expected,
        );
    }

    fn several(&mut self) {
        let keys: Vec<Vec<u8>> = (0..1 + self.numbers.below(5))
            .map(|_| self.small_key())
            .collect();
        if self.numbers.one_in(2) {
            let mut expected = format!("*{}\r\n", keys.len()).into_bytes();
            keys.iter()
                .for_each(|key| expected.extend(bulk(self.model.text(key))));
            let args: Vec<&[u8]> = std::iter::once(&b"MGET"[..])
                .chain(keys.iter().map(Vec::as_slice))
                .collect();
            return self.check(&args, &expected);
        }
        let only_new = self.numbers.one_in(2);
        let mut args: Vec<Vec<u8>> = vec![if only_new {
            b"MSETNX".to_vec()
        } else {
            b"MSET".to_vec()
        }];
        for key in keys {
            let value = self.value_for(&key);
            args.extend([key, value]);
        }
        let stored = !only_new
            || args[1..]
                .chunks(2)
                .all(|pair| self.model.get(&pair[0]).is_none());
        if stored {
            args[1..]
                .chunks(2)
                .for_each(|pair| self.model.set(&pair[0], &pair[1], None));
        }
        let expected = if only_new {
            number(u8::from(stored))
        } else {
            b"+OK\r\n".to_vec()
        };
        self.check(
            &args.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            &expected,
        );
    }

    fn take(&mut self) {
        let key = self.key();
        let expected = bulk(self.model.text(&key));
        self.model.keys.remove(&key);
        self.check(&[b"GETDEL", &key], &expected);
    }

    fn expire(&mut self) {
        let key = if self.numbers.one_in(5) {
            b"f1".to_vec()
        } else {
            self.key()
        };
        let expected = bulk(self.model.text(&key));
        let now = self.model.now_ms;
        // Sometimes in the past, sometimes beyond the wheel's first levels.
        let ms = if self.numbers.one_in(4) {
            self.numbers.below(FAR_MS) + 1
        } else {
            1 + self.numbers.below(60)
        };
        let at = (now + ms).saturating_sub(30);
        let (option, deadline): (Vec<&[u8]>, _) = match self.numbers.below(4) {
            0 => (vec![], None),
            1 => (vec![b"PERSIST"], Some(None)),
            2 => (vec![b"PX"], Some(Some(now + ms))),
            _ => (vec![b"PXAT"], Some(Some(at))),
        };
        if let (Some(value), Some(deadline)) = (self.model.get(&key), deadline) {
            value.deadline = deadline;
        }
        // The model's own expiry removes what now lies in the past.
        self.model.get(&key);
        let time = if option == [b"PX"] { ms } else { at }.to_string();
        let mut args: Vec<&[u8]> = vec![b"GETEX", &key];
        args.extend(&option);
        if option.first().is_some_and(|o| o.starts_with(b"PX")) {
            args.push(time.as_bytes());
        }
        self.check(&args, &expected);
    }

    /// Everything stored, with encodings and deadlines.
    fn look_at_all(&mut self) {
        self.console.expire();
        let now = self.model.now_ms;
        self.model
            .keys
            .retain(|_, v| v.deadline.is_none_or(|at| at > now));
        let mut len = 0;
        with_all(&self.console.engine, 0, |txn| txn.for_each(0, |_| len += 1));
        assert_eq!(len, self.model.keys.len());
        for (key, value) in &self.model.keys {
            let (text, kind, deadline) =
                look(&self.console.engine, 0, key).expect("the model has it");
            assert!(
                text == value.text && deadline == value.deadline,
                "{}",
                key.escape_ascii()
            );
            if !key.starts_with(b"f") {
                assert_eq!(
                    kind.encoding_name(),
                    value.encoding(),
                    "{}",
                    key.escape_ascii()
                );
                assert_eq!(kind == Kind::Int, value.encoding() == "int");
            }
        }
    }
}

#[test]
fn string_commands_do_what_the_model_does() {
    let console = Console::new(strings_common::engine());
    console
        .engine
        .bulk_bytes_max
        .store(BYTES_MAX, std::sync::atomic::Ordering::Relaxed);
    let model = Model {
        keys: HashMap::new(),
        now_ms: START_MS,
    };
    let mut run = Run {
        numbers: Numbers(3),
        console,
        model,
        images: Vec::new(),
        chunked: 0,
    };
    let commands = common::operations(COMMANDS);
    for i in 0..commands {
        run.step();
        if run.numbers.one_in(COMMANDS_PER_IMAGE) {
            run.take_image();
        }
        if i % COMMANDS_PER_LOOK == 0 {
            run.look_at_all();
        }
    }
    run.look_at_all();
    for (image, shown) in &run.images {
        assert!(image.to_vec() == *shown, "an image changed");
    }
    assert!(run.chunked > 1000, "too few long strings: {}", run.chunked);
}
