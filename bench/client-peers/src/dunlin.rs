//! Through dunlin-client.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Result, bail};
use dunlin_client::commands::StringCommands;
use dunlin_client::{Client, Clients, Connections, Driver, Next, Pool, PoolOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use crate::load::{Blocking, Caller, runtime, tasks, threads};
use crate::{Arguments, Outcome, Over, POOL, Way};

/// Longer than a server on the same machine takes.
const WATCH: Duration = Duration::from_micros(40);

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let url = format!("redis://127.0.0.1:{}", arguments.port);
    match (arguments.way, arguments.over) {
        (Way::Threads, Over::One) => {
            let client = Client::connect(&url)?;
            threads(arguments, |_| Ok(client.clone()))
        }
        (Way::Threads, Over::Pool) => {
            let clients = Clients::connect(&url, POOL)?;
            threads(arguments, |_| Ok(clients.clone()))
        }
        (Way::Threads, Over::Own) => {
            let limits = PoolOptions {
                active_max: POOL,
                ..PoolOptions::default()
            };
            let pool = Pool::connections(&url, limits)?;
            threads(arguments, |_| Ok(pool.clone()))
        }
        (Way::Tasks, Over::One) => {
            let runtime = runtime()?;
            let (client, driver) = Client::driven(&url)?;
            runtime.spawn(drive(driver.watching(WATCH)));
            tasks(arguments, &runtime, |_| Ok(client.clone()))
        }
        (Way::Tasks, Over::Pool) => {
            let runtime = runtime()?;
            let clients = (0..POOL).map(|_| {
                let (client, driver) = Client::driven(&url)?;
                runtime.spawn(drive(driver.watching(WATCH)));
                Ok(client)
            });
            let clients = Clients::of(clients.collect::<Result<_>>()?);
            tasks(arguments, &runtime, |_| Ok(clients.clone()))
        }
        (Way::Tasks, Over::Own) => bail!("a connection of one's own is for a thread that waits"),
    }
}

/// Runs a client's connection as a task of tokio's.
async fn drive(driver: Driver) -> Result<()> {
    // SAFETY: the driver owns its descriptor, and neither replaces nor closes it.
    let registered = unsafe { AsyncFd::register_with_interest(driver, Interest::READABLE) };
    let mut driver = registered.map_err(|error| error.into_parts().1)?;
    let mut alarm = pin!(sleep_until(Instant::now()));
    // It is not set anew each turn: it may come early, never late.
    let mut alarm_set = false;
    poll_fn(|context| {
        if alarm_set && alarm.as_mut().poll(context).is_ready() {
            alarm_set = false;
        }
        let mut is_first = true;
        loop {
            let look = match driver.poll_read_ready(context)? {
                Poll::Ready(mut guard) => {
                    guard.clear_ready();
                    true
                }
                Poll::Pending if is_first => false,
                Poll::Pending => return Poll::Pending,
            };
            is_first = false;
            match driver.get_mut().turn(look, context.waker()) {
                Next::Ended => return Poll::Ready(Ok(())),
                Next::Soon => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Next::Wait(None) => {}
                Next::Wait(Some(at)) => {
                    let at = Instant::from_std(at);
                    if !alarm_set || at < alarm.deadline() {
                        alarm.as_mut().reset(at);
                        alarm_set = alarm.as_mut().poll(context).is_pending();
                        is_first = !alarm_set;
                    }
                }
            }
        }
    })
    .await
}

impl Blocking for Client {
    fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        Ok(StringCommands::get(&*self, key).call()?)
    }
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(StringCommands::set(&*self, key, value).call()?)
    }
}

impl Blocking for Clients {
    fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        Ok(StringCommands::get(self.pick(), key).call()?)
    }
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(StringCommands::set(self.pick(), key, value).call()?)
    }
}

impl Blocking for Pool<Connections> {
    fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        Ok(StringCommands::get(&mut *Pool::get(self)?, key).call()?)
    }
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(StringCommands::set(&mut *Pool::get(self)?, key, value).call()?)
    }
}

impl Caller for Client {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(StringCommands::get(self, key).send().await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(StringCommands::set(self, key, value).send().await?)
    }
}

impl Caller for Clients {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(StringCommands::get(self.pick(), key).send().await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(StringCommands::set(self.pick(), key, value).send().await?)
    }
}
