import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from './wait-for';

export interface ProgramOptions {
  /** All of it: nothing is taken from the test's own environment but the PATH. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Only the superuser may say so. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly cwd?: string;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command in a process of its own, as a person starts it from a shell. */
export class Program {
  stdout = '';
  stderr = '';
  end: ProgramEnd | null = null;
  readonly #closed: Promise<unknown>;

  private constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')));
    child.on('close', (code, signal) => (this.end = { code, signal }));
    this.#closed = once(child, 'close');
    this.#closed.catch(() => undefined);
  }

  static start(command: string, args: readonly string[], { environment = {}, user, cwd = process.cwd() }: ProgramOptions = {}): Program {
    const env = { PATH: process.env.PATH, ...environment };
    return new Program(spawn(command, args, { cwd, env, uid: user?.uid, gid: user?.gid, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Runs one to its end. */
  static async run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<Program> {
    const program = Program.start(command, args, options);
    await program.waitForEnd();
    return program;
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the program did not start');
    return pid;
  }

  /** Once it has written something that matches; fails when it ends before. */
  async waitForOutput(pattern: RegExp, timeoutMs = 90_000): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | null => pattern.exec(this.output);
    await waitFor(() => find() !== null || this.end !== null, { what: `${pattern} in what it writes`, timeoutMs });
    const found = find();
    if (found === null) throw new Error(`it ended before it wrote ${pattern}:\n${this.output}`);
    return found;
  }

  async waitForEnd(): Promise<ProgramEnd> {
    await this.#closed;
    if (this.end === null) throw new Error('unreachable: it is closed');
    return this.end;
  }

  /** Sends the signal, unless it has ended, and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProgramEnd> {
    if (this.end === null) this.child.kill(signal);
    return this.waitForEnd();
  }
}

/** Node itself, with a script. */
export function runNode(script: string, args: readonly string[], options: ProgramOptions = {}): Promise<Program> {
  return Program.run(process.execPath, [script, ...args], options);
}
