import { Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { learnKeyRow, mergeKeyRow } from './key-merge';
import { type KeyReporter } from './key-reporter';
import { KeyState } from './key-state';
import { type PoolKey } from './pool-contract';
import { type PoolJoints } from './pool-joints';
import { type OpenedKey, type PoolSnapshot, type UpstreamInput } from './pool-snapshot';
import { UpstreamState } from './upstream-state';

const NO_KEYS: readonly OpenedKey[] = [];

/** The upstreams and keys that the latest snapshot names, with what was learnt of them before it. */
export class UpstreamRoster {
  readonly #random: () => number;
  readonly #reporter: KeyReporter;
  readonly #joints: PoolJoints;
  #states = new Map<UpstreamId, UpstreamState>();

  constructor(random: () => number, reporter: KeyReporter, joints: PoolJoints) {
    this.#random = random;
    this.#reporter = reporter;
    this.#joints = joints;
  }

  find(id: UpstreamId): UpstreamState | null {
    return this.#states.get(id) ?? null;
  }

  all(): IterableIterator<UpstreamState> {
    return this.#states.values();
  }

  apply(snapshot: PoolSnapshot, nowMs: number): void {
    const rows = Map.groupBy(snapshot.keys, (key) => key.upstreamId);
    const states = new Map<UpstreamId, UpstreamState>();
    for (const input of snapshot.upstreams) states.set(input.id, this.#applyUpstream(input, rows.get(input.id) ?? NO_KEYS, nowMs));
    for (const [id, state] of this.#states) {
      if (states.get(id) === state) continue;
      state.isRemoved = true;
      for (const key of state.keys) this.#retire(key);
    }
    this.#states = states;
  }

  #applyUpstream(input: UpstreamInput, rows: readonly OpenedKey[], nowMs: number): UpstreamState {
    const known = this.#states.get(input.id);
    // Another host under the same id starts anew: what was learnt says nothing of it, and a route
    // from before must never carry the new host's keys to the old one.
    const isSamePlace = known !== undefined && known.record.address.origin === input.address.origin;
    const state = isSamePlace ? known : new UpstreamState({ ...input, keys: [] }, this.#random, this.#joints);
    const keys = rows.length === 0 ? this.#keylessPlace(input, state) : rows.map((row) => this.#applyKey(state, row, nowMs));
    const kept = new Set(keys);
    for (const key of state.keys) if (!kept.has(key)) this.#retire(key);
    state.keys = keys;
    if (state.cursor >= keys.length) state.cursor = 0;
    state.record = { ...input, keys: keys.map((key) => key.key) };
    if (state.rebalance(nowMs)) for (const key of keys) this.#reporter.touch(key, nowMs);
    return state;
  }

  #applyKey(state: UpstreamState, row: OpenedKey, nowMs: number): KeyState {
    const known = state.findKey(row.id);
    if (known !== null && known.key.secret.expose() === row.secret.expose()) {
      mergeKeyRow(known, row, this.#reporter, nowMs);
      known.key.label = row.label;
      return known;
    }
    // Calls under way with the old secret report to the old state: their 401 is not the new one's.
    const fresh = new KeyState(toPoolKey(row.id, row.label, row.secret), this.#random);
    learnKeyRow(fresh, row, known?.seen ?? null, this.#reporter, nowMs);
    return fresh;
  }

  /** An upstream that wants no key still needs a place that throttling can be charged to. */
  #keylessPlace(input: UpstreamInput, state: UpstreamState): KeyState[] {
    if (input.address.options.no_key !== true) return [];
    return [state.findKey(null) ?? new KeyState(toPoolKey(null, '', new Secret('')), this.#random)];
  }

  #retire(key: KeyState): void {
    key.enabled = false;
    this.#reporter.forget(key);
  }
}

function toPoolKey(id: UpstreamKeyId | null, label: string, secret: Secret): PoolKey {
  return { id, label, secret };
}
