import { type Caller } from '@weir/access';
import { type Budget, type ModelId, type Nanos, NANOS_PER_USD, NO_LIMITS, type Operation, type OrganizationId, type ProxyKeyId, Secret, systemClock, type UpstreamId, type UsageUnits, uuidV7, WeirError, zeroUsage } from '@weir/kernel';
import { parseModelPrice, PriceTable } from '@weir/ledger';
import { type Meter, openMeter } from '@weir/limits';
import { type ModelRoute } from '@weir/upstreams';
import { OPERATION_DEFINITIONS, type OperationDefinition } from '../operations';
import { CallMeter, type Charge } from './call-meter';
import { CallPlans } from './call-plans';
import { type RelayCall } from './relay-call';
import { type Road } from './road';
import { RoutePrices } from './route-prices';

const NO_DEFAULTS = { embedModel: 'e', rerankModel: 'r' };
const CHAT = { model: 'm', messages: [{ role: 'user', content: 'x' }] };
/** A token of output costs 1,000 nano-dollars, the rest nothing. */
const PRICE = { output_per_million_usd: 1 };
const TOKEN_NANOS = 1_000;
const price = parseModelPrice(PRICE);

const meters: Meter[] = [];
const plans = new CallPlans({ defaultRpm: 0, defaultRpd: 0 });
const prices = new RoutePrices(new PriceTable());
let keys = 0;

afterAll(() => Promise.all(meters.map((meter) => meter.close())));

function getDefinition(operation: Operation): OperationDefinition {
  const definition = OPERATION_DEFINITIONS.find((each) => each.operation === operation);
  if (definition === undefined) throw new Error(`no operation ${operation}`);
  return definition;
}

/** What the ledger was told of holds. */
class HoldLog {
  readonly lines: string[] = [];
  readonly hold = (): void => void this.lines.push('hold');
  readonly releaseHold = (): void => void this.lines.push('release');
}

interface Scene {
  readonly caller: Caller;
  readonly meter: Meter;
  readonly ledger: HoldLog;
  readonly route: ModelRoute;
  begin(fields?: object, body?: { readonly prompt: string } | typeof CHAT): CallMeter;
  spentNanos(): Promise<Nanos | undefined>;
  heldNanos(): Promise<Nanos | undefined>;
}

function openScene({ amountNanos, modelPrice = PRICE, meter = openHere() }: { amountNanos: Nanos | null; modelPrice?: object | null; meter?: Meter }): Scene {
  const budget: Budget = { amountNanos: amountNanos ?? 0, period: 'total', model: null, alerts: [], resetAtMs: null };
  const keyId = `key-${++keys}` as ProxyKeyId;
  const caller: Caller = {
    keyId,
    publicId: 'public',
    organizationId: 'o' as OrganizationId,
    projectId: null,
    models: null,
    key: { id: keyId, limits: { ...NO_LIMITS, concurrency: 5 }, budgets: amountNanos === null ? [] : [budget] },
    project: null,
    organization: { id: 'o' as OrganizationId, limits: NO_LIMITS, budgets: [] },
    expiresAtMs: null,
  };
  const upstream = {
    id: 'u' as UpstreamId,
    name: 'u',
    provider: 'openai-compatible' as const,
    address: { origin: 'http://127.0.0.1', basePath: '/v1', options: {} },
    timeoutMs: null,
    streamTimeoutMs: null,
    concurrency: null,
    weight: 100,
    enabled: true,
    keys: [{ id: null, label: 'k', secret: new Secret('k') }],
  };
  const route: ModelRoute = { id: 'm' as ModelId, name: 'm', operation: 'chat', strategy: 'weighted', targets: [{ upstreamModel: 'u', weight: 100, priority: 0, upstream }], price: modelPrice, limits: NO_LIMITS };
  const ledger = new HoldLog();
  const road = { meter, ledger, plans, prices } as unknown as Road;
  const begin: Scene['begin'] = (fields = {}, body = CHAT) => {
    const operation = 'prompt' in body ? 'completions' : 'chat';
    const definition = getDefinition(operation);
    const facts = definition.readFacts(Buffer.from(JSON.stringify({ ...body, ...fields, model: 'm' })), definition, { model: null, isStream: null, defaults: NO_DEFAULTS });
    return new CallMeter({ road, requestId: uuidV7(Date.now()), facts, startedAtMs: Date.now() } as unknown as RelayCall, caller, [{ route, model: 'm' }]);
  };
  const readBudget = async () => (await meter.use(plans.get(caller, route, 'm', Date.now()).plan)).budgets[0];
  return { caller, meter, ledger, route, begin, spentNanos: async () => (await readBudget())?.spentNanos, heldNanos: async () => (await readBudget())?.heldNanos };
}

