//! A cluster: each request goes to the node that has its keys, over one shared connection for each node.
//!
//! Invariant: a request is sent on only where a node said that it did not run it (MOVED, ASK, TRYAGAIN), so none is carried out twice. The
//! map of slots is corrected by what nodes say, and asked for anew then and when a node is lost. A request is split only where the parts together
//! mean the same: MGET, EXISTS, TOUCH, DEL, UNLINK.

mod map;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use dunlin_resp::Value;

use crate::arg::ToArg;
use crate::blocking::block_on;
use crate::client::Client;
use crate::command::Command;
use crate::commands::{Commands, first_key};
use crate::error::{Error, Result, ServerError};
use crate::options::{Address, Options};
use crate::pipeline::Pipeline;
use crate::reply::FromReply;
use map::{Map, Redirect};

pub use map::{SLOTS, slot_of};

/// How often a request is sent on before its error is the caller's.
const REDIRECTS_MAX: usize = 16;

struct Inner {
    /// For every node; the address is that of the first one.
    options: Options,
    map: RwLock<Map>,
    nodes: Mutex<HashMap<Address, Client>>,
    refreshing: AtomicBool,
    /// The nodes have no CLUSTER SHARDS, which came with Redis 7.
    no_shards: AtomicBool,
}

/// A client of a cluster. Clones share everything.
///
/// ```no_run
/// use dunlin_client::commands::*;
/// use dunlin_client::{Cluster, Pipeline};
///
/// let cluster = Cluster::connect("redis://127.0.0.1:7000")?;
/// let () = cluster.set("k", "v").call()?;
/// // Split among the nodes, and put together again.
/// let values: Vec<Option<String>> = cluster.mget(["k", "l", "m"]).call()?;
/// // A unit for each node; keys with one {tag} are together, so a transaction may have them.
/// let mut transfer = Pipeline::transaction();
/// transfer.decrby("{bank}alice", 5).incrby("{bank}bob", 5);
/// let (alice, bob): (i64, i64) = cluster.run(&transfer)?;
/// # let _ = (values, alice, bob); Ok::<(), dunlin_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

impl Cluster {
    /// Connects to one node, and asks it for the others.
    ///
    /// # Errors
    /// As [`Client::connect`]; the server's error if it is of no cluster.
    pub fn connect<O>(options: O) -> Result<Cluster>
    where
        O: TryInto<Options>,
        Error: From<O::Error>,
    {
        Cluster::open(options.try_into()?)
    }

    fn open(options: Options) -> Result<Cluster> {
        let first = Client::connect(options.clone())?;
        let address = options.address.clone();
        let cluster = Cluster {
            inner: Arc::new(Inner {
                map: RwLock::new(Map::of_one(address.clone())),
                nodes: Mutex::new(HashMap::from([(address.clone(), first.clone())])),
                refreshing: AtomicBool::new(false),
                no_shards: AtomicBool::new(false),
                options,
            }),
        };
        if let Some(map) = block_on(cluster.inner.ask(&first, &address, None))? {
            cluster.inner.adopt(map);
        }
        Ok(cluster)
    }

