// node-redis against a running server, over RESP2 and RESP3, TCP and a Unix socket.
//
// DUNLIN_PORT and DUNLIN_SOCKET say where it listens. Prints a line for each check and `N passed, M failed` at the end.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { createClient, ErrorReply, RESP_TYPES, WatchError } = require('redis');
const { run } = require('./checks.cjs');

const PASSWORD = 'a pass word';
const BIG = crypto.randomBytes(8 << 20);

const buffers = (client) => client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

const checks = {
  async strings(r) {
    assert.equal(await r.ping(), 'PONG');
    assert.equal(await r.set('k', 'v', { expiration: { type: 'PX', value: 100000 } }), 'OK');
    assert.equal(await r.set('k', 'w', { condition: 'NX' }), null);
    assert.equal(await r.get('k'), 'v');
    assert.equal(await r.incrBy('n', 5), 5);
    assert.deepEqual(await r.mGet(['k', 'nosuch', 'n']), ['v', null, '5']);
    const bytes = Buffer.from([0, 13, 10, 36, 49, 13, 10, 255]);
    await r.set('bytes', bytes);
    assert.ok(bytes.equals(await buffers(r).get('bytes')));
  },

  async collections(r) {
    assert.equal(await r.rPush('l', ['1', '2', '3']), 3);
    assert.deepEqual(await r.lRange('l', 0, -1), ['1', '2', '3']);
    assert.equal(await r.hSet('h', { a: 1, b: 'x' }), 2);
    assert.deepEqual({ ...(await r.hGetAll('h')) }, { a: '1', b: 'x' });
    assert.equal(await r.sAdd('s', ['a', 'b']), 2);
    assert.deepEqual((await r.sMembers('s')).sort(), ['a', 'b']);
    const members = [{ value: 'a', score: 1.5 }, { value: 'b', score: Infinity }];
    assert.equal(await r.zAdd('z', members), 2);
    assert.deepEqual(await r.zRangeWithScores('z', 0, -1), members);
    assert.equal(await r.zScore('z', 'a'), 1.5);
    assert.deepEqual(await r.zPopMin('z'), { value: 'a', score: 1.5 });
  },

  async transactions(r, connect) {
    const results = await r.multi().set('k', 1).incr('k').get('k').exec();
    assert.deepEqual(results, ['OK', 2, '2']);
    const mixed = await r.multi().set('k', 1).lPush('k', '1').get('k').exec().catch((error) => error.replies);
    assert.match(mixed[1].message, /WRONGTYPE/);
    assert.equal(mixed[2], '1');
    const other = await connect();
    await r.watch('w');
    await other.set('w', 'theirs');
    await assert.rejects(r.multi().set('w', 'ours').exec(), WatchError);
    await r.watch('w');
    assert.deepEqual(await r.multi().set('w', 'ours').exec(), ['OK']);
    await other.close();
    // What is asked in one turn goes out in one write.
    const replies = await Promise.all(Array.from({ length: 5000 }, (_, i) => r.set(`many:${i}`, i)));
    assert.ok(replies.every((reply) => reply === 'OK'));
  },

  async iterators(r) {
    await Promise.all(
      Array.from({ length: 2000 }, (_, i) => [
        r.set(`scan:${i}`, i),
        r.sAdd('set', `${i}`),
        r.hSet('hash', `${i}`, `${i}`),
        r.zAdd('zset', { value: `${i}`, score: i }),
      ]).flat(),
    );
    const all = async (iterator) => {
      const found = [];
      for await (const part of iterator) found.push(...part);
      return found;
    };
    assert.equal(new Set(await all(r.scanIterator({ MATCH: 'scan:*', COUNT: 100 }))).size, 2000);
    assert.equal(new Set(await all(r.sScanIterator('set'))).size, 2000);
    const fields = await all(r.hScanIterator('hash'));
    assert.ok(fields.length === 2000 && fields.every(({ field, value }) => field === value));
    const members = await all(r.zScanIterator('zset'));
    assert.ok(members.length === 2000 && members.every(({ value, score }) => value === `${score}`));
  },

  async bigValues(r) {
    await r.set('big', BIG);
    assert.ok(BIG.equals(await buffers(r).get('big')));
    assert.equal(await r.strLen('big'), BIG.length);
  },

  async errors(r) {
    await r.set('k', 'v');
    await assert.rejects(r.lPush('k', '1'), (error) => error instanceof ErrorReply && /^WRONGTYPE/.test(error.message));
    await assert.rejects(r.incr('k'), /not an integer/);
    await assert.rejects(r.sendCommand(['NOSUCH', 'a']), /unknown command/);
    await assert.rejects(r.sendCommand(['GET']), /wrong number of arguments/);
    await assert.rejects(r.multi().addCommand(['GET']).exec(), /EXECABORT|wrong number of arguments/);
    assert.equal(await r.get('k'), 'v');
  },

  async password(r, connect) {
    await r.configSet('requirepass', PASSWORD);
    try {
      await assert.rejects(connect({ password: 'no', once: true }), /WRONGPASS/);
      for (const more of [{ password: PASSWORD }, { username: 'default', password: PASSWORD }]) {
        const right = await connect(more);
        assert.equal(await right.ping(), 'PONG');
        await right.close();
      }
    } finally {
      await r.configSet('requirepass', '');
    }
  },

  async namesAndDatabases(r, connect) {
    const named = await connect({ name: 'a-name', database: 3 });
    assert.equal(await named.clientGetName(), 'a-name');
    await named.set('k', 3);
    assert.equal(await r.get('k'), null);
    assert.equal(await named.flushDb(), 'OK');
    await named.close();
  },

  async pubsub(r, connect) {
    const listener = await connect();
    const heard = [];
    const hear = (message, channel) => heard.push([channel, message]);
    await listener.subscribe(['a', 'b'], hear);
    await listener.pSubscribe('n[ew]*', hear);
    await listener.sSubscribe('shard', hear);
    assert.equal(await r.publish('a', 'one'), 1);
    assert.equal(await r.publish('news', 'two'), 1);
    assert.equal(await r.publish('none', 'three'), 0);
    assert.equal(await r.sPublish('shard', 'four'), 1);
    assert.deepEqual(await r.multi().set('k', '1').publish('b', 'five').exec(), ['OK', 1]);
    assert.deepEqual((await r.pubSubChannels()).sort(), ['a', 'b']);
    assert.equal(await r.pubSubNumPat(), 1);
    await listener.ping();
    await listener.unsubscribe('a');
    assert.equal(await r.publish('a', 'six'), 0);
    await listener.unsubscribe();
    await listener.pUnsubscribe();
    await listener.sUnsubscribe();
    assert.deepEqual(heard, [['a', 'one'], ['news', 'two'], ['shard', 'four'], ['b', 'five']]);
    // Over RESP2 the client goes on with buffers once it was a subscriber.
    assert.equal(String(await listener.get('k')), '1');
    await listener.close();
  },

  async killed(r, connect) {
    const victim = await connect();
    const id = await victim.clientId();
    assert.equal(await r.clientKill({ filter: 'ID', id }), 1);
    // It finds its connection gone and makes another; what was on its way is told as an error.
    const told = await victim.ping().catch((error) => error);
    assert.ok(told === 'PONG' || told instanceof Error);
    assert.equal(await victim.ping(), 'PONG');
    assert.notEqual(await victim.clientId(), id);
    await victim.close();
  },
};

const kinds = [2, 3].flatMap((RESP) =>
  ['port', 'socket'].map((where) => ({
    name: `RESP${RESP}, ${where}`,
    async connect({ once, ...more } = {}) {
      const socket =
        where === 'port' ? { host: '127.0.0.1', port: Number(process.env.DUNLIN_PORT) } : { path: process.env.DUNLIN_SOCKET };
      if (once) socket.reconnectStrategy = false;
      const client = createClient({ RESP, socket, ...more });
      // Lost connections are also told here; the calls that they concern are checked.
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    close: (client) => client.close(),
    flush: (client) => client.flushAll(),
  })),
);
run(kinds, checks);
