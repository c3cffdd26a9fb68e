import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { openedKeys, PoolFixture, snapshot, upstream } from '../test/pool-fixture';
import { HealthProber, PROBE_TIMEOUT_MS } from './health-prober';
import { type UpstreamInput } from './pool-snapshot';
import { type TransportHandler, UpstreamTransport } from './upstream-transport';

interface Asked {
  origin: string;
  method: string;
  path: string;
  headers: string[];
  handler: TransportHandler;
}

const CONTROLLER = { abort: () => undefined } as never;

/** A prober over a transport that keeps its questions until the test answers them. */
class ProberFixture {
  readonly asked: Asked[] = [];
  readonly fixture: PoolFixture;
  readonly prober: HealthProber;

  constructor(
    readonly input: UpstreamInput,
    random: () => number = () => 0,
  ) {
    this.fixture = new PoolFixture(snapshot([input], openedKeys(input, 1)), () => 0);
    const { clock, pool } = this.fixture;
    const dispatch: UpstreamTransport['dispatch'] = (origin, method, path, headers, _body, _headersTimeoutMs, _bodyTimeoutMs, handler) => {
      this.asked.push({ origin, method, path, headers, handler });
    };
    this.prober = new HealthProber({ pool, transport: { dispatch }, clock, random, schedule: clock.schedule });
    this.prober.start();
  }

  /** Moves on to the next question and answers it. */
  answer(status: number | 'refused' | 'silent'): void {
    const before = this.asked.length;
    while (this.asked.length === before) this.fixture.clock.move(500);
    const { handler } = this.asked[before];
    if (status === 'refused') handler.onResponseError?.(null as never, Object.assign(new Error(), { code: 'ECONNREFUSED' }));
    else {
      handler.onRequestStart?.(CONTROLLER, {});
      if (status === 'silent') this.fixture.clock.move(PROBE_TIMEOUT_MS);
      else handler.onResponseStart?.(CONTROLLER, status, {}, '');
    }
  }

  answers(...all: (number | 'refused' | 'silent')[]): void {
    for (const status of all) this.answer(status);
  }

  get described() {
    return this.fixture.pool.describe()[0];
  }
}

function probed(options: Record<string, unknown> = { probe_path: '/health' }): UpstreamInput {
  const plain = upstream();
  return { ...plain, address: { ...plain.address, options } };
}

