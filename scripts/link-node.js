// Runs after every `npm ci`. npm 9, which Debian 12 and 13 have, deletes the link node_modules/.bin/node
// again: it takes it for one of the packages with a Node for other platforms, which it has left out.
// Without it Weir would run on the Node that has only installed it.
const { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } = require('node:fs');
const { join } = require('node:path');
const { optionalDependencies } = require('../package.json');

const modules = join(__dirname, '..', 'node_modules');
const link = join(modules, '.bin', 'node');
const installed = Object.keys(optionalDependencies).find((name) => /^node-/.test(name) && existsSync(join(modules, name, 'bin', 'node')));

// Windows has no links, and an image has one Node of its own (--omit=optional).
if (process.platform !== 'win32' && installed !== undefined && !existsSync(link)) {
  mkdirSync(join(modules, '.bin'), { recursive: true });
  // A link that leads nowhere is there all the same.
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  symlinkSync(join('..', installed, 'bin', 'node'), link);
}
