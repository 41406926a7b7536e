// The frame: views as tabs, the head, the readings once a second, shortcuts, the token, the theme.

import { Trouble, askForTokenBy, get, keepToken } from './api.js';
import { themeChanged } from './charts/canvas.js';
import { button, el, fill, icon } from './dom.js';
import { span } from './format.js';
import { readCommands, readSettings, state } from './state.js';
import { clientsView } from './views/clients.js';
import { configurationView } from './views/configuration.js';
import { hotView } from './views/hot.js';
import { keysView } from './views/keys.js';
import { overviewView } from './views/overview.js';
import { runnerView } from './views/runner.js';
import { slowLogView } from './views/slowlog.js';

const READ_EVERY_MS = 1000;
/// While nobody answers it is tried less often, up to this.
const RETRY_MAX_MS = 8000;
const THEME = 'dunlin-theme';

const VIEWS = [
  ['overview', 'Overview', overviewView, 'M2 15l4-6 4 3 4-8 4 6M2 18h16'],
  ['slow', 'Slow log', slowLogView, 'M10 5v5l3 2M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16z'],
  ['hot', 'Hot & big', hotView, 'M10 2c1 4 5 5 5 10a5 5 0 0 1-10 0c0-2 1-3 2-4 0 2 1 3 2 3 1-3-1-5 1-9z'],
  ['clients', 'Clients', clientsView, 'M7 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3 2-5 5-5s5 2 5 5M13 9a3 3 0 0 0 0-6M15 12c2 1 3 3 3 5'],
  ['config', 'Config', configurationView, 'M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4'],
  ['keys', 'Keys', keysView, 'M3 5h14M3 10h14M3 15h9'],
  ['run', 'Run', runnerView, 'M3 5l5 5-5 5M10 15h7'],
].map(([id, title, make, path], at) => ({ id, title, make, path, digit: String(at + 1), view: null, tab: null, panel: null }));

const status = el('span', { class: 'state' }, el('i', { 'aria-hidden': 'true' }), el('span', {}, 'connecting'));
const notice = el('div', { class: 'notice', role: 'alert', hidden: true });
const title = el('h1', {}, '');
const foot = el('div', { class: 'foot' });
const pause = el('button', { type: 'button', 'aria-pressed': 'false', title: 'Hold the charts (p)', on: { click: togglePause } },
  icon('M7 4v12M13 4v12'), el('span', {}, 'Pause'));
let current = null;

function frame() {
  const tabs = el('div', { class: 'views', role: 'tablist', 'aria-label': 'Views', 'aria-orientation': 'vertical', on: { keydown: moveTab } });
  const main = el('main', {}, notice);
  for (const entry of VIEWS) {
    entry.tab = el('button', {
      type: 'button', role: 'tab', id: `tab-${entry.id}`, 'aria-controls': `view-${entry.id}`, 'aria-selected': 'false', tabindex: '-1',
      on: { click: () => go(entry.id) },
    }, icon(entry.path), el('span', {}, entry.title), el('kbd', { 'aria-hidden': 'true' }, entry.digit));
    entry.panel = el('section', { role: 'tabpanel', id: `view-${entry.id}`, 'aria-labelledby': `tab-${entry.id}`, hidden: true });
    tabs.append(entry.tab);
    main.append(entry.panel);
  }
  const bird = icon('M2 13c3-1 4-6 8-6 2 0 3 1.5 6.5 1.5-2 .8-3 .8-3.6 2.8-.8 2.8-3.6 3.6-6.4 2.9-1.5 0-3 0-4.5-1.2z');
  const tools = el('div', { class: 'tools' }, pause,
    el('button', { type: 'button', title: 'Dark or light (t)', on: { click: toggleTheme } }, icon('M10 3a7 7 0 1 0 0 14zM10 3v14M10 3a7 7 0 0 1 0 14'), el('span', {}, 'Theme')),
    el('button', { type: 'button', title: 'Keys of the console (?)', on: { click: help } }, icon('M7.5 7.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .7-1 1.7M10 14.5v.1M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16z'), el('span', {}, 'Help')));
  fill(document.getElementById('app'),
    el('nav', { class: 'side', 'aria-label': 'Console' }, el('div', { class: 'brand' }, bird, el('strong', {}, 'Dunlin')), tabs, foot),
    el('header', { class: 'head' }, title, status, tools),
    main);
}

/// Arrow keys move along the tabs, as assistive technology expects of a tab list.
function moveTab(event) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = VIEWS.findIndex((entry) => entry.tab === document.activeElement);
  const next = VIEWS[(at + step + VIEWS.length) % VIEWS.length];
  go(next.id);
  next.tab.focus();
}

function go(id, rest = '') {
  location.hash = rest ? `${id}/${rest}` : id;
}

