import { WeirError } from '@weir/kernel';
import { ConfigurationError, DataDirectoryInUseError, describeError, readEnvironment, scrubSecrets } from '@weir/platform';
import { KeyRingError } from '@weir/vault';

export const SUCCEEDED = 0;
export const FAILED = 1;
/** As shells and most programs use it: the command line was wrong, and nothing was done. */
export const WRONG_USAGE = 2;

/** The command line is wrong. The message says how it should read. */
export class UsageError extends Error {}

/** What a script is given, and where it speaks. */
export interface ScriptInput {
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** The answer, on stdout. */
  readonly print: (text: string) => void;
  /** Progress and faults, on stderr. */
  readonly tell: (text: string) => void;
}

/** A script's work; answers the exit code. */
export type ScriptWork = (input: ScriptInput) => Promise<number>;

/** Runs a script as the process's whole purpose. */
export async function runScript(name: string, work: ScriptWork): Promise<void> {
  process.exitCode = await toExitCode(name, work, {
    args: process.argv.slice(2),
    environment: readEnvironment(),
    print: (text) => process.stdout.write(text),
    tell: (text) => process.stderr.write(text),
  });
}

/** A failure is one line and an exit code, never a stack with what was at hand. */
export async function toExitCode(name: string, work: ScriptWork, input: ScriptInput): Promise<number> {
  try {
    return await work(input);
  } catch (error) {
    input.tell(`${name}: ${toFailureLine(error)}\n`);
    return error instanceof UsageError ? WRONG_USAGE : FAILED;
  }
}

/** Our own errors are written for people. What others throw may quote a row or a URL: it is described. */
function toFailureLine(error: unknown): string {
  const isOurs =
    error instanceof UsageError ||
    error instanceof WeirError ||
    error instanceof ConfigurationError ||
    error instanceof DataDirectoryInUseError ||
    error instanceof KeyRingError;
  if (isOurs) return scrubSecrets(error.message);
  const { type, code, message } = describeError(error);
  return [type, code, message].filter((part) => part !== undefined).join(': ');
}