function openHere(): Meter {
  const meter = openMeter({ redis: null, clock: systemClock });
  meters.push(meter);
  return meter;
}

const usageOf = (outputTokens: number, inputTokens = 10): UsageUnits => ({ ...zeroUsage(), inputTokens, outputTokens, requests: 1 });

async function admit(scene: Scene, ...request: Parameters<Scene['begin']>): Promise<CallMeter> {
  const call = scene.begin(...request);
  const admission = await call.admit('o', Date.now());
  expect(admission.admitted).toBe(true);
  return call;
}

describe('what a call takes and gives back', () => {
  it('is its worst case at first and what it used in the end, once', async () => {
    const scene = openScene({ amountNanos: 1_000 * TOKEN_NANOS });
    const call = await admit(scene, { max_tokens: 300 });
    expect(await scene.heldNanos()).toBe(300 * TOKEN_NANOS);
    expect(await call.charge(price, usageOf(120))).toEqual({ nanos: 120 * TOKEN_NANOS, isOverrun: false });
    call.settle();
    call.settle();
    expect([await scene.spentNanos(), await scene.heldNanos()]).toEqual([120 * TOKEN_NANOS, 0]);
  });

  it('is nothing where it was refused, or never charged', async () => {
    const scene = openScene({ amountNanos: 100 * TOKEN_NANOS });
    const refused = scene.begin({ max_tokens: 101 });
    expect((await refused.admit('o', Date.now())).admitted).toBe(false);
    refused.settle();
    (await admit(scene, { max_tokens: 100 })).settle();
    expect([await scene.spentNanos(), await scene.heldNanos()]).toEqual([0, 0]);
  });

  it('is refused without a price under a budget, and goes without a cost where there is none', async () => {
    expect(() => openScene({ amountNanos: 1, modelPrice: null }).begin()).toThrow(expect.objectContaining({ code: 'model_not_priced' }));
    const call = await admit(openScene({ amountNanos: null, modelPrice: null }));
    expect(await call.charge(null, usageOf(5))).toEqual({ nanos: null, isOverrun: false });
    expect(call.toIntentNanos(null)).toBeNull();
  });
});

describe('the output cap', () => {
  it('is what the hold affords where the caller set none, and nothing where it did', async () => {
    expect((await admit(openScene({ amountNanos: 50 * TOKEN_NANOS }))).outputCap).toBe(50);
    expect((await admit(openScene({ amountNanos: 50 * TOKEN_NANOS }), { max_tokens: 20 })).outputCap).toBeNull();
    expect((await admit(openScene({ amountNanos: null }))).outputCap).toBeNull();
  });

  it('shrinks with what attempts before have used up', async () => {
    const call = await admit(openScene({ amountNanos: 50 * TOKEN_NANOS }));
    await call.charge(price, usageOf(20));
    expect(await call.holdAgain()).toBe(true);
    expect(call.outputCap).toBe(30);
    expect(call.toIntentNanos(price)).toBe(30 * TOKEN_NANOS);
  });

  it('leaves no further attempt where what is left is no use', async () => {
    const scene = openScene({ amountNanos: 50 * TOKEN_NANOS });
    const call = await admit(scene);
    await call.charge(price, usageOf(40));
    expect(await call.holdAgain()).toBe(false);
    call.settle();
    expect(await scene.spentNanos()).toBe(40 * TOKEN_NANOS);
  });
});

describe('a charge beyond the hold', () => {
  it('is paid from what the budget has left', async () => {
    const scene = openScene({ amountNanos: 100 * TOKEN_NANOS });
    const call = await admit(scene, { max_tokens: 10 });
    expect(await call.charge(price, usageOf(60))).toEqual({ nanos: 60 * TOKEN_NANOS, isOverrun: false });
    call.settle();
    expect([await scene.spentNanos(), await scene.heldNanos()]).toEqual([60 * TOKEN_NANOS, 0]);
  });

  it('is cut where the budget ends, and said to be', async () => {
    const scene = openScene({ amountNanos: 100 * TOKEN_NANOS });
    const call = await admit(scene, { max_tokens: 10 });
    expect(await call.charge(price, usageOf(500))).toEqual({ nanos: 100 * TOKEN_NANOS, isOverrun: true });
    call.settle();
    expect(await scene.spentNanos()).toBe(100 * TOKEN_NANOS);
  });

  it('is charged and not lost when it is beyond all reason', async () => {
    const dear = { output_per_million_usd: 1_000_000 };
    const scene = openScene({ amountNanos: 100 * NANOS_PER_USD, modelPrice: dear });
    const call = await admit(scene, { max_tokens: 1 });
    const charge: Promise<Charge> = Promise.resolve(call.charge(parseModelPrice(dear), usageOf(1_000_000_000)));
    await expect(charge).resolves.toEqual({ nanos: 100 * NANOS_PER_USD, isOverrun: true });
    call.settle();
    expect(await scene.spentNanos()).toBe(100 * NANOS_PER_USD);
  });

  it('without a budget is what it is, and gives back the lease all the same', async () => {
    const dear = { output_per_million_usd: 1_000_000 };
    const scene = openScene({ amountNanos: null, modelPrice: dear });
    const call = await admit(scene);
    await call.charge(parseModelPrice(dear), usageOf(1_000_000_000));
    expect(() => call.settle()).not.toThrow();
    expect(scene.meter.openCount).toBe(0);
  });
});