describe('HealthProber', () => {
  it('asks by GET at the host’s root, without a key, every ten seconds at most', () => {
    const fixture = new ProberFixture(probed());
    fixture.answers(200, 200, 200);
    expect(fixture.asked[0]).toMatchObject({ method: 'GET', path: '/health', origin: fixture.input.address.origin });
    expect(JSON.stringify(fixture.asked.map(({ headers }) => headers))).not.toMatch(/authorization|api-key|secret/i);
    const startMs = fixture.fixture.nowMs;
    fixture.answers(200, 200, 200, 200);
    expect((fixture.fixture.nowMs - startMs) / 4).toBe(10_000);
  });

  it.each([
    ['nothing is known of it', {}, 'openai-compatible', 0],
    ['its options say none', { probe_path: '' }, 'tei', 0],
    ['its provider has a place for it', {}, 'tei', 5],
    ['its options name an interval', { probe_path: '/h', probe_interval_ms: 5_000 }, 'openai', 10],
  ] as const)('where %s', (_name, options, provider, expected) => {
    const fixture = new ProberFixture({ ...probed(options), provider });
    for (let second = 0; second < 60; second += 1) {
      fixture.fixture.clock.move(1_000);
      for (const { handler } of fixture.asked) handler.onResponseStart?.(CONTROLLER, 200, {}, '');
    }
    expect(Math.abs(fixture.asked.length - expected)).toBeLessThanOrEqual(1);
  });

  it('never asks twice at once, though the next question is due before the time of the first is over', () => {
    const fixture = new ProberFixture(probed({ probe_path: '/h', probe_interval_ms: 3_000 }), () => 1);
    while (fixture.asked.length === 0) fixture.fixture.clock.move(100);
    fixture.fixture.clock.move(2_900);
    expect(fixture.asked).toHaveLength(1);
  });

  it('opens the breaker when three in a row reach nobody, and refuses at once from then on', () => {
    const fixture = new ProberFixture(probed());
    fixture.answers('refused', 'refused');
    expect(fixture.described.breaker.state).toBe('closed');
    fixture.answer('refused');
    expect(fixture.described.breaker).toMatchObject({ state: 'open', cause: 'connection' });
    expect(fixture.described.probe).toMatchObject({ status: 'unreachable' });
    expect(fixture.fixture.refusal()).toMatchObject({ reason: 'breaker_open' });
  });

  it.each(['success', 'caller', 'throttled'] as const)('believes a call that ended as %s more than itself', (outcome) => {
    const fixture = new ProberFixture(probed());
    for (let round = 0; round < 5; round += 1) {
      fixture.answers('refused', 'refused');
      fixture.fixture.call(outcome, 1);
    }
    expect(fixture.described.breaker.state).toBe('closed');
  });

  it.each([500, 503, 'silent'] as const)('takes %p for neither a connection nor the lack of one', (status) => {
    const fixture = new ProberFixture(probed());
    fixture.answers(status, status, status, status, status);
    expect([fixture.described.breaker.state, fixture.described.probe?.status]).toEqual(['closed', 'unwell']);
    fixture.fixture.calls(5, 'endpoint');
    fixture.answers(status, status);
    expect(fixture.described.breaker.state).toBe('open');
  });

  it.each([200, 401, 404])('lets calls try early when somebody answers %i where nobody was', (status) => {
    const fixture = new ProberFixture(probed());
    fixture.fixture.calls(5, 'endpoint');
    expect(fixture.fixture.refusal().reason).toBe('breaker_open');
    fixture.answer(status);
    expect(fixture.described.breaker.state).toBe('half_open');
    fixture.fixture.calls(3, 'success');
    expect(fixture.described.breaker.state).toBe('closed');
  });

  it('hastens once: where calls still fail, the full time holds', () => {
    const fixture = new ProberFixture(probed());
    fixture.fixture.calls(5, 'endpoint');
    fixture.answer(200);
    fixture.fixture.call('endpoint');
    fixture.answers(200, 200);
    expect(fixture.described.breaker.state).toBe('open');
  });

  it('says nothing about bad answers', () => {
    const fixture = new ProberFixture(probed());
    fixture.fixture.calls(5, 'fault');
    fixture.answer(200);
    expect(fixture.described.breaker).toMatchObject({ state: 'open', cause: 'answer' });
  });

  it('shows how long the answer took, and forgets it when it is switched off', () => {
    const fixture = new ProberFixture(probed());
    fixture.answer('silent');
    expect(fixture.described.probe).toEqual({ status: 'unwell', latencyMs: PROBE_TIMEOUT_MS, atMs: fixture.fixture.nowMs });
    fixture.fixture.pool.apply(snapshot([{ ...fixture.input, enabled: false }], []));
    fixture.fixture.clock.move(20_000);
    expect([fixture.described.probe, fixture.asked.length]).toEqual([null, 1]);
  });

  it('stops for good', () => {
    const fixture = new ProberFixture(probed());
    fixture.answer(200);
    while (fixture.asked.length < 2) fixture.fixture.clock.move(500);
    fixture.prober.stop();
    fixture.asked[1].handler.onResponseError?.(null as never, new Error());
    fixture.fixture.clock.move(600_000);
    expect([fixture.asked.length, fixture.described.probe?.status]).toEqual([2, 'reachable']);
  });

  it('asks a real server through the transport, drops what it says and keeps the connection', async () => {
    const connections = new Set<unknown>();
    const urls: unknown[] = [];
    const server = createServer((request, response) => {
      urls.push(request.url);
      response.end('x'.repeat(2_000));
    });
    server.on('connection', (socket) => connections.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const input = { ...probed(), address: { origin, basePath: '/v1', options: { probe_path: '/ping?deep=no' } } };
    const { pool, clock } = new PoolFixture(snapshot([input], openedKeys(input, 1)));
    const transport = new UpstreamTransport();
    const asked: Promise<unknown>[] = [];
    const dispatch: UpstreamTransport['dispatch'] = (...call) => {
      const handler = call[7];
      asked.push(new Promise<void>((resolve) => {
        transport.dispatch(call[0], call[1], call[2], call[3], call[4], call[5], call[6], {
          onRequestStart: (...event) => handler.onRequestStart?.(...event),
          onResponseStart: (...event) => handler.onResponseStart?.(...event),
          onResponseData: (...event) => handler.onResponseData?.(...event),
          onResponseEnd: (...event) => {
            handler.onResponseEnd?.(...event);
            resolve();
          },
          onResponseError: (...event) => handler.onResponseError?.(...event),
        });
      }));
    };
    const prober = new HealthProber({ pool, transport: { dispatch }, clock, schedule: clock.schedule });
    prober.start();
    while (asked.length < 3) {
      clock.move(500);
      await asked.at(-1);
      // An answer's end comes before its connection is free again.
      await new Promise(setImmediate);
    }
    expect(urls).toEqual(Array(3).fill('/ping?deep=no'));
    expect([pool.describe()[0].probe?.status, connections.size]).toEqual(['reachable', 1]);
    prober.stop();
    await transport.destroy();
    server.close();
  });
});