    /// A request in the making.
    pub fn command(&self, name: &str) -> ClusterRequest<'_> {
        self.put(Command::new(name))
    }

    /// Sends a command to the node of its keys and waits for the reply.
    ///
    /// # Errors
    /// As [`crate::Request::call`]; [`Error::CrossSlot`] if its keys are on several nodes and it cannot be split.
    pub fn call<T: FromReply>(&self, command: Command) -> Result<T> {
        block_on(self.send(command))
    }

    /// As [`Cluster::call`], for tasks.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub async fn send<T: FromReply>(&self, command: Command) -> Result<T> {
        T::from_reply(self.inner.route(command).await?)
    }

    /// Sends the commands of a pipeline, those for one node as one unit, and waits for all replies, which come in the pipeline's order.
    /// Commands for different nodes run at the same time; a transaction's keys all lie in one slot.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub fn run<T: FromReply>(&self, pipeline: &Pipeline) -> Result<T> {
        block_on(self.run_async(pipeline))
    }

    /// As [`Cluster::run`], for tasks.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub async fn run_async<T: FromReply>(&self, pipeline: &Pipeline) -> Result<T> {
        if pipeline.is_transaction() {
            return self.inner.transact(pipeline).await;
        }
        let replies = self.inner.spread(pipeline).await?;
        T::from_reply(Value::Array(replies))
    }

    /// The client of the node that has a key, such as for shard channels.
    ///
    /// # Errors
    /// [`Error::NoNode`] if no node is known for it.
    pub fn node_of(&self, key: impl ToArg) -> Result<Client> {
        let key = Command::new("").arg(key);
        let slot = slot_of(key.args().nth(1).unwrap_or_default());
        let address = self.inner.owner(slot)?;
        self.inner.client(&address)
    }

    /// The nodes that have slots.
    #[must_use]
    pub fn nodes(&self) -> Vec<Address> {
        self.inner.map().nodes.clone()
    }

    /// Closes the connections to all nodes.
    pub fn close(&self) {
        let nodes: Vec<Client> = self.inner.clients().values().cloned().collect();
        for node in nodes {
            node.close();
        }
    }
}

/// Lowers a flag when it is dropped.
struct Lower<'a>(&'a AtomicBool);

impl Drop for Lower<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// The commands whose keys may be asked for one by one.
fn is_splittable(name: &[u8]) -> bool {
    let names: [&[u8]; 5] = [b"MGET", b"EXISTS", b"TOUCH", b"DEL", b"UNLINK"];
    names
        .iter()
        .any(|splittable| name.eq_ignore_ascii_case(splittable))
}

fn error_value(error: &ServerError) -> Value {
    Value::Error(error.text().into())
}

impl Inner {
    fn map(&self) -> std::sync::RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Address, Client>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of a node, begun if there is none or if it was closed by a map without the node.
    fn client(&self, address: &Address) -> Result<Client> {
        let mut clients = self.clients();
        if let Some(client) = clients.get(address) {
            return Ok(client.clone());
        }
        let options = Options {
            address: address.clone(),
            ..self.options.clone()
        };
        let client = Client::start(options)?;
        clients.insert(address.clone(), client.clone());
        Ok(client)
    }

    fn owner(&self, slot: u16) -> Result<Address> {
        let map = self.map();
        // A node that does not have it says who does.
        let owner = map.owner(slot).or_else(|| map.nodes.first());
        owner.cloned().ok_or(Error::NoNode { slot })
    }

    fn address_for(&self, command: &Command) -> Result<Address> {
        match first_key(command).and_then(|at| command.args().nth(at)) {
            Some(key) => self.owner(slot_of(key)),
            None => self.owner(0),
        }
    }

    fn adopt(&self, map: Map) {
        let mut clients = self.clients();
        clients.retain(|address, _| map.nodes.contains(address));
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
    }

    /// Asks a node for the map: by CLUSTER SHARDS, and where that is unknown, or says nothing sensible, by CLUSTER SLOTS.
    async fn ask(
        &self,
        client: &Client,
        address: &Address,
        deadline: Option<Duration>,
    ) -> Result<Option<Map>> {
        let command = |word: &str| {
            let command = Command::new("CLUSTER").arg(word);
            match deadline {
                Some(deadline) => command.deadline(deadline),
                None => command,
            }
        };
        let mut unknown = false;
        if !self.no_shards.load(Ordering::Relaxed) {
            match client.send(command("SHARDS")).await {
                Ok(shards) => match Map::read_shards(shards, address, self.options.tls.is_some()) {
                    Some(map) => return Ok(Some(map)),
                    None => unknown = true,
                },
                Err(Error::Server(_)) => unknown = true,
                Err(error) => return Err(error),
            }
        }
        let map = Map::read(client.send(command("SLOTS")).await?, address);
        if unknown && map.is_some() {
            self.no_shards.store(true, Ordering::Relaxed);
        }
        Ok(map)
    }