describe('a stream that outruns its hold', () => {
  const outrun = async (call: CallMeter): Promise<boolean> => {
    let isStopped = false;
    call.onOutrun(() => (isStopped = true));
    await new Promise(setImmediate);
    return isStopped;
  };

  it('gets more while the budget has it, and is stopped when it has not', async () => {
    const scene = openScene({ amountNanos: 300 * TOKEN_NANOS });
    const call = await admit(scene, { max_tokens: 10 });
    expect(call.outrunBytes).toBe(10 * 8);
    expect(await outrun(call)).toBe(false);
    expect(call.outrunBytes).toBe((10 + 256) * 8);
    expect(await outrun(call)).toBe(false);
    expect(await scene.heldNanos()).toBe(300 * TOKEN_NANOS);
    expect(await outrun(call)).toBe(true);
  });

  it('is told once at a time, however many chunks come', async () => {
    const scene = openScene({ amountNanos: 10_000 * TOKEN_NANOS });
    const call = await admit(scene, { max_tokens: 10 });
    for (let chunk = 0; chunk < 5; chunk++) call.onOutrun(() => undefined);
    await new Promise(setImmediate);
    expect(await scene.heldNanos()).toBe((10 + 256) * TOKEN_NANOS);
  });

  it('is not cut for an output whose price rounds to nothing', async () => {
    // A token costs a thousandth of a nano-dollar, of input as well as of output.
    const cheap = { input_per_million_usd: '0.000001', output_per_million_usd: '0.000001' };
    const call = await admit(openScene({ amountNanos: 1_000, modelPrice: cheap }), { max_tokens: 2_000 });
    expect(call.outrunBytes).toBe(2_000 * 8);
    for (let chunk = 0; chunk < 3; chunk++) expect(await outrun(call)).toBe(false);
  });

  it('is also one whose cap is 0, which some servers take for none', async () => {
    const call = await admit(openScene({ amountNanos: 300 * TOKEN_NANOS }), { max_tokens: 0 }, { prompt: 'x' });
    expect(call.outrunBytes).toBe(0);
    expect(await outrun(call)).toBe(false);
    expect(await outrun(call)).toBe(false);
    expect(await outrun(call)).toBe(true);
  });

  it('is never one without a budget, or where output costs nothing', async () => {
    expect((await admit(openScene({ amountNanos: null }), { max_tokens: 10 })).outrunBytes).toBe(Infinity);
    expect((await admit(openScene({ amountNanos: 1_000, modelPrice: { per_request_usd: 0 } }), { max_tokens: 10 })).outrunBytes).toBe(Infinity);
  });
});

describe('the record of a hold', () => {
  const unavailable = new WeirError('limits_unavailable');
  const openShared = (meter: Partial<Meter>) => openScene({ amountNanos: 1_000 * TOKEN_NANOS, meter: { isShared: true, isSettling: () => false, ...meter } as Meter });

  it('is made before the counters are asked, and released when they refuse or cannot be asked', async () => {
    const state = { admitted: false, states: [], refused: {} };
    const scene = openShared({ admit: () => (scene.ledger.lines.push('asked'), Promise.resolve(state as never)) });
    await scene.begin({ max_tokens: 1 }).admit('o', Date.now());
    expect(scene.ledger.lines).toEqual(['hold', 'asked', 'release']);
    const away = openShared({ admit: () => Promise.reject(unavailable) });
    await expect(away.begin({ max_tokens: 1 }).admit('o', Date.now())).rejects.toBe(unavailable);
    expect(away.ledger.lines).toEqual(['hold', 'release']);
  });

  it('stays while the counters may have it without an answer: a crash would leave it there for ever', async () => {
    const scene = openShared({ admit: () => Promise.reject(unavailable), isSettling: () => true });
    await expect(scene.begin({ max_tokens: 1 }).admit('o', Date.now())).rejects.toBe(unavailable);
    expect(scene.ledger.lines).toEqual(['hold']);
  });

  it('is not made where there is nothing to hold, or the counters die with the process', async () => {
    const alone = openScene({ amountNanos: 1_000 * TOKEN_NANOS });
    await admit(alone, { max_tokens: 1 });
    expect(alone.ledger.lines).toEqual([]);
  });
});
