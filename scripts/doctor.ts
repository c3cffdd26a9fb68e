import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Clock, systemClock } from '@weir/kernel';
import { ConfigurationError, loadConfiguration } from '@weir/platform';
import { checkAddress } from './doctor/check-address';
import { checkFiles } from './doctor/check-files';
import { checkPostgres } from './doctor/check-postgres';
import { checkRedis } from './doctor/check-redis';
import { checkSettings } from './doctor/check-settings';
import { type Finding, good, warning, wrong } from './doctor/finding';
import { FAILED, runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';

const USAGE = 'usage: doctor [--url https://weir.example.com] [--quiet]';
/** For a thousand streams, each with two connections. */
const FEWEST_FILES = 4096;
const MARKS = { good: 'good   ', warning: 'warning', wrong: 'WRONG  ' } as const;

/** Where it looks besides the settings. */
export interface DoctorPlace {
  readonly clock: Clock;
  readonly workingFolder: string;
  readonly userId: number;
}

/**
 * Looks at an installation from inside and says what is wrong and how to mend it. Changes nothing. Run it
 * as the user, in the folder and with the environment of Weir itself.
 * @returns 1 when something is wrong, 0 when there are only warnings
 */
export async function doctor({ args, environment, print }: ScriptInput, { clock, workingFolder, userId }: DoctorPlace): Promise<number> {
  const { url, quiet = false } = parseArguments(args);
  const findings = [...(await examine(environment, clock, workingFolder, userId)), ...(url === undefined ? [] : await checkAddress(url, clock))];
  for (const { level, what, mend } of findings) {
    if (quiet && level === 'good') continue;
    print(`${MARKS[level]}  ${what}\n${mend === undefined ? '' : `           ${mend}\n`}`);
  }
  const wrongs = findings.filter(({ level }) => level === 'wrong').length;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  print(`${wrongs} wrong, ${warnings} warnings, ${findings.length - wrongs - warnings} good.\n`);
  return wrongs > 0 ? FAILED : SUCCEEDED;
}

async function examine(environment: NodeJS.ProcessEnv, clock: Clock, workingFolder: string, userId: number): Promise<Finding[]> {
  try {
    const configuration = loadConfiguration(environment);
    return [
      ...checkSettings(configuration),
      ...(await checkFiles(configuration, workingFolder, userId)),
      ...(await checkPostgres(configuration, clock)),
      ...(await checkRedis(configuration, clock)),
      ...checkUser(userId),
      ...(await checkOpenFiles()),
    ];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return [wrong(error.message, 'without this Weir does not start; .env.example explains every variable')];
  }
}

function checkUser(userId: number): Finding[] {
  return [userId === 0 ? warning('this runs as root', 'let Weir run as a user of its own, who owns the data folder and nothing else') : good('this does not run as root')];
}

/** Only Linux says so; elsewhere nothing is said. */
async function checkOpenFiles(): Promise<Finding[]> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1];
  if (limit === undefined) return [];
  return [Number(limit) < FEWEST_FILES ? warning(`a process may open ${limit} files only`, 'raise it (LimitNOFILE=65536 in systemd): a stream takes two') : good('a process may open enough files')];
}

function parseArguments(args: readonly string[]): { url?: string; quiet?: boolean } {
  try {
    const { values } = parseArgs({ args: [...args], options: { url: { type: 'string' }, quiet: { type: 'boolean' } } });
    if (values.url !== undefined && !/^https?:$/.test(new URL(values.url).protocol)) throw new UsageError(USAGE);
    return values;
  } catch {
    throw new UsageError(USAGE);
  }
}

const HERE = (): DoctorPlace => ({ clock: systemClock, workingFolder: process.cwd(), userId: process.getuid?.() ?? 0 });

if (require.main === module) void runScript('doctor', (input) => doctor(input, HERE()));
