// `node --require test/support/typescript-hook.js some.ts`: runs a TypeScript file of this
// repository in a process of its own, compiled as Jest compiles it. For tests of what only whole
// processes do: dying, and meeting each other.
const { readFileSync } = require('node:fs');
const { transformSync } = require('@swc/core');
const { transform } = require('../../jest.config.js');

const [, options] = Object.values(transform)[0];

require.extensions['.ts'] = (module, filename) => {
  module._compile(transformSync(readFileSync(filename, 'utf8'), { ...options, filename }).code, filename);
};
