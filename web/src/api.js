// The server's JSON API. Invariant: only paths of this origin are asked for; the token lives in sessionStorage and goes out in a header alone.

const TOKEN = 'dunlin-token';
/// A reading that takes longer than this counts as no answer.
const LIMIT_MS = 15000;

/// What the server said instead of an answer. `status` is 0 where it said nothing.
export class Trouble extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

let onUnauthorized = () => Promise.reject(new Trouble('A token is needed.', 401));

/// Says whom to ask for a token; it resolves once there is one.
export function askForTokenBy(ask) {
  onUnauthorized = ask;
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

async function request(path, options) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = { ...options.headers };
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    let text;
    try {
      response = await fetch(path, {
        ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(LIMIT_MS),
      });
      text = await response.text();
    } catch {
      throw new Trouble('The server does not answer. It may be starting, stopped, or out of reach from here.', 0);
    }
    if (response.status === 401) {
      await onUnauthorized(token !== null);
      continue;
    }
    const answer = parsed(text);
    if (response.ok && answer !== undefined) return answer;
    throw new Trouble(answer?.error ?? `The server answered ${response.status} to ${path}.`, response.status);
  }
}

/// JSON with whole numbers kept whole: those beyond 2^53 become BigInt, where the browser shows us their letters.
function parsed(text) {
  try {
    return JSON.parse(text, (_, value, context) => {
      const large = typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '');
      return large ? BigInt(context.source) : value;
    });
  } catch {
    return undefined;
  }
}

/// Reads a path.
export function get(path) {
  return request(path, { method: 'GET' });
}

/// Runs a command and returns its reply with its types.
export async function run(db, words) {
  const body = JSON.stringify({ db, arguments: words });
  const answer = await request('/api/command', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  return answer.reply;
}

/// Runs a command and returns its reply as plain values; an error reply is thrown.
export async function call(db, ...words) {
  return plain(await run(db, words.map((word) => (typeof word === 'number' ? String(word) : word))));
}

/// A reply without its types: arrays, and pairs in an array for a map.
export function plain(reply) {
  if (reply.type === 'error') throw new Trouble(reply.value, 200);
  if (reply.type === 'map') return pairsOf(reply).map(([name, value]) => [plain(name), plain(value)]);
  if (Array.isArray(reply.value)) return reply.value.map(plain);
  return reply.value;
}

/// The pairs of a map's reply.
export function pairsOf(reply) {
  return reply.value.map((pair) => (Array.isArray(pair) ? pair : [pair.key, pair.value]));
}
