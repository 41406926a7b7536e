//! The workers, the same for every library: threads or tasks that ask, look at the reply, and ask again until it is time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Arguments, Outcome, What};

/// Bytes of each value.
const VALUE: [u8; 64] = [b'x'; 64];
/// Uncounted load before the counted one, as a share of it.
const WARM_UP: f64 = 0.2;

/// A library, from a thread that waits.
pub(crate) trait Blocking: Send + 'static {
    fn get(&mut self, key: &str) -> Result<Vec<u8>>;
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()>;
}

/// A library, from a task.
pub(crate) trait Caller: Send + Sync + 'static {
    fn get(&self, key: &str) -> impl Future<Output = Result<Vec<u8>>> + Send;
    fn set(&self, key: &str, value: &[u8]) -> impl Future<Output = Result<()>> + Send;
}

/// An asynchronous library from a thread that waits, which is how such a library is used there.
pub(crate) struct BlockOn<C>(pub(crate) Handle, pub(crate) C);

impl<C: Caller> Blocking for BlockOn<C> {
    fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        self.0.block_on(self.1.get(key))
    }
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.0.block_on(self.1.set(key, value))
    }
}

/// Tokio's runtime of several threads.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Which keys a worker asks for: a fixed walk over all of them.
struct Keys {
    count: u64,
    state: u64,
    text: String,
}

impl Keys {
    fn new(worker: usize, count: u64) -> Keys {
        Keys {
            count,
            state: worker as u64 + 1,
            text: String::new(),
        }
    }

    fn next(&mut self) -> &str {
        use std::fmt::Write as _;
        // Knuth's MMIX generator.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let index = (self.state >> 33) % self.count;
        self.text.clear();
        let _ = write!(self.text, "key:{index:012}");
        &self.text
    }
}

/// Runs blocking workers, made by `make`, each on a thread.
pub(crate) fn threads<B: Blocking>(
    arguments: &Arguments,
    make: impl Fn(usize) -> Result<B>,
) -> Result<Outcome> {
    measure(arguments.seconds, |over| {
        let workers = (0..arguments.workers).map(|worker| {
            let (mut library, over) = (make(worker)?, Arc::clone(over));
            let (what, mut keys) = (arguments.what, Keys::new(worker, arguments.keys));
            Ok(thread::spawn(move || {
                let mut requests = 0;
                while !over.load(Ordering::Relaxed) {
                    let key = keys.next();
                    match what {
                        What::Get => check(&library.get(key)?)?,
                        What::Set => library.set(key, &VALUE)?,
                    }
                    requests += 1;
                }
                Ok(requests)
            }))
        });
        let workers = workers.collect::<Result<Vec<_>>>()?;
        Ok(move || {
            let join = |worker: thread::JoinHandle<Result<u64>>| {
                worker.join().ok().context("a worker panicked")?
            };
            workers.into_iter().map(join).sum()
        })
    })
}

/// Runs workers, made by `make`, each in a task.
pub(crate) fn tasks<C: Caller>(
    arguments: &Arguments,
    runtime: &Runtime,
    make: impl Fn(usize) -> Result<C>,
) -> Result<Outcome> {
    measure(arguments.seconds, |over| {
        let workers = (0..arguments.workers).map(|worker| {
            let (library, over) = (make(worker)?, Arc::clone(over));
            let (what, mut keys) = (arguments.what, Keys::new(worker, arguments.keys));
            Ok(runtime.spawn(async move {
                let mut requests = 0;
                while !over.load(Ordering::Relaxed) {
                    let key = keys.next();
                    match what {
                        What::Get => check(&library.get(key).await?)?,
                        What::Set => library.set(key, &VALUE).await?,
                    }
                    requests += 1;
                }
                Ok(requests)
            }))
        });
        let workers = workers.collect::<Result<Vec<_>>>()?;
        Ok(move || {
            let join = |worker| runtime.block_on(worker)?;
            workers.into_iter().map(join).sum()
        })
    })
}

fn check(value: &[u8]) -> Result<()> {
    ensure!(value == VALUE, "GET brought {value:?}");
    Ok(())
}

/// Starts the workers twice: to warm up, and for the figures.
fn measure<J>(seconds: f64, mut start: impl FnMut(&Arc<AtomicBool>) -> Result<J>) -> Result<Outcome>
where
    J: FnOnce() -> Result<u64>,
{
    let mut run = |seconds: f64| {
        let over = Arc::new(AtomicBool::new(false));
        let (since, cpu_before) = (Instant::now(), cpu());
        let join = start(&over)?;
        thread::sleep(Duration::from_secs_f64(seconds));
        over.store(true, Ordering::Relaxed);
        let requests = join()?;
        Ok(Outcome {
            requests,
            took: since.elapsed(),
            cpu: cpu() - cpu_before,
        })
    };
    run(seconds * WARM_UP)?;
    run(seconds)
}

/// What all threads of this process have used so far, in user and in kernel mode.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
