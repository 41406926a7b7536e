//! Through dunlin-client.

use anyhow::{Result, bail};
use dunlin_client::commands::StringCommands;
use dunlin_client::{Client, Clients, Connections, Pool, PoolOptions};

use crate::load::{Blocking, Caller, runtime, tasks, threads};
use crate::{Arguments, Outcome, Over, POOL, Way};

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
            let client = Client::connect(&url)?;
            tasks(arguments, &runtime()?, |_| Ok(client.clone()))
        }
        (Way::Tasks, Over::Pool) => {
            let clients = Clients::connect(&url, POOL)?;
            tasks(arguments, &runtime()?, |_| Ok(clients.clone()))
        }
        (Way::Tasks, Over::Own) => bail!("a connection of one's own is for a thread that waits"),
    }
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
