import { parseId, type UpstreamId } from '@weir/kernel';
import { ConfigurationError } from '@weir/platform';
import { APPLIER, type ApplyRun } from './apply-run';
import { type DeclaredKey, type Origin } from './declaration';
import { type KeyPlan, planKeys, type WantedKey } from './plan-keys';
import { placed } from './to-dto';

/** The declared keys of one upstream. */
export interface KeysOf {
  readonly upstreamId: string;
  readonly upstreamName: string;
  readonly origin: Origin;
  readonly keys: readonly DeclaredKey[];
}

type PlannedKey = DeclaredKey & WantedKey;

export interface UpstreamKeyPlan extends KeyPlan<PlannedKey> {
  /** Of those that are not declared: which this run leaves. */
  readonly staying: ReadonlySet<string>;
}

const SECRET_CHANGED = { secret: { old: null, new: null } };

export async function readKeyPlan(run: ApplyRun, upstreamId: UpstreamId, keys: readonly DeclaredKey[]): Promise<UpstreamKeyPlan> {
  const held = await run.vault.list(upstreamId);
  const wanted: PlannedKey[] = [];
  for (const key of keys) wanted.push({ ...key, heldId: await placed(key.place, () => run.vault.findHeld(upstreamId, key.secret)) });
  refuseTwice(wanted);
  const plan = planKeys(wanted, held);
  for (const step of plan.steps) if (step.action !== 'add') run.named.add(step.id);
  const going = run.prunes ? new Set(await run.findUnnamed('upstream_keys')) : new Set<string>();
  return { ...plan, staying: new Set(plan.unnamed.map(({ id }) => id).filter((id) => !going.has(id))) };
}

/** Those that a file made and this one does not name. */
export async function pruneKeys(run: ApplyRun, { upstreamId, upstreamName }: KeysOf, { unnamed, staying }: UpstreamKeyPlan): Promise<void> {
  for (const { id, label } of unnamed) {
    if (staying.has(id)) continue;
    await run.upstreamKeys.delete(APPLIER, upstreamId, id);
    run.record({ action: 'delete', kind: 'upstream key', name: toKeyName(upstreamName, label), changes: {} });
  }
}

/** @param isMoved the secrets of all held keys were given with the upstream's new host already */
export async function applyKeys(run: ApplyRun, keysOf: KeysOf, { steps }: UpstreamKeyPlan, isMoved: boolean): Promise<void> {
  const { upstreamId, upstreamName } = keysOf;
  for (const step of steps) {
    const { label, secret, place } = step.key;
    const name = toKeyName(upstreamName, label);
    if (step.action === 'rename') {
      await placed(place, () => run.upstreamKeys.update(APPLIER, upstreamId, step.id, { label }));
      run.record({ action: 'update', kind: 'upstream key', name, changes: { label: { old: step.oldLabel, new: label } } });
    }
    if (step.action === 'replace') {
      if (!isMoved) await placed(place, () => run.upstreamKeys.update(APPLIER, upstreamId, step.id, { secret: secret.expose() }));
      run.record({ action: 'update', kind: 'upstream key', name, changes: SECRET_CHANGED });
    }
    if (step.action === 'add') await addKeys(run, { ...keysOf, keys: [step.key] });
  }
}

export async function addKeys(run: ApplyRun, { upstreamId, upstreamName, origin, keys }: KeysOf): Promise<void> {
  for (const { label, secret, place } of keys) {
    const { id } = await placed(place, () => run.upstreamKeys.create(APPLIER, upstreamId, { label, secret: secret.expose() }));
    await run.markMade('upstream_keys', id, origin);
    run.named.add(parseId<UpstreamId>(id));
    run.record({ action: 'create', kind: 'upstream key', name: toKeyName(upstreamName, label), changes: SECRET_CHANGED });
  }
}

function refuseTwice(keys: readonly PlannedKey[]): void {
  const seen = new Set<string>();
  for (const { secret, place } of keys) {
    if (seen.has(secret.expose())) throw new ConfigurationError(`${place('secret')}: another key of this upstream has the same secret`);
    seen.add(secret.expose());
  }
}

function toKeyName(upstream: string, label: string): string {
  return `${upstream} / ${label === '' ? 'without a label' : label}`;
}
