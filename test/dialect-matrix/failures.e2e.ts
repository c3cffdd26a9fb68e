import { type ProviderErrorKind, readProviderError, type SimulatedProvider, speak } from '@weir/testing';
import { addProviderModel, connect, PAIRS } from '../support/dialect-matrix/matrix';
import { toBody, toPath } from '../support/dialect-matrix/raw-request';
import { expectErrorShape, refusalOf } from '../support/dialect-matrix/refusal';
import { DIALECT_NAMES, type DialectName } from '../support/dialect-matrix/told';
import { TestGateway, type TestModel, type UsageRow } from '../support/test-gateway';
import { waitFor } from '../support/wait-for';
import { addKey, waitForModel } from '../support/weir';

const SECRETS = 3;
/** Nobody breaks anything of it. */
const CALM_MODEL = 'calm';

let gateway: TestGateway;
/** Of each pair: what one breaks opens no breaker of another. */
const models = new Map<string, TestModel>();

/** What becomes of keys is told a moment later, and passes: it is watched while the tests go on. Each is null, or why it did not come about. */
const watches: Promise<unknown>[] = [];

const toName = (dialect: DialectName, provider: SimulatedProvider): string => `${dialect}-to-${provider}`;

beforeAll(async () => {
  gateway = await TestGateway.start({ MAX_BODY_BYTES: String(LARGEST_BODY) });
  await addProviderModel(gateway, CALM_MODEL, 'openai-compatible');
  for (const [dialect, provider] of PAIRS) {
    const name = toName(dialect, provider);
    const secrets = Array.from({ length: SECRETS }, (_, index) => `sk-${name}-secret-${index + 1}-0123456789`);
    models.set(name, await addProviderModel(gateway, name, provider, { secrets }));
  }
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.simulator.reset();
  gateway.simulator.default(speak.scene('text'));
});

async function findKeyStatus(name: string, secret: string | null): Promise<string> {
  const model = models.get(name);
  const number = Number(/-secret-(\d)-/.exec(secret ?? '')?.[1]);
  if (model === undefined) throw new Error('there is no such model');
  return (await gateway.upstreamKey(model, number - 1)).status;
}

function watchKey(name: string, secret: string | null, status: string): void {
  const watch = waitFor(async () => (await findKeyStatus(name, secret)) === status, { what: `a key of ${name} to be ${status}`, intervalMs: 200 });
  watches.push(watch.then(() => null, (error: unknown) => error));
}

/** The provider's own words for the caller. */
function toWords(provider: SimulatedProvider, kind: ProviderErrorKind): string {
  const body: { error: { message: string } } = JSON.parse(readProviderError(provider, kind).body.toString('utf8'));
  return body.error.message;
}

describe.each(PAIRS)("%s's official client in front of %s", (dialect, provider) => {
  const name = toName(dialect, provider);
  const ask = (isStream: boolean) => connect(dialect, gateway.weir.url, gateway.key).ask(name, { text: 'Hello', isStream });
  const brokenRows = (): Promise<UsageRow[]> => gateway.database.query<UsageRow>("SELECT * FROM usage_records WHERE model = $1 AND status = 'failed' AND http_status = 200 ORDER BY at DESC", [name]);

  it.each([false, true])("gets the provider's words about its request as its own error, once (stream: %p)", async (isStream) => {
    gateway.simulator.enqueue(speak.error(provider, 'about_request'));
    const refused = await refusalOf(dialect, ask(isStream));
    expect(refused).toMatchObject({ status: 400, message: expect.stringContaining(toWords(provider, 'about_request').slice(0, 30)) });
    expect(gateway.simulator.calls).toHaveLength(1);
    expect(await findKeyStatus(name, gateway.simulator.calls[0].key)).toBe('active');
  });

  it('gets a 404 where the provider does not know the model', async () => {
    gateway.simulator.always(speak.error(provider, 'missing_model'));
    const refused = await refusalOf(dialect, ask(false));
    gateway.simulator.always(null);
    expect(refused).toMatchObject({ status: 404, message: expect.stringContaining(toWords(provider, 'missing_model').slice(0, 20)) });
    expect(await findKeyStatus(name, gateway.simulator.calls[0].key)).toBe('active');
  });

  it('gets its answer after the provider was overloaded for a moment', async () => {
    gateway.simulator.enqueue(speak.error(provider, 'overloaded'));
    // Whole for one half of the pairs, streamed for the other: the process has only so many retries in so many seconds.
    const { headers } = await ask(PAIRS.findIndex(([one, other]) => one === dialect && other === provider) % 2 === 0);
    expect(headers.get('x-weir-attempts')).toBe('2');
  });

  it('gets its answer with another key where the provider refuses one, which is disabled', async () => {
    gateway.simulator.enqueue(speak.error(provider, 'bad_key'));
    expect((await ask(true)).headers.get('x-weir-attempts')).toBe('2');
    const [refused, answered] = gateway.simulator.calls;
    expect(answered.key).not.toBe(refused.key);
    watchKey(name, refused.key, 'disabled');
  });

  it('gets its answer with another key where the provider throttles one, which cools', async () => {
    gateway.simulator.enqueue(speak.error(provider, 'throttled'));
    expect((await ask(false)).headers.get('x-weir-attempts')).toBe('2');
    const [throttled, answered] = gateway.simulator.calls;
    expect(answered.key).not.toBe(throttled.key);
    watchKey(name, throttled.key, 'cooling');
  });

  it.each([
    ['error in the middle of its stream', speak.brokenStream()],
    ['end before its time', speak.endingEarly('text')],
    ['end before its time, among calls', speak.endingEarly('tools')],
  ])("takes the provider's %s for an error, never for an end", async (_what, reply) => {
    const before = (await brokenRows()).length;
    gateway.simulator.enqueue(reply);
    const refused = await refusalOf(dialect, ask(true));
    expect(refused.message).not.toContain('sk-');
    expect(gateway.simulator.calls).toHaveLength(1);
    const [row] = await waitFor(async () => {
      const failed = await brokenRows();
      return failed.length > before ? failed : null;
    });
    expect(Number(row.input_tokens)).toBeGreaterThan(0);
    expect(Number(row.output_tokens)).toBeGreaterThan(0);
    // What was done is charged, though nobody got an end.
    expect(Number(row.cost_nanos)).toBeGreaterThan(0);
    // Good answers in between keep the breaker closed.
    expect((await ask(true)).told.stop).toBe('end');
  });

  it('gets an error of its own, with no word of the upstream, where the provider sends what is no answer', async () => {
    const path = toPath(dialect, name);
    gateway.simulator.always(speak.error(provider, 'bad_key'));
    const response = await gateway.weir.post(path, gateway.key, toBody(dialect, name));
    gateway.simulator.always(null);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    const text = await response.text();
    expectErrorShape(dialect, 503, JSON.parse(text));
    expect(text).not.toContain(toWords(provider, 'about_request').slice(0, 20));
    expect(text).not.toContain('127.0.0.1');
  });
});

