// BullMQ against a running server: delays, retries, priorities, a rate limit, parents of children, a worker that dies.
//
// DUNLIN_PORT says where it listens, DUNLIN_JOBS how many jobs there are in all (default 2,000). The database must be empty, and is
// empty again at the end. Prints a line for each check and `N passed, M failed` at the end.
'use strict';

const assert = require('node:assert');
const { setTimeout: sleep } = require('node:timers/promises');
const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = require('bullmq');
const { Redis } = require('ioredis');

const JOBS = Number(process.env.DUNLIN_JOBS ?? 2000);
// What the whole may take: a job that is lost would be waited for for ever.
const LIMIT_MS = 60_000 + JOBS * 20;
// Jobs of one call of addBulk.
const BULK = 500;
const WORKERS = 3;
const CONCURRENCY = 20;
// Clocks of timers and of dates are not the same one.
const CLOCK_SLACK_MS = 5;

const connection = { host: '127.0.0.1', port: Number(process.env.DUNLIN_PORT), maxRetriesPerRequest: null };
const opened = [];

function open(Kind, ...args) {
  const one = new Kind(...args);
  one.on('error', (error) => {
    console.log(`  ${error.stack}`);
    process.exitCode = 1;
  });
  opened.push(one);
  return one;
}

// A generator with a seed: a run is the same every time.
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function addAll(queue, jobs) {
  const added = [];
  for (let at = 0; at < jobs.length; at += BULK) {
    added.push(...(await queue.addBulk(jobs.slice(at, at + BULK))));
  }
  return added;
}

// Workers that note every run of every job: id -> times at which it began.
function workers(name, body, options = {}, count = WORKERS) {
  const runs = new Map();
  const list = Array.from({ length: count }, () =>
    open(
      Worker,
      name,
      async (job) => {
        const began = Date.now();
        if (!runs.has(job.id)) runs.set(job.id, []);
        runs.get(job.id).push(began);
        return body(job, runs.get(job.id).length);
      },
      { connection, concurrency: CONCURRENCY, ...options },
    ),
  );
  return { runs, list };
}

// Waits until so many jobs have come to their end.
async function finished(queue, count) {
  for (;;) {
    const counts = await queue.getJobCounts('completed', 'failed');
    if (counts.completed + counts.failed >= count) return;
    await sleep(20);
  }
}

// What is not at its end must be nothing, and what is must be so many.
async function assertCounts(queue, completed, failed) {
  assert.deepStrictEqual(await queue.getJobCounts(), {
    active: 0,
    completed,
    delayed: 0,
    failed,
    prioritized: 0,
    waiting: 0,
    'waiting-children': 0,
  });
}

async function close(queue, pool) {
  await Promise.all(pool.list.map((worker) => worker.close()));
  await queue.obliterate();
  await queue.close();
}

// Plain jobs from several producers: each once, with its result, told as an event.
async function plain(count) {
  const producers = [0, 1, 2].map(() => open(Queue, 'plain', { connection }));
  const events = open(QueueEvents, 'plain', { connection });
  const told = new Map();
  events.on('completed', ({ jobId, returnvalue }) => {
    assert(!told.has(jobId), `${jobId} was told twice`);
    told.set(jobId, returnvalue);
  });
  await events.waitUntilReady();
  const pool = workers('plain', async (job) => ({ square: job.data.n ** 2, text: job.data.text }));
  const jobs = Array.from({ length: count }, (_, n) => ({ name: 'square', data: { n, text: `\u00e9\0\r\n${n}` } }));
  const added = (
    await Promise.all(producers.map((queue, at) => addAll(queue, jobs.filter((_, n) => n % producers.length === at))))
  ).flat();
  await finished(producers[0], count);
  assert.strictEqual(new Set(added.map((job) => job.id)).size, count, 'ids are unique');
  await assertCounts(producers[0], count, 0);
  for (const { id, data } of added) assert.strictEqual(pool.runs.get(id)?.length, 1, `${id} (${data.n}) runs once`);
  const done = await producers[0].getJobs(['completed'], 0, -1);
  assert.strictEqual(done.length, count);
  for (const job of done) assert.deepStrictEqual(job.returnvalue, { square: job.data.n ** 2, text: job.data.text });
  while (told.size < count) await sleep(10);
  for (const job of done) assert.deepStrictEqual(told.get(job.id), job.returnvalue);
  await events.close();
  await Promise.all(producers.slice(1).map((queue) => queue.close()));
  await close(producers[0], pool);
}

// Delayed jobs: none before its time, each once.
async function delayed(count) {
  const queue = open(Queue, 'delayed', { connection });
  const pool = workers('delayed', async (job) => job.data.delay);
  const random = numbers(1);
  const jobs = Array.from({ length: count }, (_, n) => {
    const delay = 200 + random(2500);
    return { name: 'later', data: { n, delay }, opts: { delay } };
  });
  const added = await addAll(queue, jobs);
  await finished(queue, count);
  await assertCounts(queue, count, 0);
  for (const job of added) {
    const runs = pool.runs.get(job.id);
    assert.strictEqual(runs?.length, 1, `${job.id} runs once`);
    const early = job.timestamp + job.data.delay - runs[0];
    assert(early <= CLOCK_SLACK_MS, `${job.id} ran ${early} ms before its time`);
  }
  await close(queue, pool);
}

