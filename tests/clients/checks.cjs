// Runs checks for every kind of connection, prints a line for each and `N passed, M failed` at the end.
'use strict';

// Longer than any check takes; one that waits for ever fails.
const LIMIT_MS = 20000;

async function limited(promise, name) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} takes longer than ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

// A kind has `name`, `connect(options)`, `close(client)` and `flush(client)`; a check takes a client and `connect`.
async function run(kinds, checks) {
  let passed = 0;
  let failed = 0;
  for (const kind of kinds) {
    for (const [check, body] of Object.entries(checks)) {
      const name = `${kind.name}: ${check}`;
      try {
        const client = await kind.connect();
        await kind.flush(client);
        await limited(body(client, kind.connect), name);
        await kind.close(client);
        passed += 1;
        console.log(`ok ${name}`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED ${name}\n${error.stack}`);
      }
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

module.exports = { run };
