// The parts of the console that need no browser: numbers, bytes, quotes, completion, histograms, rates.
//
// Prints a line for each check and `N passed, M failed` at the end.

import assert from 'node:assert/strict';
import * as format from '../../web/src/format.js';
import { History, SAMPLES_MAX } from '../../web/src/history.js';
import { difference, percentile, used } from '../../web/src/latency.js';
import { called, complete, split } from '../../web/src/words.js';

const plain = (text) => text.replaceAll('\u202f', ' ');

function stats(more) {
  return {
    time_ms: 1000, uptime_s: 1, commands: 0, connections: 1, connections_accepted: 1, connections_rejected: 0, hits: 0, misses: 0, expired: 0,
    expiry_lag_ms: 0, evicted: 0, blocked: 0, input_bytes: 0, output_bytes: 0, memory: { kinds: {} }, keys: 0, keys_with_ttl: 0,
    workers: [{ commands: 0, busy_us: 0, clients: 1 }], latency: { bounds_us: [10, 20], total: [0, 0, 0] }, ...more,
  };
}

const checks = {
  'numbers, sizes and times'() {
    assert.equal(plain(format.short(1234567)), '1.23 M');
    assert.equal(plain(format.short(999)), '999');
    assert.equal(plain(format.short(999999)), '1.00 M');
    assert.equal(plain(format.bytes(1536)), '1.50 KiB');
    assert.equal(plain(format.bytes(0)), '0 B');
    assert.equal(plain(format.micros(0.25)), '0.25 µs');
    assert.equal(plain(format.micros(1234)), '1.23 ms');
    assert.equal(format.micros(NaN), '–');
    assert.equal(plain(format.percent(0.999)), '99.9 %');
    assert.equal(plain(format.span(90061)), '1 d 1 h');
    assert.equal(plain(format.span(0)), '0 s');
    assert.equal(format.whole(9007199254740993n), '9,007,199,254,740,993');
  },

  'bytes go there and back'() {
    for (const octets of [[], [97, 98], [255, 0, 10], [0xef, 0xbb, 0xbf, 97], [0xc3, 0xa9]]) {
      assert.deepEqual([...format.bytesOf(format.textOf(Uint8Array.from(octets)))], octets);
    }
    assert.deepEqual(format.textOf(Uint8Array.from([255, 0])), { base64: '/wA=' });
  },

  'what cannot be seen is written out'() {
    assert.equal(format.shown('a\n\u0000\u202eb'), 'a\\n\\x00\\u202eb');
    assert.equal(format.shown({ base64: '/wBh' }), '\\xff\\x00a');
    assert.equal(format.quoted('say "a\\b"'), '"say \\"a\\\\b\\""');
    assert.equal(format.hexDump(Uint8Array.from([255, 0, 65])), `00000000  ff 00 41${' '.repeat(39)}  ··A`);
  },

  'JSON is indented, and nothing of it is changed'() {
    const text = '{"a":12345678901234567890,"b":[1,"x\\"{, "],"c":{},"d":[ ]}';
    const pretty = format.prettyJson(text);
    assert.equal(pretty, '{\n  "a": 12345678901234567890,\n  "b": [\n    1,\n    "x\\"{, "\n  ],\n  "c": {},\n  "d": []\n}');
    for (const other of ['{', '12', 'words', '{"a":1}}']) assert.equal(format.prettyJson(other), null);
  },

  'a line is split as redis-cli does'() {
    assert.deepEqual(split('  set  k "a b\\n\\x41" \'it\\\'s\'  '), ['set', 'k', 'a b\nA', "it's"]);
    assert.deepEqual(split('get "\\xff\\x00"'), ['get', { base64: '/wA=' }]);
    assert.deepEqual(split('set k ""'), ['set', 'k', '']);
    assert.deepEqual(split('echo é'), ['echo', 'é']);
    for (const line of ['a "b', "a 'b", 'a "b"c', 'a "b\\']) assert.throws(() => split(line), /quote/);
  },

  'commands are completed and recognized'() {
    const commands = ['get', 'getex', 'config', 'config get', 'config set'].map((name) => ({ name }));
    const names = (line) => complete(line, commands, 9).map((command) => command.name);
    assert.deepEqual(names('ge'), ['get', 'getex']);
    assert.deepEqual(names('CONFIG  s'), ['config set']);
    assert.deepEqual(names(''), []);
    assert.equal(called('config get x', commands).name, 'config get');
    assert.equal(called('CONFIG', commands).name, 'config');
    assert.equal(called('getx', commands), null);
  },

  'percentiles of a histogram'() {
    const bounds = [10, 20, 40];
    assert.equal(percentile([0, 100, 0, 0], bounds, 0.5), 15);
    assert.equal(percentile([50, 50, 0, 0], bounds, 0.99), 19.8);
    assert.equal(percentile([0, 0, 0, 3], bounds, 0.5), 40);
    assert.ok(Number.isNaN(percentile([0, 0, 0, 0], bounds, 0.5)));
    assert.deepEqual([...difference([3, 4], [1, 4])], [2, 0]);
    assert.equal(difference([1], [2]), null);
    assert.equal(difference([1, 2], [1]), null);
    assert.deepEqual(used([null, [0, 1, 0], [0, 0, 2]]), [1, 2]);
    assert.equal(used([[0]]), null);
  },

  'rates are those of the time between two readings'() {
    const history = new History();
    assert.ok(history.push(stats({})).gap);
    const sample = history.push(stats({
      time_ms: 3000, uptime_s: 3, commands: 200, hits: 3, misses: 1, workers: [{ commands: 200, busy_us: 500000, clients: 1 }],
      latency: { bounds_us: [10, 20], total: [1, 2, 3] },
    }));
    assert.equal(sample.operations, 100);
    assert.equal(sample.hitRatio, 0.75);
    assert.equal(sample.workers[0].busy, 0.25);
    assert.deepEqual([...sample.latency.total], [1, 2, 3]);
    // Started anew: its counters begin again, and no rate is made of that.
    assert.ok(history.push(stats({ time_ms: 4000, uptime_s: 0, commands: 5 })).gap);
    assert.equal(history.window(1.5).length, 2);
  },

  'the page forgets'() {
    const history = new History();
    for (let at = 0; at < SAMPLES_MAX + 10; at += 1) history.push(stats({ time_ms: at * 1000, uptime_s: at }));
    assert.equal(history.samples.length, SAMPLES_MAX);
    assert.equal(history.window(60).length, 61);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    check();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