// Jobs that fail: tried as often as they say, not before their backoff; some never succeed, some must not be tried again.
async function retried(count) {
  const queue = open(Queue, 'retried', { connection });
  const pool = workers('retried', async (job, run) => {
    if (job.data.final) throw new UnrecoverableError('final');
    if (run <= job.data.failures) throw new Error(`failure ${run}`);
    return run;
  });
  const jobs = Array.from({ length: count }, (_, n) => ({
    name: 'fails',
    data: { n, failures: n % 5, final: n % 11 === 10 },
    opts: { attempts: 4, backoff: n % 2 === 0 ? { type: 'fixed', delay: 50 } : { type: 'exponential', delay: 20 } },
  }));
  const expected = (job) => (job.data.final ? 1 : Math.min(job.data.failures + 1, 4));
  const fails = (data) => data.final || data.failures >= 4;
  const failing = jobs.filter(({ data }) => fails(data)).length;
  const added = await addAll(queue, jobs);
  await finished(queue, count);
  await assertCounts(queue, count - failing, failing);
  for (const job of added) {
    const runs = pool.runs.get(job.id);
    assert.strictEqual(runs?.length, expected(job), `runs of ${job.id}: ${JSON.stringify(job.data)}`);
    for (let at = 1; at < runs.length; at += 1) {
      const backoff = job.opts.backoff.type === 'fixed' ? 50 : 20 * 2 ** (at - 1);
      const gap = runs[at] - runs[at - 1];
      assert(gap >= backoff - CLOCK_SLACK_MS, `${job.id} tried again after ${gap} ms instead of ${backoff}`);
    }
  }
  for (const job of await queue.getJobs(['completed', 'failed'], 0, -1)) {
    assert.strictEqual(job.attemptsMade, expected(job));
    if (fails(job.data)) assert.strictEqual(job.failedReason, job.data.final ? 'final' : 'failure 4');
    else assert.strictEqual(job.returnvalue, job.data.failures + 1);
  }
  // By hand, they are tried once more.
  const failed = await queue.getJobs(['failed'], 0, 4);
  await Promise.all(failed.map((job) => job.retry()));
  while ((await queue.getJobCounts('active', 'waiting', 'failed')).failed < failing - failed.length) await sleep(10);
  await finished(queue, count);
  for (const job of failed) assert.strictEqual(pool.runs.get(job.id).length, expected(job) + 1);
  await close(queue, pool);
}

// A worker that takes one job at a time takes them by priority, and equal ones as they came.
async function prioritized(count) {
  const queue = open(Queue, 'prioritized', { connection });
  await queue.pause();
  const random = numbers(2);
  const jobs = Array.from({ length: count }, (_, n) => {
    const priority = 1 + random(10);
    return { name: 'ranked', data: { n, priority }, opts: { priority } };
  });
  await addAll(queue, jobs);
  await queue.add('first', { n: -1, priority: 0 });
  const order = [];
  const pool = workers(
    'prioritized',
    async (job) => {
      order.push(job.data);
    },
    { concurrency: 1 },
    1,
  );
  await sleep(100);
  assert.strictEqual(order.length, 0, 'nothing runs while the queue is paused');
  await queue.resume();
  await finished(queue, count + 1);
  await assertCounts(queue, count + 1, 0);
  const sorted = [{ n: -1, priority: 0 }, ...jobs.map((job) => job.data)];
  sorted.sort((a, b) => a.priority - b.priority || a.n - b.n);
  assert.deepStrictEqual(order, sorted);
  await close(queue, pool);
}

// A rate limit holds over all workers: no window has twice as many as it may, and the whole takes its time.
async function limited(count) {
  const queue = open(Queue, 'limited', { connection });
  const duration = 200;
  const max = Math.max(5, Math.ceil(count / 10));
  await addAll(queue, Array.from({ length: count }, (_, n) => ({ name: 'slowly', data: { n } })));
  const pool = workers('limited', async (job) => job.data.n, { limiter: { max, duration } });
  await finished(queue, count);
  await assertCounts(queue, count, 0);
  assert.strictEqual(pool.runs.size, count);
  const began = [...pool.runs.values()].map((runs) => {
    assert.strictEqual(runs.length, 1, 'each runs once');
    return runs[0];
  });
  began.sort((a, b) => a - b);
  // Two windows may meet in one span of their length.
  for (let at = 0; at + 2 * max < count; at += 1) {
    const span = began[at + 2 * max] - began[at];
    assert(span >= duration / 2, `${2 * max + 1} jobs in ${span} ms`);
  }
  const least = (Math.ceil(count / max) - 1) * duration * 0.8;
  assert(began[count - 1] - began[0] >= least, `all in ${began[count - 1] - began[0]} ms, wanted ${least}`);
  await close(queue, pool);
  // What counts them goes by itself.
  await sleep(2 * duration);
}