    /// Asks the nodes for the map, one after the other until one knows. Only one request at a time does this.
    /// `knowing` is asked first.
    async fn refresh(&self, knowing: Option<&Address>) {
        if self.refreshing.swap(true, Ordering::SeqCst) {
            return;
        }
        // Also if this future is dropped before it is done.
        let _done = Lower(&self.refreshing);
        /// A node that takes longer is not the one to ask.
        const DEADLINE: Duration = Duration::from_millis(500);
        let mut addresses: Vec<Address> = knowing.into_iter().cloned().collect();
        addresses.extend(self.map().nodes.iter().cloned());
        addresses.push(self.options.address.clone());
        for address in addresses {
            let Ok(client) = self.client(&address) else {
                continue;
            };
            let reply = self.ask(&client, &address, Some(DEADLINE)).await;
            if let Ok(Some(map)) = reply {
                self.adopt(map);
                return;
            }
        }
    }

    /// Notes what a failure says of the map.
    async fn learn(&self, error: &Error) {
        if matches!(error, Error::TimeOut | Error::ConnectionReset) {
            self.refresh(None).await;
        }
    }

    /// A command's reply, error replies of its own among them as errors.
    async fn route(&self, command: Command) -> Result<Value> {
        if is_splittable(command.name()) && command.args().count() > 2 {
            return self.split(&command).await;
        }
        let address = self.address_for(&command)?;
        let client = self.client(&address)?;
        let reply = client.send(command.clone()).await;
        self.follow(&command, address, reply).await
    }

    /// Goes after redirections.
    async fn follow(
        &self,
        command: &Command,
        mut address: Address,
        mut reply: Result<Value>,
    ) -> Result<Value> {
        for _ in 0..REDIRECTS_MAX {
            let Err(error) = &reply else {
                return reply;
            };
            let Error::Server(server) = error else {
                self.learn(error).await;
                return reply;
            };
            reply = match Redirect::read(server.text(), &address) {
                None => return reply,
                Some(Redirect::Moved(slot, to)) => {
                    self.note_moved(slot, &to).await;
                    address = to;
                    self.client(&address)?.send(command.clone()).await
                }
                Some(Redirect::Ask(to)) => {
                    // The map stays: the slot is on its way.
                    let client = self.client(&to)?;
                    let (_, answer): (Value, Result<Value>) =
                        client.run_async(Pipeline::asking(command.clone())).await?;
                    answer
                }
                Some(Redirect::TryAgain) => self.client(&address)?.send(command.clone()).await,
            };
        }
        reply
    }

    async fn note_moved(&self, slot: u16, to: &Address) {
        self.refresh(Some(to)).await;
        // Last, since others may not have heard of it yet.
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.set_owner(slot, to.clone());
    }

