// Runs the import rules and fails when the tool has read nothing: with an unsupported TypeScript
// it reads 0 modules and reports success.
const { execFileSync } = require('node:child_process');
const { readdirSync } = require('node:fs');

const sources = readdirSync('.', { recursive: true, withFileTypes: true }).filter(
  (entry) =>
    entry.isFile() && /^(apps|libs|migrations|scripts|test|bench)(\/|$)/.test(entry.parentPath) && entry.name.endsWith('.ts'),
).length;

let output;
try {
  output = execFileSync(
    process.execPath,
    ['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.js', '--output-type', 'err', 'apps', 'libs', 'migrations', 'scripts', 'test', 'bench'],
    { encoding: 'utf8' },
  );
} catch (error) {
  process.stdout.write(error.stdout ?? String(error));
  process.exit(1);
}
process.stdout.write(output);
const read = Number(/\((\d+) modules/.exec(output)?.[1] ?? 0);
if (read < sources) {
  process.stderr.write(`import rules: read ${read} modules, but there are ${sources} source files\n`);
  process.exit(1);
}