/// Shows the view that the address names; what stands behind its name is for the view.
function route() {
  const [id, ...rest] = location.hash.slice(1).split('/');
  const next = VIEWS.find((entry) => entry.id === id) ?? VIEWS[0];
  if (current !== next) {
    if (current) {
      current.view.hide?.();
      current.panel.hidden = true;
      current.tab.setAttribute('aria-selected', 'false');
      current.tab.tabIndex = -1;
    }
    if (!next.view) {
      next.view = next.make({ go });
      next.panel.append(next.view.element);
    }
    current = next;
    next.panel.hidden = false;
    next.tab.setAttribute('aria-selected', 'true');
    next.tab.tabIndex = 0;
    title.textContent = next.title;
    document.title = `${next.title} · Dunlin`;
  }
  next.view.show?.(rest);
}

function togglePause() {
  state.paused = !state.paused;
  pause.setAttribute('aria-pressed', String(state.paused));
  pause.lastChild.textContent = state.paused ? 'Go on' : 'Pause';
  tellStatus(true);
  if (!state.paused) current.view.sample?.();
}

function toggleTheme() {
  const root = document.documentElement;
  setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark');
  localStorage.setItem(THEME, root.dataset.theme);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  themeChanged();
}

function followTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const chosen = () => localStorage.getItem(THEME) ?? (dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', () => setTheme(chosen()));
  setTheme(chosen());
}

/// A dialog that closes with Escape and gives the focus back to where it was.
function dialog(label, ...children) {
  const box = el('dialog', { 'aria-label': label }, children);
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

function help() {
  const keys = [
    ['1 – 7', 'the views, in their order'],
    ['/', 'to the search or the prompt of this view'],
    ['r', 'read this view again'],
    ['p', 'hold the charts, and go on'],
    ['← →', 'on a chart: move along its time'],
    ['↑ ↓', 'in the prompt: earlier commands; Tab completes'],
    ['t', 'dark or light'],
    ['?', 'this'],
    ['Esc', 'close, or leave a field'],
  ];
  const box = dialog('Keys of the console', el('h2', {}, 'Keys of the console'),
    el('dl', { class: 'keys' }, keys.map(([key, what]) => [el('dt', {}, el('kbd', {}, key)), el('dd', {}, what)])),
    el('p', { class: 'row' }, button('Close', () => box.close(), { class: 'main' })));
}

let asking = null;

/// Asks for the token, once however many requests wait for it.
function askForToken(wasWrong) {
  asking ??= new Promise((resolve) => {
    const input = el('input', { type: 'password', autocomplete: 'off', required: true, 'aria-label': 'Token', autofocus: true });
    const form = el('form', {
      method: 'dialog',
      on: {
        submit: () => {
          keepToken(input.value.trim());
          asking = null;
          resolve();
        },
      },
    },
    el('p', {}, wasWrong ? 'The server does not take this token.' : 'This server wants a token: the value of admin-token in its configuration.'),
    input,
    el('p', { class: 'hint' }, 'It is kept until this tab is closed.'),
    el('div', { class: 'row' }, el('button', { class: 'main' }, 'Open the console')));
    const box = dialog('Token', el('h2', {}, 'Token'), form);
    box.addEventListener('cancel', (event) => event.preventDefault());
  });
  return asking;
}

function shortcuts(event) {
  const typing = event.target.closest?.('input:not([type="radio"], [type="checkbox"]), textarea, select');
  if (event.key === 'Escape' && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return undefined;
  const entry = VIEWS.find(({ digit }) => digit === event.key);
  const act = entry ? () => go(entry.id) : {
    '/': () => current.view.search?.(),
    r: () => current.view.refresh?.(),
    p: togglePause,
    t: toggleTheme,
    '?': help,
  }[event.key];
  if (!act) return undefined;
  event.preventDefault();
  return act();
}

function tellStatus(up) {
  status.className = `state ${!up ? 'down' : state.paused ? 'paused' : 'up'}`;
  status.lastChild.textContent = !up ? 'no answer' : state.paused ? 'charts held' : 'live';
}

/// Reads the statistics for ever, one at a time.
async function read() {
  let wait = READ_EVERY_MS;
  for (;;) {
    const began = performance.now();
    try {
      const stats = await get('/api/stats');
      const anew = state.history.last && stats.uptime_s < state.history.last.uptime_s;
      state.history.push(stats);
      tellStatus(true);
      notice.hidden = true;
      wait = READ_EVERY_MS;
      const { version, mode, uptime_s: uptime } = stats;
      fill(foot, el('div', {}, `Dunlin ${version}, ${mode}`), el('div', {}, `up ${span(uptime)}`));
      if (anew) readSettings().catch(() => {});
      if (!state.paused) current.view.sample?.();
    } catch (error) {
      if (!(error instanceof Trouble)) console.error(error);
      tellStatus(false);
      notice.textContent = error.message;
      notice.hidden = false;
      wait = Math.min(RETRY_MAX_MS, wait * 2);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(50, wait - (performance.now() - began))));
  }
}

askForTokenBy(askForToken);
followTheme();
frame();
addEventListener('hashchange', route);
addEventListener('keydown', shortcuts);
route();
read();
readCommands().catch(() => {});
readSettings().catch(() => {});
