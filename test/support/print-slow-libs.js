'use strict';

/**
 * Loads the built program and prints the libs whose exported names V8 keeps in a dictionary, a line
 * each. The index.ts of kernel tells when it does so.
 */
const { readdirSync } = require('node:fs');
const { join } = require('node:path');
const { setFlagsFromString } = require('node:v8');

setFlagsFromString('--allow-natives-syntax');
const hasFastNames = new Function('exported', 'return %HasFastProperties(exported)');
const dist = join(__dirname, '../../dist');
require(join(dist, 'apps/gateway/src/start-gateway.js'));
for (const lib of readdirSync(join(dist, 'libs'))) {
  const loaded = require.cache[join(dist, 'libs', lib, 'src/index.js')];
  if (loaded !== undefined && !hasFastNames(loaded.exports)) console.log(lib);
}
