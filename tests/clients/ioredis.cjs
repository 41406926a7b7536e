// ioredis against a running server, over TCP and a Unix socket, in RESP2 (it speaks no other).
//
// DUNLIN_PORT and DUNLIN_SOCKET say where it listens. Prints a line for each check and `N passed, M failed` at the end.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Redis } = require('ioredis');
const { run } = require('./checks.cjs');

const PASSWORD = 'a pass word';
const BIG = crypto.randomBytes(8 << 20);

const checks = {
  async strings(r) {
    assert.equal(await r.ping(), 'PONG');
    assert.equal(await r.set('k', 'v', 'PX', 100000), 'OK');
    assert.equal(await r.set('k', 'w', 'NX'), null);
    assert.equal(await r.get('k'), 'v');
    assert.equal(await r.incrby('n', 5), 5);
    assert.deepEqual(await r.mget('k', 'nosuch', 'n'), ['v', null, '5']);
    const bytes = Buffer.from([0, 13, 10, 36, 49, 13, 10, 255]);
    await r.set('bytes', bytes);
    assert.ok(bytes.equals(await r.getBuffer('bytes')));
  },

  async collections(r) {
    assert.equal(await r.rpush('l', 1, 2, 3), 3);
    assert.deepEqual(await r.lrange('l', 0, -1), ['1', '2', '3']);
    assert.equal(await r.hset('h', { a: 1, b: 'x' }), 2);
    assert.deepEqual(await r.hgetall('h'), { a: '1', b: 'x' });
    assert.equal(await r.sadd('s', 'a', 'b'), 2);
    assert.deepEqual((await r.smembers('s')).sort(), ['a', 'b']);
    assert.equal(await r.zadd('z', 1.5, 'a', 'inf', 'b'), 2);
    assert.deepEqual(await r.zrange('z', 0, -1, 'WITHSCORES'), ['a', '1.5', 'b', 'inf']);
  },

  async transactions(r, connect) {
    const results = await r.multi().set('k', 1).incr('k').lpush('k', 1).get('k').exec();
    assert.deepEqual(results[1], [null, 2]);
    assert.match(results[2][0].message, /WRONGTYPE/);
    assert.deepEqual(results[3], [null, '2']);
    // Not in one pipeline: each is sent by itself.
    await r.multi({ pipeline: false });
    assert.equal(await r.set('k', 5), 'QUEUED');
    assert.deepEqual(await r.exec(), [[null, 'OK']]);
    const other = connect();
    await r.watch('w');
    await other.set('w', 'theirs');
    assert.equal(await r.multi().set('w', 'ours').exec(), null);
    await r.watch('w');
    assert.deepEqual(await r.multi().set('w', 'ours').exec(), [[null, 'OK']]);
    await other.quit();
    const pipe = r.pipeline();
    for (let i = 0; i < 5000; i++) pipe.set(`many:${i}`, i);
    assert.equal((await pipe.exec()).filter(([error, reply]) => !error && reply === 'OK').length, 5000);
  },

  async iterators(r) {
    const pipe = r.pipeline();
    for (let i = 0; i < 2000; i++) pipe.set(`scan:${i}`, i).sadd('set', i).hset('hash', i, i).zadd('zset', i, i);
    await pipe.exec();
    const all = async (stream) => {
      const found = [];
      for await (const part of stream) found.push(...part);
      return found;
    };
    assert.equal(new Set(await all(r.scanStream({ match: 'scan:*', count: 100 }))).size, 2000);
    assert.equal(new Set(await all(r.sscanStream('set'))).size, 2000);
    assert.equal((await all(r.hscanStream('hash'))).length, 4000);
    assert.equal((await all(r.zscanStream('zset'))).length, 4000);
  },

  async bigValues(r) {
    await r.set('big', BIG);
    assert.ok(BIG.equals(await r.getBuffer('big')));
    assert.equal(await r.strlen('big'), BIG.length);
  },

  async errors(r) {
    await r.set('k', 'v');
    await assert.rejects(r.lpush('k', 1), { name: 'ReplyError', message: /^WRONGTYPE/ });
    await assert.rejects(r.incr('k'), /not an integer/);
    await assert.rejects(r.call('NOSUCH', 'a'), /unknown command/);
    await assert.rejects(r.call('GET'), /wrong number of arguments/);
    await assert.rejects(r.multi().call('GET').exec(), /EXECABORT/);
    assert.equal(await r.get('k'), 'v');
  },

  async password(r, connect) {
    await r.config('SET', 'requirepass', PASSWORD);
    try {
      // Without the ready check, which would wait for INFO.
      const without = connect({ enableReadyCheck: false });
      await assert.rejects(without.get('k'), /NOAUTH/);
      without.disconnect();
      const wrong = connect({ password: 'no', retryStrategy: null, enableReadyCheck: false });
      await assert.rejects(wrong.get('k'));
      wrong.disconnect();
      for (const more of [{ password: PASSWORD }, { username: 'default', password: PASSWORD }]) {
        const right = connect(more);
        assert.equal(await right.ping(), 'PONG');
        await right.quit();
      }
    } finally {
      await r.config('SET', 'requirepass', '');
    }
  },

  async namesAndDatabases(r, connect) {
    const named = connect({ connectionName: 'a-name', db: 3 });
    assert.equal(await named.client('GETNAME'), 'a-name');
    await named.set('k', 3);
    assert.equal(await r.get('k'), null);
    assert.equal(await named.flushdb(), 'OK');
    await named.quit();
  },

  async pubsub(r, connect) {
    const listener = connect();
    const heard = [];
    listener.on('message', (channel, message) => heard.push([channel, message]));
    listener.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
    assert.equal(await listener.subscribe('a', 'b'), 2);
    assert.equal(await listener.psubscribe('n[ew]*'), 3);
    assert.equal(await r.publish('a', 'one'), 1);
    assert.equal(await r.publish('news', 'two'), 1);
    assert.equal(await r.publish('none', 'three'), 0);
    assert.deepEqual(await r.multi().set('k', 1).publish('b', 'four').exec(), [[null, 'OK'], [null, 1]]);
    assert.deepEqual(await r.pubsub('NUMSUB', 'a', 'b'), ['a', 1, 'b', 1]);
    assert.equal(await listener.ping(), 'PONG');
    assert.equal(await listener.unsubscribe('a'), 2);
    assert.equal(await r.publish('a', 'five'), 0);
    // By name: without one, this version loses count of the replies.
    assert.equal(await listener.unsubscribe('b'), 1);
    assert.equal(await listener.punsubscribe('n[ew]*'), 0);
    assert.deepEqual(heard, [['a', 'one'], ['n[ew]*', 'news', 'two'], ['b', 'four']]);
    assert.equal(await listener.get('k'), '1');
    await listener.quit();
  },

  async killed(r, connect) {
    const victim = connect();
    const id = await victim.client('ID');
    assert.equal(await r.client('KILL', 'ID', id), 1);
    // It finds its connection gone, makes another, and sends again what was not answered.
    assert.equal(await victim.ping(), 'PONG');
    assert.notEqual(await victim.client('ID'), id);
    await victim.quit();
  },
};

const place = (where) => (where === 'port' ? { port: Number(process.env.DUNLIN_PORT) } : { path: process.env.DUNLIN_SOCKET });
const kinds = ['port', 'socket'].map((where) => ({
  name: `RESP2, ${where}`,
  connect(more) {
    const client = new Redis({ ...place(where), ...more });
    // Refused passwords are also told here; the calls that they concern are checked.
    client.on('error', () => {});
    return client;
  },
  close: (client) => client.quit(),
  flush: (client) => client.flushall(),
}));
run(kinds, checks);
