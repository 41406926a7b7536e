// The browser console of a running server under load, in Chromium: what a person does with it, and what it must not do.
//
// DUNLIN_PROGRAM is the binary, DUNLIN_PORT its data port, DUNLIN_ADMIN_PORT the console's, DUNLIN_TOKEN_PORT that of a server whose
// admin-token is DUNLIN_TOKEN, DUNLIN_CHROMIUM the browser. With DUNLIN_SCREENSHOT it leaves a picture there and checks nothing.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { WAIT_LIMIT_MS, Watch, browser, data, run } = require('./checks.cjs');

const ORIGIN = `http://127.0.0.1:${process.env.DUNLIN_ADMIN_PORT}`;
const TOKEN_ORIGIN = `http://127.0.0.1:${process.env.DUNLIN_TOKEN_PORT}`;
const VIEWS = ['overview', 'slow', 'hot', 'clients', 'config', 'keys', 'run'];
/// A name that would do something if it were ever read as HTML.
const HOSTILE = '<img src=x onerror=alert(1)>';
/// How long the picture's charts gather before it is taken.
const PICTURE_MS = 75000;

/// Fills the server with keys of every type.
function seed() {
  const many = (count, line) => Array.from({ length: count }, (_, at) => line(at));
  data([
    'FLUSHALL',
    'SET text "plain words"',
    'SET json "{\\"name\\":\\"Ada\\",\\"born\\":1815,\\"large\\":12345678901234567890,\\"none\\":[]}"',
    'SET bytes "\\xff\\x00\\x01abc"',
    'SET brief gone-soon EX 5000',
    `SET "${HOSTILE}" "${HOSTILE}"`,
    `SET large ${'0123456789'.repeat(10000)}`,
    `RPUSH list ${many(250, (at) => `element-${at}`).join(' ')}`,
    ...many(250, (at) => `HSET hash field-${at} value-${at}`),
    `HSET markup "${HOSTILE}" "${HOSTILE}"`,
    `SADD set ${many(250, (at) => `member-${at}`).join(' ')}`,
    `ZADD zset ${many(250, (at) => `${at}.5 member-${at}`).join(' ')}`,
    ...many(150, (at) => `XADD stream ${at + 1}-0 temperature ${at} unit C`),
    'SELECT 3',
    'SET elsewhere 1',
  ]);
}

/// Requests without end, on keys of their own; stopped with the value that this returns.
function load(arguments_) {
  return spawn(process.env.DUNLIN_PROGRAM, ['bench', '-p', process.env.DUNLIN_PORT, '-q', '-n', '1000000000', '-r', '20000', ...arguments_], { stdio: 'ignore' });
}

async function go(page, view) {
  await page.goto(`${ORIGIN}/#${view}`);
}

/// The key's view, once it is there.
async function key(page, name, db = 0) {
  await go(page, `keys/${db}/${encodeURIComponent(JSON.stringify(name))}`);
  await page.locator('.key-head h2 span:last-child').getByText(name, { exact: true }).waitFor();
  return page.locator('.browser > .card').last();
}

async function command(page, line) {
  await page.locator('#prompt').fill(line);
  await page.locator('#prompt').press('Enter');
  const reply = page.locator('.reply').first();
  await reply.locator('header code', { hasText: line }).waitFor();
  return reply;
}

const text = (locator) => locator.innerText();