it('has disabled every key that was refused, and let every key cool that was throttled', async () => {
  expect(watches.length).toBeGreaterThan(0);
  expect(await Promise.all(watches)).toEqual(watches.map(() => null));
});

const LARGEST_BODY = 64 * 1024;

describe.each(DIALECT_NAMES)("what Weir itself refuses %s's callers, in their dialect", (dialect) => {
  const name = CALM_MODEL;
  const post = (key: string | null, body: unknown = toBody(dialect, name), model = name) => gateway.weir.post(toPath(dialect, model), key, body);

  async function expectRefusal(response: Response, status: number, words: string): Promise<{ error: Record<string, unknown> }> {
    const text = await response.text();
    expect([response.status, text]).toEqual([status, expect.stringContaining(words)]);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expectErrorShape(dialect, status, JSON.parse(text));
    return JSON.parse(text);
  }

  it('no key, and a wrong one', async () => {
    await expectRefusal(await post(null), 401, 'No API key');
    await expectRefusal(await post('sk-weir-nobody'), 401, 'API key');
    expect(await refusalOf(dialect, connect(dialect, gateway.weir.url, 'sk-weir-nobody').ask(name, { text: 'Hello', isStream: false }))).toMatchObject({ status: 401 });
  });

  it('a model that is not there, and one that the key may not use', async () => {
    await expectRefusal(await post(gateway.key, toBody(dialect, 'nobody'), 'nobody'), 404, "'nobody'");
    const { key } = await addKey(gateway.weir, { models: [toName(dialect, 'gemini')] });
    await expectRefusal(await post(key), 403, name);
    expect(await refusalOf(dialect, connect(dialect, gateway.weir.url, key).ask(name, { text: 'Hello', isStream: true }))).toMatchObject({ status: 403 });
  });

  it('more requests than its limit, with all limits in the error', async () => {
    const { key } = await addKey(gateway.weir, { limits: { rpm: 1 } });
    await waitForModel(gateway.weir, key, name);
    expect((await post(key)).status).toBe(200);
    const refused = await post(key);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    const { error } = await expectRefusal(refused, 429, 'requests per minute');
    expect(error.limits).toEqual(expect.arrayContaining([expect.objectContaining({ limit: 'requests_per_minute', max: 1, refused: true })]));
    expect(await refusalOf(dialect, connect(dialect, gateway.weir.url, key).ask(name, { text: 'Hello', isStream: false }))).toMatchObject({ status: 429 });
  });

  it('a body that is too large, no JSON, or without what it needs', async () => {
    await expectRefusal(await post(gateway.key, { ...toBody(dialect, name), filler: 'x'.repeat(LARGEST_BODY) }), 413, '');
    await expectRefusal(await post(gateway.key, '{"model": "x", '), 400, 'JSON');
    await expectRefusal(await post(gateway.key, '[]'), 400, '');
    await expectRefusal(await post(gateway.key, { model: name }), 400, '');
    expect(gateway.simulator.calls).toHaveLength(0);
  });
});
