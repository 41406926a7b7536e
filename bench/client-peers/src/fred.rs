//! Through fred: its client, and its pool of clients, from which it takes one after the other.

use anyhow::Result;
use fred::clients::Pool;
use fred::prelude::{Builder, Client, ClientLike, Config, KeysInterface};

use crate::load::{BlockOn, Caller, runtime, tasks, threads};
use crate::{Arguments, Outcome, Over, POOL, Way};

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut config = Config::from_url(&format!("redis://127.0.0.1:{}", arguments.port))?;
    config.version = fred::types::RespVersion::RESP3;
    let builder = Builder::from_config(config);
    let runtime = runtime()?;
    match arguments.over {
        Over::One => {
            let client = builder.build()?;
            runtime.block_on(client.init())?;
            run_with(arguments, &runtime, &client)
        }
        Over::Pool | Over::Own => {
            let pool = builder.build_pool(POOL)?;
            runtime.block_on(pool.init())?;
            run_with(arguments, &runtime, &pool)
        }
    }
}

fn run_with<C: Caller + Clone>(
    arguments: &Arguments,
    runtime: &tokio::runtime::Runtime,
    library: &C,
) -> Result<Outcome> {
    match arguments.way {
        Way::Threads => threads(arguments, |_| {
            Ok(BlockOn(runtime.handle().clone(), library.clone()))
        }),
        Way::Tasks => tasks(arguments, runtime, |_| Ok(library.clone())),
    }
}

impl Caller for Client {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(KeysInterface::get(self, key).await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(KeysInterface::set(self, key, value, None, None, false).await?)
    }
}

impl Caller for Pool {
    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(KeysInterface::get(self, key).await?)
    }
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(KeysInterface::set(self, key, value, None, None, false).await?)
    }
}
