import { type WithoutRedis } from '../src/without-redis';
import { type World } from './world';

/**
 * Which faults come together. What holds by design depends on it; see README.md.
 * - `kept`: Redis keeps its data; everything else may happen, crashes among it
 * - `lost`: Redis loses its data; no process dies, and none is cut off for longer than two seconds
 * - `alone`: one process without Redis, which dies and comes back
 * - `outage`: one process that may count budgets itself while Redis is away
 * - `chaos`: everything at once
 */
export type ScenarioKind = 'kept' | 'lost' | 'alone' | 'outage' | 'chaos';

const KINDS: readonly ScenarioKind[] = ['kept', 'kept', 'kept', 'lost', 'lost', 'alone', 'outage', 'chaos'];

/** A moment at which something goes wrong. */
export interface Fault {
  readonly atMs: number;
  readonly kind: 'flush' | 'restart' | 'pause' | 'redis_clock' | 'cut_off' | 'crash' | 'ledger_down' | 'process_clock';
  readonly durationMs: number;
}

export interface Scenario {
  readonly kind: ScenarioKind;
  readonly processCount: number;
  /** Faults and calls end by then; after that everything is to come to rest. */
  readonly faultsUntilMs: number;
  readonly endMs: number;
  /** Where the wall clocks begin. */
  readonly startedAtMs: number;
  readonly callsPerProcess: number;
  readonly faults: readonly Fault[];
  /** Of a message: lost, its answer lost, slow, sent again. */
  readonly troubleRate: number;
  /** A ledger that is slower than an admission may wait. */
  readonly isLedgerSlow: boolean;
  readonly commitLostRate: number;
  readonly budgetsWithoutRedis: WithoutRedis;
}

const FAULTS_UNTIL_MS = 16_000;
/** The longest calls take 25 s; what is uncertain is certain after 30 s, and so long lives a lease. */
const REST_MS = 54_000;
/** 2026-11-21T23:59:52Z: the day ends while the calls come. */
const BEFORE_MIDNIGHT_MS = Date.UTC(2026, 10, 21, 23, 59, 52);

const FAULT_KINDS: Record<ScenarioKind, readonly Fault['kind'][]> = {
  kept: ['pause', 'redis_clock', 'cut_off', 'crash', 'crash', 'ledger_down', 'process_clock'],
  lost: ['flush', 'flush', 'restart', 'pause', 'ledger_down'],
  alone: ['crash', 'ledger_down'],
  outage: ['cut_off', 'restart', 'pause', 'ledger_down'],
  chaos: ['flush', 'restart', 'pause', 'redis_clock', 'cut_off', 'crash', 'ledger_down', 'process_clock'],
};

export function drawScenario(world: World): Scenario {
  const kind = world.pick(KINDS);
  const isSingle = kind === 'alone' || kind === 'outage';
  const faultKinds = FAULT_KINDS[kind];
  const faults = Array.from({ length: world.between(0, 4) }, () => drawFault(world, world.pick(faultKinds), kind));
  // More than one jump could make an hour of waiting out of a minute.
  const firstJump = faults.findIndex((fault) => fault.kind === 'redis_clock');
  return {
    kind,
    processCount: isSingle ? 1 : world.between(1, 3),
    faultsUntilMs: FAULTS_UNTIL_MS,
    endMs: FAULTS_UNTIL_MS + REST_MS,
    startedAtMs: world.chance(0.25) ? BEFORE_MIDNIGHT_MS : BEFORE_MIDNIGHT_MS - 12 * 3_600_000,
    callsPerProcess: world.between(5, 18),
    faults: faults.filter((fault, index) => fault.kind !== 'redis_clock' || index === firstJump),
    // More of it, and a process might put back late what the others have counted without.
    troubleRate: world.pick(kind === 'lost' ? [0, 0.02] : [0, 0.02, 0.1]),
    isLedgerSlow: world.chance(0.2),
    commitLostRate: world.pick([0, 0, 0.2]),
    budgetsWithoutRedis: kind === 'outage' ? 'local' : 'refuse',
  };
}

function drawFault(world: World, faultKind: Fault['kind'], kind: ScenarioKind): Fault {
  const longestMs = kind === 'lost' && faultKind !== 'ledger_down' ? 1_000 : 6_000;
  return { atMs: world.between(500, FAULTS_UNTIL_MS - 1_000), kind: faultKind, durationMs: world.between(50, longestMs) };
}
