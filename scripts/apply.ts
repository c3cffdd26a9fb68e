import 'reflect-metadata';
import { systemClock } from '@weir/kernel';
import { ConfigurationError, getEncryptionKeys } from '@weir/platform';
import { KeyRing, UpstreamKeyVault } from '@weir/vault';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { applyDeclaration } from '../apps/gateway/src/apply/apply-declaration';
import { type ApplyReport, toDifferenceText } from '../apps/gateway/src/apply/difference';
import { parseWeirFile } from '../apps/gateway/src/apply/parse-weir-file';
import { readFileText } from '../apps/gateway/src/apply/read-file-text';
import { runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';
import { withDatabase } from './with-database';

const USAGE = 'usage: apply <weir.yaml> [--dry-run [--fail-on-difference]] [--prune]';

/** Of `--dry-run --fail-on-difference`: the database is not as the file says. Neither a failure nor a wrong command line. */
export const DIFFERS = 3;

interface Arguments {
  readonly path: string;
  readonly isDryRun: boolean;
  readonly failsOnDifference: boolean;
  readonly prunes: boolean;
}

/**
 * Makes the database as weir.yaml says, and prints the difference. Run again it finds nothing to
 * change. With `--dry-run` nothing is changed; with `--prune` what a file made and this one does not
 * name is deleted. Never prints a secret.
 */
export async function apply({ args, environment, print }: ScriptInput): Promise<number> {
  const { path, isDryRun, failsOnDifference, prunes } = parseArguments(args);
  const name = basename(path);
  const text = await readFileText(path, name);
  if (text === null) throw new ConfigurationError(`there is no file ${path}`);
  const declaration = await parseWeirFile(text, name, environment);
  const report = await withDatabase(environment, async ({ configuration, server, dataSource }) => {
    const ring = KeyRing.parse(await getEncryptionKeys(configuration, server.dataDirectory));
    const parts = { dataSource, clock: systemClock, vault: new UpstreamKeyVault(dataSource.manager, ring) };
    return applyDeclaration(declaration, parts, { isDryRun, prunes });
  });
  print(toAnswer(report, isDryRun));
  return failsOnDifference && report.differences.length > 0 ? DIFFERS : SUCCEEDED;
}

function toAnswer(report: ApplyReport, isDryRun: boolean): string {
  const done = isDryRun ? 'Nothing was changed: this is what apply would do.\n' : 'Applied.\n';
  return toDifferenceText(report) + (report.differences.length === 0 ? '' : done);
}

function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = readOptions(args);
  const { 'dry-run': isDryRun = false, 'fail-on-difference': failsOnDifference = false, prune: prunes = false } = values;
  const [path, ...others] = positionals;
  if (path === undefined || path === '' || others.length > 0 || (failsOnDifference && !isDryRun)) throw new UsageError(USAGE);
  return { path, isDryRun, failsOnDifference, prunes };
}

function readOptions(args: readonly string[]) {
  const options = { 'dry-run': { type: 'boolean' }, 'fail-on-difference': { type: 'boolean' }, prune: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch {
    throw new UsageError(USAGE);
  }
}

if (require.main === module) void runScript('apply', apply);
