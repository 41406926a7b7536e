//! Through redis-rs: its multiplexed connection, and its connections in the pools that it has features for (r2d2, bb8).
//!
//! These pools send a PING whenever a connection is borrowed, unless told otherwise, which they are here: it would double the cost.

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Commands};

use crate::load::{BlockOn, Blocking, Caller, runtime, tasks, threads};
use crate::{Arguments, Outcome, Over, POOL, Way};

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let client = Client::open(format!(
        "redis://127.0.0.1:{}/?protocol=resp3",
        arguments.port
    ))?;
    // Ours; its own half second is short for a machine that does something else besides.
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(dunlin_client::DEADLINE));
    let runtime = runtime()?;
    match (arguments.way, arguments.over) {
        (Way::Threads, Over::One) => {
            let one =
                runtime.block_on(client.get_multiplexed_async_connection_with_config(&config))?;
            let handle = runtime.handle();
            threads(arguments, |_| Ok(BlockOn(handle.clone(), one.clone())))
        }
        (Way::Tasks, Over::One) => {
            let one =
                runtime.block_on(client.get_multiplexed_async_connection_with_config(&config))?;
            tasks(arguments, &runtime, |_| Ok(one.clone()))
        }
        (Way::Threads, Over::Pool | Over::Own) => {
            let pool = r2d2::Pool::builder()
                .max_size(POOL as u32)
                .test_on_check_out(false)
                .build(client)?;
            threads(arguments, |_| Ok(pool.clone()))
        }
        (Way::Tasks, Over::Pool | Over::Own) => {
            let pool = bb8::Pool::builder()
                .max_size(POOL as u32)
                .test_on_check_out(false)
                .build(client);
            let pool = runtime.block_on(pool)?;
            tasks(arguments, &runtime, |_| Ok(pool.clone()))
        }
    }
}

impl Blocking for r2d2::Pool<Client> {
    fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        Ok(Commands::get(&mut *r2d2::Pool::get(self)?, key)?)
    }
    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(Commands::set(&mut *r2d2::Pool::get(self)?, key, value)?)
    }
}

impl Caller for MultiplexedConnection {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(AsyncCommands::get(&mut self.clone(), key).await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(AsyncCommands::set(&mut self.clone(), key, value).await?)
    }
}

impl Caller for bb8::Pool<Client> {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(AsyncCommands::get(&mut *bb8::Pool::get(self).await?, key).await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(AsyncCommands::set(&mut *bb8::Pool::get(self).await?, key, value).await?)
    }
}
