import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ProxyKeyId, uuidV7 } from '@weir/kernel';

export type IdempotentCommand =
  | { readonly kind: 'begin'; readonly keyId: ProxyKeyId; readonly name: string; readonly requestId: string; readonly body: string }
  | { readonly kind: 'finish'; readonly requestId: string; readonly answer: string };

interface Said {
  readonly requestId: string;
  readonly outcome: string;
}

/** Another process that holds Idempotency-Keys in the same database. */
export class IdempotentProcess {
  private readonly waiting = new Map<string, (outcome: string) => void>();

  private constructor(private readonly child: ChildProcess) {
    child.on('message', ({ requestId, outcome }: Said) => this.waiting.get(requestId)?.(outcome));
  }

  static async start(url: string, ring: string, { leaseMs = 60_000, heartbeatMs = 20_000 } = {}): Promise<IdempotentProcess> {
    const child = fork(join(__dirname, 'serve-idempotent-calls.ts'), [url, ring, String(leaseMs), String(heartbeatMs)], {
      execArgv: ['--require', join(__dirname, 'typescript-hook.js')],
    });
    const started = new IdempotentProcess(child);
    await new Promise<void>((resolve, reject) => {
      started.waiting.set('', () => resolve());
      child.once('exit', () => reject(new Error('the process ended before it was ready')));
    });
    return started;
  }

  /** @returns the request's id, and `run`, `replay <id of the first> <body>` or an error's code */
  async begin(keyId: ProxyKeyId, name: string, body: string): Promise<Said> {
    const requestId = uuidV7(Date.now());
    const outcome = new Promise<string>((resolve) => this.waiting.set(requestId, resolve));
    this.send({ kind: 'begin', keyId, name, requestId, body });
    return { requestId, outcome: await outcome };
  }

  finish(requestId: string, answer: string): void {
    this.send({ kind: 'finish', requestId, answer });
  }

  /** By SIGKILL: nothing of it is told to anybody. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  private send(command: IdempotentCommand): void {
    this.child.send(command);
  }
}
