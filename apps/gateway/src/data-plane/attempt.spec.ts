import { type Candidate, type TransportController } from '@weir/upstreams';
import { Attempt } from './attempt';
import { type PreparedCall } from './prepared-call';
import { type RelayCall } from './relay-call';

const call = { monotonicMs: () => 0 } as unknown as RelayCall;
const candidate = { target: { upstream: { provider: 'openai' } } } as unknown as Candidate;
const prepared = { format: 'openai-chat' } as unknown as PreparedCall;
const controller = { abort: () => undefined } as unknown as TransportController;

describe('an attempt whose time is over', () => {
  it('is charged to the endpoint, and not to the key, while there is no connection', async () => {
    const attempt = new Attempt(call, candidate, 1, prepared);
    const result = attempt.run(() => undefined);
    attempt.expire();
    expect(await result).toMatchObject({ kind: 'failed', failure: { failureClass: 'endpoint', isTimeout: true } });
  });

  it('is a fault once the request was sent', async () => {
    const attempt = new Attempt(call, candidate, 1, prepared);
    const result = attempt.run((handler) => handler.onRequestStart?.(controller, null));
    attempt.expire();
    expect(await result).toMatchObject({ kind: 'failed', failure: { failureClass: 'fault', isTimeout: true } });
  });
});