    /// Asks for the keys of each slot by themselves, all at once, and puts the replies together.
    async fn split(&self, command: &Command) -> Result<Value> {
        let name = String::from_utf8_lossy(command.name()).into_owned();
        let keys: Vec<&[u8]> = command.args().skip(1).collect();
        let mut slots: Vec<(u16, Vec<usize>)> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let slot = slot_of(key);
            match slots.iter_mut().find(|(other, _)| *other == slot) {
                Some((_, places)) => places.push(at),
                None => slots.push((slot, vec![at])),
            }
        }
        let mut parts = Pipeline::new();
        for (_, places) in &slots {
            let mut part = Command::new(&name);
            part.options = command.options;
            places.iter().for_each(|at| part.push(keys[*at]));
            parts.add(part);
        }
        let replies = self.spread(&parts).await?;
        let is_sum = !name.eq_ignore_ascii_case("MGET");
        let mut sum = 0;
        let mut values = vec![Value::Null; keys.len()];
        for (reply, (_, places)) in replies.into_iter().zip(slots) {
            if is_sum {
                sum += i64::from_reply(reply)?;
                continue;
            }
            let part = Vec::<Value>::from_reply(reply)?;
            for (value, at) in part.into_iter().zip(places) {
                values[at] = value;
            }
        }
        Ok(if is_sum {
            Value::Integer(sum)
        } else {
            Value::Array(values)
        })
    }

    /// A pipeline's replies in its order, error replies in their places.
    async fn spread(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let commands = pipeline.commands();
        let mut groups: Vec<(Address, Vec<usize>)> = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            let address = self.address_for(command)?;
            match groups.iter_mut().find(|(other, _)| *other == address) {
                Some((_, places)) => places.push(at),
                None => groups.push((address, vec![at])),
            }
        }
        let mut sent = Vec::with_capacity(groups.len());
        for (address, places) in groups {
            let mut unit = pipeline.empty_like();
            for at in &places {
                unit.add(commands[*at].clone());
            }
            let client = self.client(&address)?;
            let replies = client.run_async::<Vec<Result<Value>>>(unit);
            sent.push((address, places, replies));
        }
        let mut out = vec![Value::Null; commands.len()];
        for (address, places, replies) in sent {
            let replies = match replies.await {
                Ok(replies) => replies,
                Err(error) => {
                    self.learn(&error).await;
                    return Err(error);
                }
            };
            for (at, reply) in places.into_iter().zip(replies) {
                let reply = self.follow(&commands[at], address.clone(), reply).await;
                out[at] = match reply {
                    Err(Error::Server(error)) => error_value(&error),
                    reply => reply?,
                };
            }
        }
        Ok(out)
    }

    /// A transaction goes to one node as a whole.
    async fn transact<T: FromReply>(&self, pipeline: &Pipeline) -> Result<T> {
        let mut slot = None;
        for command in pipeline.commands() {
            let Some(key) = first_key(command).and_then(|at| command.args().nth(at)) else {
                continue;
            };
            if *slot.get_or_insert(slot_of(key)) != slot_of(key) {
                let command = String::from_utf8_lossy(command.name()).into_owned();
                return Err(Error::CrossSlot { command });
            }
        }
        let mut address = self.owner(slot.unwrap_or(0))?;
        let mut outcome = Err(Error::NoNode {
            slot: slot.unwrap_or(0),
        });
        for _ in 0..REDIRECTS_MAX {
            let client = self.client(&address)?;
            outcome = client.run_async(pipeline.clone()).await;
            let Err(error) = &outcome else {
                return outcome;
            };
            let Error::Server(server) = error else {
                self.learn(error).await;
                return outcome;
            };
            // The reason why a command was not queued: so none was run.
            match Redirect::read(server.text(), &address) {
                Some(Redirect::Moved(slot, to)) => {
                    self.note_moved(slot, &to).await;
                    address = to;
                }
                Some(Redirect::TryAgain) => {}
                // Half a slot has no transactions.
                Some(Redirect::Ask(_)) | None => return outcome,
            }
        }
        outcome
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

impl<'a> Commands for &'a Cluster {
    type Out = ClusterRequest<'a>;
    fn put(self, command: Command) -> ClusterRequest<'a> {
        ClusterRequest {
            cluster: self,
            command,
        }
    }
}

/// A request in the making, of a [`Cluster`].
#[derive(Debug)]
#[must_use = "it is sent by `call` or `send`"]
pub struct ClusterRequest<'a> {
    cluster: &'a Cluster,
    command: Command,
}

impl ClusterRequest<'_> {
    /// Adds an argument, or several: see [`ToArg`].
    pub fn arg(mut self, argument: impl ToArg) -> Self {
        self.command.push(argument);
        self
    }

    /// How long to wait for the reply, instead of the client's own deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.command = self.command.deadline(deadline);
        self
    }

    /// May be carried out twice: see [`Command::idempotent`].
    pub fn idempotent(mut self) -> Self {
        self.command = self.command.idempotent();
        self
    }

    /// Sends it and waits for the reply.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        self.cluster.call(self.command)
    }

    /// Sends it, in a task.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub async fn send<T: FromReply>(self) -> Result<T> {
        self.cluster.send(self.command).await
    }
}
