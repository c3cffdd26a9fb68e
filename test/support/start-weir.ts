import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, type ProgramOptions } from './program';
import { findFreePort } from './find-free-port';

export const MAIN = join('dist', 'apps', 'gateway', 'src', 'main.js');

/** A type and no interface, so that it is an environment, too. */
export type Ports = Readonly<Record<'PORT' | 'ADMIN_PORT' | 'METRICS_PORT', string>>;

/** Starts Weir as a person does, and cleans up behind the tests of a file. */
export class Starter {
  readonly #running: Program[] = [];
  readonly #folders: string[] = [];
  readonly #disks: string[] = [];

  async makeFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-start-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A folder that is a file system of that size; only the superuser may make one. */
  async makeSmallDisk(sizeBytes: number): Promise<string> {
    const folder = await this.makeFolder();
    const mounted = await Program.run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'weir-test', folder]);
    if (mounted.end?.code !== 0) throw new Error(mounted.output);
    this.#disks.push(folder);
    return folder;
  }

  /** `command` stands before node and its script, such as one that changes the user. */
  start(environment: Readonly<Record<string, string>>, options: ProgramOptions = {}, command: readonly string[] = []): Program {
    const [program, ...args] = [...command, process.execPath, MAIN];
    const started = Program.start(program, args, { ...options, environment: { HOST: '127.0.0.1', ...environment } });
    this.#running.push(started);
    return started;
  }

  async startReady(...args: Parameters<Starter['start']>): Promise<Program> {
    const program = this.start(...args);
    await program.waitForOutput(/Weir is ready \([\d.]+ s\)/);
    return program;
  }

  async cleanUp(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.stop()));
    for (const disk of this.#disks) await Program.run('umount', ['--lazy', disk]);
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}

export async function findPorts(): Promise<Ports> {
  const [PORT, ADMIN_PORT, METRICS_PORT] = (await Promise.all([findFreePort(), findFreePort(), findFreePort()])).map(String);
  return { PORT, ADMIN_PORT, METRICS_PORT };
}

/** Somebody else on a port. */
export async function occupyPort(): Promise<{ port: string; server: Server }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: String(address.port), server };
}

/** The end of a program that could not start: one line, and no stack. */
export async function expectRefusedStart(program: Program, text: string | RegExp): Promise<void> {
  const { code } = await program.waitForEnd();
  const lines = program.stderr.split('\n').filter((line) => line !== '');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^weir: /);
  expect(lines[0]).toMatch(text);
  expect(program.output).not.toMatch(/^\s+at /m);
  expect(program.output).not.toContain('Weir is ready');
  expect(code).toBe(1);
}