/// Waits until it holds.
async function until(what, test) {
  const end = Date.now() + WAIT_LIMIT_MS;
  while (!(await test())) {
    if (Date.now() > end) throw new Error(`not within ${WAIT_LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/// A number as a tile shows it, its unit taken in.
function shownNumber(words) {
  const [, digits, unit] = /^([\d.,]+)\s*([kMG]?)/.exec(words.replace(/\s+/g, ' ').trim()) ?? [];
  return Number((digits ?? '0').replaceAll(',', '')) * ({ k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1);
}

/// The picture that a canvas shows, and whether anything is painted on it.
function painted(page, chart) {
  return page.locator(`#${chart} canvas`).evaluate((canvas) => canvas.toDataURL());
}

const checks = {
  async 'the page is served with a policy that lets nothing in'({ page }) {
    const response = await page.goto(`${ORIGIN}/`);
    const policy = response.headers()['content-security-policy'];
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'sha256-/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(response.headers()['cache-control'], 'no-store');
    assert.ok((await response.body()).length < 300 << 10);
    assert.equal(await page.title(), 'Overview · Dunlin');
  },

  async 'charts move under load'({ page }) {
    await go(page, 'overview');
    await until('operations are counted', async () => shownNumber(await text(page.locator('#tile-operations dd'))) > 100);
    for (const chart of ['chart-operations', 'chart-heat', 'chart-memory']) {
      const before = await painted(page, chart);
      await until(`${chart} changes`, async () => (await painted(page, chart)) !== before);
    }
    assert.match(await text(page.locator('#tile-p99 dd')), /[1-9].*(µs|ms|s)/);
    assert.match(await page.locator('#chart-heat canvas').getAttribute('aria-label'), /[1-9][\d,]* requests in the last second/);
    assert.ok(shownNumber(await text(page.locator('#tile-keys dd'))) > 10);
    assert.match(await text(page.locator('.workers')), /[1-9][\d.]*\s?k?\/s/);
  },

  async 'each stage of latency can be chosen'({ page }) {
    await go(page, 'overview');
    const [before] = [await painted(page, 'chart-heat')];
    await page.getByRole('radio', { name: 'Execute' }).check({ force: true });
    await until('the heat map is that of the stage', async () => (await painted(page, 'chart-heat')) !== before);
    await page.getByRole('radio', { name: 'Total' }).check({ force: true });
  },

  async 'held charts stand still, and go on'({ page }) {
    await go(page, 'overview');
    await page.keyboard.press('p');
    assert.equal(await text(page.locator('.head .state')), 'charts held');
    await page.waitForTimeout(300);
    const before = await painted(page, 'chart-operations');
    await page.waitForTimeout(2500);
    assert.equal(await painted(page, 'chart-operations'), before);
    await page.keyboard.press('p');
    await until('they go on', async () => (await painted(page, 'chart-operations')) !== before);
  },

  async 'a crosshair goes along a chart by keys'({ page }) {
    await go(page, 'overview');
    await page.locator('#chart-operations canvas').focus();
    const before = await painted(page, 'chart-memory');
    await page.keyboard.press('ArrowLeft');
    await until('all charts show it', async () => (await painted(page, 'chart-memory')) !== before);
  },

  async 'keys are found by pattern, type and database'({ page }) {
    await go(page, 'keys/0');
    await page.getByLabel('Pattern of keys').fill('lis');
    await page.getByLabel('Pattern of keys').press('Enter');
    const row = page.locator('.found li');
    await until('one key is left', async () => (await row.count()) === 1);
    await until('its type is asked for', async () => (await text(row.locator('.badge'))) === 'list');
    await page.getByLabel('Pattern of keys').fill('');
    await page.getByLabel('Type', { exact: true }).selectOption('stream');
    await until('only the stream is left', async () => (await row.locator('.name').allInnerTexts()).join() === 'stream');
    await page.getByLabel('Type', { exact: true }).selectOption('');
    await page.locator('.found').getByLabel('Database').selectOption('3');
    await until('another database', async () => (await row.locator('.name').allInnerTexts()).join() === 'elsewhere');
    await go(page, 'keys/0');
  },

  async 'strings: text, JSON, bytes, and a large one in parts'({ page }) {
    let detail = await key(page, 'text');
    await detail.getByText('plain words').waitFor();
    assert.match(await text(detail), /TTL\s+none[^]*Encoding\s+embstr[^]*Memory\s+\d+/);
    detail = await key(page, 'json');
    await until('JSON is indented, and its numbers are kept', async () => (await text(detail)).includes('"large": 12345678901234567890,\n'));
    detail = await key(page, 'bytes');
    await detail.getByText('ff 00 01 61 62 63').waitFor();
    detail = await key(page, 'brief');
    await until('a TTL', async () => /TTL\s+1.h/.test(await text(detail)));
    detail = await key(page, 'large');
    await detail.getByText(/64\.0.KiB of 97\.7.KiB/).waitFor();
    await detail.getByRole('button', { name: 'Read more' }).click();
    await until('all of it', async () => (await detail.locator('pre').textContent()).length === 100000);
  },

  async 'lists, hashes, sets, sorted sets and streams, a page at a time'({ page }) {
    for (const [name, cells, count] of [
      ['list', ['0', 'element-0'], 250],
      ['hash', null, 250],
      ['set', null, 250],
      ['zset', ['0', '0.5', 'member-0'], 250],
      ['stream', ['1-0', 'temperature'], 150],
    ]) {
      const detail = await key(page, name);
      const rows = detail.locator('tbody tr');
      await until(`rows of ${name}`, async () => (await rows.count()) > 0);
      if (cells) {
        const first = await text(rows.first());
        for (const cell of cells) assert.ok(first.includes(cell), `${name}: ${first}`);
        assert.equal(await rows.count(), 100);
      }
      while (await detail.getByRole('button', { name: 'Read more' }).count()) {
        const before = await rows.count();
        await detail.getByRole('button', { name: 'Read more' }).click();
        await until(`more of ${name}`, async () => (await rows.count()) > before);
      }
      assert.equal(await rows.count(), count, name);
    }
    const detail = await key(page, 'hash');
    await detail.getByLabel('Pattern of elements').fill('field-24?');
    await detail.getByLabel('Pattern of elements').press('Enter');
    await until('fields by pattern', async () => (await detail.locator('tbody tr').count()) === 10);
  },

  async 'names and values are texts, whatever stands in them'({ page, watch }) {
    await key(page, HOSTILE);
    await page.getByLabel('Pattern of keys').fill('img');
    await page.getByLabel('Pattern of keys').press('Enter');
    await page.locator('.found li', { hasText: HOSTILE }).waitFor();
    const detail = await key(page, 'markup');
    await until('its field', async () => (await text(detail)).includes(HOSTILE));
    assert.equal(await page.locator('img').count(), 0);
    await go(page, 'run');
    const reply = await command(page, `GET "${HOSTILE}"`);
    await until('the reply', async () => (await text(reply.locator('.body'))) === HOSTILE);
    assert.equal(await page.locator('img').count(), 0);
    // Even if some line of the page tried: the policy has no way to make HTML of a text.
    watch.excuse('TrustedHTML');
    const refused = await page.evaluate((markup) => {
      try {
        document.createElement('div').innerHTML = markup;
        return false;
      } catch {
        return true;
      }
    }, HOSTILE);
    assert.ok(refused);
  },

  async 'commands: completion, syntax, tables, text, earlier ones'({ page }) {
    await go(page, 'run');
    await page.locator('#prompt').fill('hget');
    await page.locator('#options li').first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    assert.equal(await page.locator('#prompt').inputValue(), 'HGETALL ');
    assert.match(await text(page.locator('.prompt .syntax')), /HGETALL <?key/);
    let reply = await command(page, 'HGETALL markup');
    await until('a table', async () => (await reply.locator('table.named tr').count()) === 1);
    await page.getByRole('radio', { name: 'Text' }).check({ force: true });
    await until('text', async () => (await text(reply.locator('pre'))).startsWith('1# "<img'));
    await page.getByRole('radio', { name: 'Tables' }).check({ force: true });
    reply = await command(page, 'LPOS');
    await until('the error of it', async () => (await text(reply)).includes("wrong number of arguments for 'lpos' command"));
    reply = await command(page, 'GET "not closed');
    await until('the error of its quotes', async () => (await text(reply)).includes('not closed'));
    reply = await command(page, 'GET "\\xff\\x00"');
    await until('nothing', async () => (await text(reply.locator('.body'))) === 'nil');
    await page.locator('#prompt').press('ArrowUp');
    await page.locator('#prompt').press('ArrowUp');
    assert.equal(await page.locator('#prompt').inputValue(), 'GET "not closed');
  },

  async 'what waits or goes on sending is refused, with a reason'({ page, watch }) {
    watch.excuse('/api/command');
    await go(page, 'run');
    for (const line of ['BLPOP nothing 0', 'SUBSCRIBE news', 'MONITOR', 'MULTI']) {
      const reply = await command(page, line);
      await until(line, async () => (await text(reply.locator('.failure'))).length > 20);
    }
  },

  async 'a write is refused, says how to allow it, and is allowed then'({ page, watch }) {
    watch.excuse('/api/command');
    await go(page, 'run');
    let reply = await command(page, 'SET written 1');
    await until('the refusal', async () => /Refused[^]*admin-allow-writes/.test(await text(reply)));
    assert.match(data(['EXISTS written']), /0/);
    let detail = await key(page, 'text');
    assert.equal(await detail.getByRole('button', { name: 'Delete' }).count(), 0);
    assert.equal(await detail.getByRole('button', { name: 'Edit' }).count(), 0);
    data(['CONFIG SET admin-allow-writes yes']);
    await go(page, 'run');
    reply = await command(page, 'SET written 1');
    await until('OK', async () => (await text(reply.locator('.body'))) === 'OK');
    assert.match(data(['GET written']), /1/);
    detail = await key(page, 'text');
    await detail.getByRole('button', { name: 'Edit' }).click();
    await detail.getByLabel('Value').fill('other words');
    await detail.getByRole('button', { name: 'Save' }).click();
    await until('it is saved', async () => (await text(detail.locator('pre'))) === 'other words');
    detail = await key(page, 'hash');
    await detail.getByLabel('Field', { exact: true }).fill('added');
    await detail.getByLabel('Value', { exact: true }).fill('by hand');
    await detail.getByRole('button', { name: 'Add' }).click();
    await until('a field more', async () => /251/.test(await text(detail.locator('.measures'))));
    detail = await key(page, 'written');
    await detail.getByRole('button', { name: 'Delete' }).click();
    await detail.getByRole('button', { name: 'Delete for good?' }).click();
    await page.getByText('This key is gone').waitFor();
    data(['CONFIG SET admin-allow-writes no']);
  },

  async 'the slow log, by stage'({ page }) {
    data(['CONFIG SET slowlog-log-slower-than 0', `GET "${HOSTILE}"`, 'CONFIG SET slowlog-log-slower-than 10000000']);
    await go(page, 'slow');
    await page.locator('#view-slow td.mono', { hasText: HOSTILE }).first().waitFor();
    assert.ok((await page.locator('#view-slow .stages i').count()) > 0);
    await page.getByRole('button', { name: 'Took' }).click();
    const row = page.locator('#view-slow tr.open').first();
    await row.focus();
    await page.keyboard.press('Enter');
    await page.locator('#view-slow td.more').waitFor();
    assert.match(await text(page.locator('#view-slow td.more')), /Execute/);
  },

  async 'hot and big keys lead to the keys'({ page }) {
    await go(page, 'hot');
    const tables = page.locator('.pair .card');
    await until('there are some of both', async () => (await tables.nth(0).locator('tbody tr').count()) > 0 && (await tables.nth(1).locator('tbody tr').count()) > 0);
    await tables.nth(1).locator('button.link').first().click();
    await page.locator('.key-head h2').waitFor();
  },

  async 'clients, those of the load among them'({ page }) {
    await go(page, 'clients');
    await until('they are listed', async () => (await page.locator('#view-clients tr.open').count()) >= 8);
    await page.getByLabel('Filter clients').fill('set');
    await page.locator('#view-clients tr.open').first().click();
    assert.match(await text(page.locator('#view-clients td.more')), /laddr[^]*127\.0\.0\.1/);
  },

  async 'the configuration: search, documentation, what differs'({ page }) {
    await go(page, 'config');
    await page.locator('.setting').first().waitFor();
    assert.ok((await page.locator('.setting').count()) > 50);
    await page.getByLabel('Search the configuration').fill('admin-port');
    const row = page.locator('.setting.changed', { hasText: 'admin-port' }).first();
    await row.waitFor();
    assert.match(await text(row), new RegExp(`${process.env.DUNLIN_ADMIN_PORT}[^]*default: 0`));
    assert.ok((await text(row.locator('p'))).length > 20);
    await page.getByLabel('Search the configuration').fill('');
    await page.getByLabel('only what differs').check();
    await until('all are marked', async () => (await page.locator('.setting').count()) === (await page.locator('.setting.changed').count()));
  },

  async 'by keyboard: views, tabs, search, help, theme'({ page }) {
    await go(page, 'overview');
    await page.keyboard.press('Escape');
    await page.keyboard.press('5');
    await until('the fifth view', async () => (await page.title()).startsWith('Config'));
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Search the configuration');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await until('help is closed', async () => (await page.getByRole('dialog').count()) === 0);
    await page.locator('#tab-config').focus();
    await page.keyboard.press('ArrowDown');
    await until('the next tab', async () => (await page.title()).startsWith('Keys'));
    assert.equal(await page.locator('#tab-keys').getAttribute('aria-selected'), 'true');
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const before = await theme();
    await page.keyboard.press('t');
    assert.notEqual(await theme(), before);
    await page.keyboard.press('t');
  },

  async 'the system says dark or light'({ context, watch }) {
    for (const colorScheme of ['dark', 'light']) {
      const other = await context.browser().newContext({ colorScheme });
      const page = await other.newPage();
      watch.page(page);
      await page.goto(`${ORIGIN}/`);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(Number(/\d+/.exec(ground)[0]) < 128, colorScheme === 'dark');
      await other.close();
    }
  },

  async 'no view of a phone scrolls sideways'({ context, watch }) {
    const phone = await context.browser().newContext({ viewport: { width: 360, height: 740 }, hasTouch: true });
    const page = await phone.newPage();
    watch.page(page);
    const names = ['hash', 'stream', 'bytes', 'large', HOSTILE].map((name) => `keys/0/${encodeURIComponent(JSON.stringify(name))}`);
    for (const view of [...VIEWS, ...names]) {
      await page.goto(`${ORIGIN}/#${view}`);
      await page.waitForTimeout(700);
      const width = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth));
      assert.ok(width <= 360, `${view} is ${width} px wide`);
    }
    await phone.close();
  },

  async 'a server that goes away is told of, and taken up again'({ page, context, watch }) {
    watch.excuse('ERR_INTERNET_DISCONNECTED');
    await go(page, 'overview');
    await context.setOffline(true);
    await page.locator('.notice', { hasText: 'The server does not answer' }).waitFor();
    assert.equal(await text(page.locator('.head .state')), 'no answer');
    await context.setOffline(false);
    await page.locator('.head .state.up').waitFor();
    assert.equal(await page.locator('.notice').isVisible(), false);
  },

  async 'a token is asked for, and kept for this tab only'({ context, watch }) {
    watch.excuse('401');
    const page = await context.newPage();
    watch.page(page);
    await page.goto(`${TOKEN_ORIGIN}/`);
    await page.getByLabel('Token', { exact: true }).last().fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('does not take this token').waitFor();
    await page.getByLabel('Token', { exact: true }).last().fill(process.env.DUNLIN_TOKEN);
    await page.keyboard.press('Enter');
    await page.locator('.head .state.up').waitFor();
    const kept = await page.evaluate(() => [Object.values({ ...localStorage }).join(), document.cookie, location.href].join());
    assert.ok(!kept.includes(process.env.DUNLIN_TOKEN));
    await page.reload();
    await page.locator('.head .state.up').waitFor();
    await page.close();
  },
};

/// The picture of docs/console.png.
async function picture(page) {
  const slow = setInterval(() => data(['SORT list ALPHA', 'KEYS *']), 400);
  await page.goto(`${ORIGIN}/`);
  await page.getByRole('radio', { name: '1 min' }).check({ force: true });
  await page.waitForTimeout(PICTURE_MS);
  clearInterval(slow);
  await page.screenshot({ path: process.env.DUNLIN_SCREENSHOT });
}

async function main() {
  seed();
  const loads = [load(['-c', '8', '-t', 'set,get'])];
  if (process.env.DUNLIN_SCREENSHOT) loads.push(load(['-c', '20', '-P', '8', '-t', 'hset,zadd,get']));
  const chrome = await browser();
  let failed = 0;
  try {
    const context = await chrome.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: process.env.DUNLIN_SCREENSHOT ? 'dark' : 'light' });
    const page = await context.newPage();
    const watch = new Watch([ORIGIN, TOKEN_ORIGIN]);
    watch.page(page);
    if (process.env.DUNLIN_SCREENSHOT) await picture(page);
    else failed = await run(checks, { page, context, watch });
  } finally {
    await chrome.close();
    for (const one of loads) one.kill();
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
