// What the checks of the console share: counting, a browser whose pages are watched, and the data port.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { chromium } = require('playwright-core');

// Longer than any check takes; one that waits for ever fails.
const CHECK_LIMIT_MS = 30000;
// Longer than anything on the page takes to come, on a machine that is busy.
const WAIT_LIMIT_MS = 10000;

/// Runs checks in their order, prints a line for each and `N passed, M failed` at the end.
async function run(checks, context) {
  let passed = 0;
  let failed = 0;
  for (const [name, body] of Object.entries(checks)) {
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${name} takes longer than ${CHECK_LIMIT_MS} ms`)), CHECK_LIMIT_MS);
    });
    try {
      await Promise.race([body(context), limit]);
      context.watch.clean();
      passed += 1;
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}`);
    } finally {
      clearTimeout(timer);
      context.watch.forget();
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed;
}

/// What pages must not do: errors in their console, and requests of anything but their server.
class Watch {
  constructor(origins) {
    this.origins = origins;
    this.faults = [];
    this.excused = [];
  }

  page(page) {
    page.setDefaultTimeout(WAIT_LIMIT_MS);
    page.on('pageerror', (error) => this.fault(`exception: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.fault(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith('data:') && !this.origins.some((origin) => url.startsWith(`${origin}/`))) this.fault(`a request outside: ${url}`);
    });
    page.on('dialog', (dialog) => {
      this.fault(`a dialog, so something ran: ${dialog.message()}`);
      dialog.dismiss();
    });
  }

  fault(text) {
    if (!this.excused.some((part) => text.includes(part))) this.faults.push(text);
  }

  /// For this check, what has this in it is expected: browsers log every refused request.
  excuse(part) {
    this.excused.push(part);
  }

  clean() {
    assert.deepEqual(this.faults, []);
  }

  forget() {
    this.faults = [];
    this.excused = [];
  }
}

async function browser() {
  // Root has no sandbox for its browser; the pages are ours.
  const root = process.getuid() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: process.env.DUNLIN_CHROMIUM, args: [...root, '--disable-dev-shm-usage'] });
}

/// The data port: lines as they are written to redis-cli; returns what came back.
function data(lines) {
  return execFileSync(process.env.DUNLIN_PROGRAM, ['cli', '-p', process.env.DUNLIN_PORT], { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
}

module.exports = { WAIT_LIMIT_MS, Watch, browser, data, run };
