// What the views know in common: the readings, the tables of commands and of configuration, and whether writes are allowed.

import { get } from './api.js';
import { History } from './history.js';

export const state = {
  history: new History(),
  commands: [],
  settings: [],
  writes: false,
  databases: 16,
  paused: false,
};

/// Reads the configuration again: it says whether writes are allowed, and how many databases there are.
export async function readSettings() {
  state.settings = await get('/api/config');
  const value = (name) => state.settings.find((setting) => setting.name === name)?.value;
  state.writes = value('admin-allow-writes') === 'yes';
  state.databases = Number(value('databases')) || 16;
  return state.settings;
}

/// The command table, read once.
export async function readCommands() {
  if (state.commands.length === 0) {
    const commands = await get('/api/commands');
    state.commands = commands.map((command) => ({ ...command, name: command.name.replace('|', ' ') }));
  }
  return state.commands;
}

/// What to do to be allowed to write.
export const HOW_TO_ALLOW = 'The console is read-only. CONFIG SET admin-allow-writes yes on the data port allows changes.';
