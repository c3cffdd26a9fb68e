import { createDataSource, toErrorCode } from '@weir/platform';
import { KeyRing } from '@weir/vault';
import { Idempotency, type IdempotencyGuard } from '../../apps/gateway/src/data-plane/idempotency/idempotency';
import { type AnswerCapture } from '../../apps/gateway/src/data-plane/idempotency/answer-capture';
import { IdempotencyStore } from '../../apps/gateway/src/data-plane/idempotency/idempotency-store';
import { type IdempotentCommand } from './idempotent-process';

/** A process that begins and ends requests with an Idempotency-Key as its parent says; see idempotent-process.ts. */
async function main(): Promise<void> {
  const [, , url, ring, leaseMs, heartbeatMs] = process.argv;
  const dataSource = createDataSource(url, 4, []);
  await dataSource.initialize();
  const idempotency = new Idempotency({
    store: new IdempotencyStore(dataSource, { leaseMs: Number(leaseMs), retentionMs: 60_000 }),
    ring: KeyRing.parse(ring),
    logger: { info: () => undefined, warn: () => undefined },
    heartbeatMs: Number(heartbeatMs),
    databaseTimeoutMs: 10_000,
  });
  const captures = new Map<string, AnswerCapture>();
  process.on('message', (command: IdempotentCommand) => {
    if (command.kind === 'finish') {
      const capture = captures.get(command.requestId);
      capture?.head(200, ['content-type', 'application/json', 'x-request-id', command.requestId]);
      capture?.chunk(Buffer.from(command.answer));
      capture?.finish({ isWhole: true, attempts: 1 });
      return;
    }
    const { keyId, name, requestId, body } = command;
    const request = { method: 'POST', url: '/v1/chat/completions', rawHeaders: ['idempotency-key', name] };
    idempotency.begin({ request, keyId, requestId, body: Buffer.from(body) }).then(
      (guard: IdempotencyGuard) => {
        if (guard.kind === 'run') captures.set(requestId, guard.capture);
        process.send?.({ requestId, outcome: guard.kind === 'run' ? 'run' : `replay ${guard.requestId} ${guard.body.toString()}` });
      },
      (error: unknown) => process.send?.({ requestId, outcome: toErrorCode(error) ?? 'error' }),
    );
  });
  process.send?.({ requestId: '', outcome: 'ready' });
}

void main();