// A parent runs when all its children have, and has their results.
async function flows(count) {
  const queue = open(Queue, 'parents', { connection });
  const children = open(Queue, 'children', { connection });
  const flow = open(FlowProducer, { connection });
  const early = [];
  const pool = workers('parents', async (job) => {
    const values = Object.values(await job.getChildrenValues());
    if (values.length !== 3) early.push(job.id);
    return values.reduce((sum, value) => sum + value, 0);
  });
  const childPool = workers('children', async (job) => job.data.n);
  const families = Math.ceil(count / 4);
  const made = await flow.addBulk(
    Array.from({ length: families }, (_, n) => ({
      name: 'sum',
      queueName: 'parents',
      data: { n },
      children: [1, 2, 3].map((k) => ({ name: 'part', queueName: 'children', data: { n: n * k } })),
    })),
  );
  await finished(queue, families);
  await assertCounts(queue, families, 0);
  await assertCounts(children, 3 * families, 0);
  assert.deepStrictEqual(early, []);
  assert.strictEqual(made.length, families);
  for (const job of await queue.getJobs(['completed'], 0, -1)) {
    assert.strictEqual(job.returnvalue, 6 * job.data.n);
    assert.strictEqual(pool.runs.get(job.id).length, 1);
  }
  for (const runs of childPool.runs.values()) assert.strictEqual(runs.length, 1);
  await flow.close();
  await close(queue, pool);
  await close(children, childPool);
}

// What a dead worker had begun is stalled, and run by another.
async function stalled() {
  const queue = open(Queue, 'stalled', { connection });
  const count = 20;
  await addAll(queue, Array.from({ length: count }, (_, n) => ({ name: 'survives', data: { n } })));
  const options = { lockDuration: 500, stalledInterval: 300, maxStalledCount: 5 };
  const dying = new Worker('stalled', () => new Promise(() => {}), { connection, concurrency: 5, ...options });
  dying.on('error', () => {});
  while ((await queue.getActiveCount()) < 5) await sleep(10);
  // No lock is renewed any more, as when the process is gone.
  await dying.close(true);
  const pool = workers('stalled', async (job) => job.data.n * 2, options);
  await finished(queue, count);
  await assertCounts(queue, count, 0);
  for (const job of await queue.getJobs(['completed'], 0, -1)) {
    assert.strictEqual(job.returnvalue, job.data.n * 2);
    assert.strictEqual(pool.runs.get(job.id).length, 1);
  }
  await close(queue, pool);
}

// A scheduler makes its jobs at its pace, and none when it is gone.
async function scheduled() {
  const queue = open(Queue, 'scheduled', { connection });
  const pool = workers('scheduled', async (job) => job.data.n);
  await queue.upsertJobScheduler('often', { every: 100, limit: 5 }, { name: 'tick', data: { n: 7 } });
  await finished(queue, 5);
  await sleep(300);
  const times = [...pool.runs.values()].map((runs) => runs[0]).sort((a, b) => a - b);
  assert.strictEqual(times.length, 5);
  assert(times[4] - times[0] >= 300, `five ticks in ${times[4] - times[0]} ms`);
  await queue.removeJobScheduler('often');
  await close(queue, pool);
}

async function main() {
  const share = (part) => Math.max(20, Math.round(JOBS * part));
  const client = new Redis(connection);
  assert.strictEqual(await client.dbsize(), 0, 'the database is empty');
  const parts = [
    ['plain jobs', () => plain(share(0.4))],
    ['delays', () => delayed(share(0.2))],
    ['retries', () => retried(share(0.15))],
    ['priorities', () => prioritized(share(0.1))],
    ['parents and children', () => flows(share(0.05))],
    ['a worker that dies', () => stalled()],
    ['a scheduler', () => scheduled()],
  ];
  let passed = 0;
  let failed = 0;
  const check = async ([name, body]) => {
    const began = Date.now();
    try {
      await body();
      passed += 1;
      console.log(`ok ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}`);
    }
  };
  // Side by side: queues share the server, as they do where people use them.
  await Promise.all(parts.map(check));
  // By itself, since it is told by when the jobs begin in this one thread.
  await check(['a rate limit', () => limited(share(0.1))]);
  await check([
    'nothing is left',
    async () => {
      const left = await client.keys('*');
      assert.deepStrictEqual(left.slice(0, 10), [], `${left.length} keys`);
    },
  ]);
  console.log(`${JOBS} jobs`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : (process.exitCode ?? 0));
}

setTimeout(() => {
  console.log(`FAILED not done within ${LIMIT_MS} ms`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}, LIMIT_MS).unref();
main();
