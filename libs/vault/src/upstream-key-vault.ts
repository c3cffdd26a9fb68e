import { newId, type Secret, type UpstreamId, type UpstreamKeyId, WeirError } from '@weir/kernel';
import { type EntityManager, In } from 'typeorm';
import { openSecret } from './envelope';
import { toFingerprint } from './fingerprint';
import { isForeignKeyViolation, isUniqueViolation } from './database-errors';
import { type KeyRing } from './key-ring';
import { parseLabel } from './parse-label';
import { parseUpstreamSecret } from './parse-upstream-secret';
import { type RotationOptions, type RotationReport, rotateUpstreamKeys } from './rotate-upstream-keys';
import { sealRow } from './seal-row';
import { type OpenedUpstreamKey, toOpened, toView, type UpstreamKeyView } from './upstream-key-view';
import { UpstreamKeyEntity, type UpstreamKeyStatus } from './upstream-key.entity';
import { UpstreamKeyUnreadable } from './upstream-key-unreadable';

export interface NewUpstreamKey {
  upstreamId: UpstreamId;
  /** Of the upstream's base URL: scheme, host and port. The secret will open for no other. */
  origin: string;
  label?: string;
  secret: Secret;
}

/** What the pool of one process found out about a key. */
export interface UpstreamKeyStatusReport {
  readonly status: UpstreamKeyStatus;
  /** Weir's own words, such as a failure class. Never the provider's text, which may quote the key. */
  readonly reason: string | null;
  readonly untilMs: number | null;
  /** Since the last report. They are added up, because every process counts its own. */
  readonly newFailures: number;
  readonly lastFailureAtMs: number | null;
}

/** A key that was replaced or switched on again starts without a past. */
const FRESH_STATUS = { status: 'active', statusReason: null, statusUntil: null, failureCount: 0, lastFailureAt: null } as const;
const LONGEST_REASON = 500;

const RECORD_STATUS = `
  UPDATE upstream_keys SET status = $2, status_reason = $3, status_until = $4::timestamptz,
    failure_count = failure_count + $5::bigint, last_failure_at = greatest(last_failure_at, $6::timestamptz), updated_at = now()
  WHERE id = $1 AND ($5::bigint > 0 OR (status, status_reason, status_until) IS DISTINCT FROM ($2, $3, $4::timestamptz))`;

/**
 * The providers' keys. A secret goes in and comes out here only: encrypted in the table, and opened
 * for the pool by `openAll`.
 */
export class UpstreamKeyVault {
  constructor(
    private readonly manager: EntityManager,
    private readonly ring: KeyRing,
  ) {}

  /** The same vault inside a transaction of the caller's. */
  within(manager: EntityManager): UpstreamKeyVault {
    return new UpstreamKeyVault(manager, this.ring);
  }

  /** @throws WeirError conflict when the upstream holds that secret already. */
  async add(input: NewUpstreamKey): Promise<UpstreamKeyView> {
    const { upstreamId, origin } = input;
    const secret = parseUpstreamSecret(input.secret.expose());
    const label = parseLabel(input.label ?? '');
    const id = newId<UpstreamKeyId>();
    const sealed = await sealRow(this.ring, secret, { upstreamKeyId: id, upstreamId, origin });
    return this.changeUpstream(upstreamId, async (manager) => {
      await this.refuseHeld(manager, upstreamId, secret, null);
      await manager.insert(UpstreamKeyEntity, { id, upstreamId, label, ...sealed });
      return getView(manager, id);
    });
  }

  /** Puts another secret in a key's place; its status and failure count start anew. */
  async replaceSecret(id: UpstreamKeyId, origin: string, given: Secret): Promise<UpstreamKeyView> {
    const secret = parseUpstreamSecret(given.expose());
    const { upstreamId } = await getView(this.manager, id);
    return this.changeUpstream(upstreamId, async (manager) => {
      await getView(manager, id);
      await this.refuseHeld(manager, upstreamId, secret, id);
      await this.writeSecret(manager, { upstreamKeyId: id, upstreamId, origin }, secret);
      return getView(manager, id);
    });
  }

  /**
   * Binds all keys of an upstream to a new origin. Every secret must be given again: who may edit
   * an upstream but does not know its secrets could otherwise have them sent to a host of theirs.
   * Call it `within` the transaction that changes the upstream's base URL.
   * @throws WeirError invalid_request naming the keys whose secret is missing.
   */
  async rebind(upstreamId: UpstreamId, origin: string, secrets: ReadonlyMap<UpstreamKeyId, Secret>): Promise<void> {
    await this.changeUpstream(upstreamId, async (manager) => {
      const held = await manager.find(UpstreamKeyEntity, { where: { upstreamId } });
      refuseIncomplete(held.map(({ id }) => id), secrets);
      for (const [upstreamKeyId, given] of secrets) {
        const secret = parseUpstreamSecret(given.expose());
        await this.refuseHeld(manager, upstreamId, secret, upstreamKeyId);
        await this.writeSecret(manager, { upstreamKeyId, upstreamId, origin }, secret);
      }
    });
  }

  /** The keys of one upstream, or all, oldest first; never a secret. */
  async list(upstreamId: UpstreamId | null = null): Promise<UpstreamKeyView[]> {
    const rows = await this.manager.find(UpstreamKeyEntity, {
      where: upstreamId === null ? {} : { upstreamId },
      order: { id: 'ASC' },
    });
    return rows.map(toView);
  }

  /** The key of an upstream that holds the secret, whichever key of the ring wrote it. */
  findHeld(upstreamId: UpstreamId, secret: Secret): Promise<UpstreamKeyId | null> {
    return this.findHeldBy(this.manager, upstreamId, secret);
  }

  /**
   * Opens every key of the given upstreams. A key that does not open is told to `onUnreadable` and
   * left out: one broken row must not stop the others.
   */
  async openAll(
    origins: ReadonlyMap<UpstreamId, string>,
    onUnreadable: (error: UpstreamKeyUnreadable) => void,
  ): Promise<OpenedUpstreamKey[]> {
    const rows = await this.manager
      .createQueryBuilder(UpstreamKeyEntity, 'key')
      .addSelect('key.envelope')
      .where('key.upstream_id = ANY(:ids::uuid[])', { ids: [...origins.keys()] })
      .orderBy('key.id')
      .getMany();
    const opened: OpenedUpstreamKey[] = [];
    for (const row of rows) {
      const origin = origins.get(row.upstreamId);
      if (origin === undefined) continue;
      try {
        const binding = { upstreamKeyId: row.id, upstreamId: row.upstreamId, origin };
        opened.push(toOpened(row, await openSecret(this.ring, row, binding)));
      } catch (error) {
        if (!(error instanceof UpstreamKeyUnreadable)) throw error;
        onUnreadable(error);
      }
    }
    return opened;
  }

  /** Switching a key on also clears what the pool held against it: that is how an admin revives one. */
  async update(id: UpstreamKeyId, changes: { label?: string; enabled?: boolean }): Promise<UpstreamKeyView> {
    const written = {
      ...(changes.label === undefined ? {} : { label: parseLabel(changes.label) }),
      ...(changes.enabled === undefined ? {} : { enabled: changes.enabled }),
      ...(changes.enabled === true ? FRESH_STATUS : {}),
    };
    if (Object.keys(written).length > 0) await this.manager.update(UpstreamKeyEntity, { id }, written);
    return getView(this.manager, id);
  }

  /**
   * Writes down what the pool found out, for people and the other processes. Every such write wakes
   * every process to read the key again: report when the status changes, not for every failure.
   * A report that says nothing new writes nothing.
   * @returns whether anything was written.
   */
  async recordStatus(id: UpstreamKeyId, report: UpstreamKeyStatusReport): Promise<boolean> {
    const [, written] = await this.manager.query<[unknown, number]>(RECORD_STATUS, [
      id,
      report.status,
      report.reason === null ? null : report.reason.slice(0, LONGEST_REASON),
      toDate(report.untilMs),
      report.newFailures,
      toDate(report.lastFailureAtMs),
    ]);
    return written === 1;
  }

  async remove(id: UpstreamKeyId): Promise<void> {
    const result = await this.manager.delete(UpstreamKeyEntity, { id });
    if (result.affected !== 1) throw notFound();
  }

  /** Re-encrypts every row that the writing key has not written; see `rotateUpstreamKeys`. */
  rotateAll(options: RotationOptions): Promise<RotationReport> {
    return rotateUpstreamKeys(this.manager, this.ring, options);
  }

  /**
   * Secrets of one upstream change one after another: the unique constraint sees equal fingerprints,
   * but the same secret has another fingerprint under another key of the ring.
   */
  private async changeUpstream<Answer>(upstreamId: UpstreamId, change: (manager: EntityManager) => Promise<Answer>): Promise<Answer> {
    try {
      return await this.manager.transaction(async (manager) => {
        await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir/upstream-keys/${upstreamId}`]);
        return change(manager);
      });
    } catch (error) {
      if (isForeignKeyViolation(error)) throw new WeirError('not_found', { message: 'There is no such upstream.' });
      if (isUniqueViolation(error)) throw alreadyHeld();
      throw error;
    }
  }

  private async writeSecret(manager: EntityManager, binding: Parameters<typeof sealRow>[2], secret: Secret): Promise<void> {
    const sealed = await sealRow(this.ring, secret, binding);
    await manager.update(UpstreamKeyEntity, { id: binding.upstreamKeyId }, { ...sealed, ...FRESH_STATUS });
  }

  private async refuseHeld(manager: EntityManager, upstreamId: UpstreamId, secret: Secret, own: UpstreamKeyId | null): Promise<void> {
    const held = await this.findHeldBy(manager, upstreamId, secret);
    if (held !== null && held !== own) throw alreadyHeld();
  }

  private async findHeldBy(manager: EntityManager, upstreamId: UpstreamId, secret: Secret): Promise<UpstreamKeyId | null> {
    const fingerprints = await Promise.all(this.ring.all().map((key) => toFingerprint(key, upstreamId, secret)));
    const row = await manager.findOneBy(UpstreamKeyEntity, { upstreamId, fingerprint: In(fingerprints) });
    return row === null ? null : row.id;
  }
}

async function getView(manager: EntityManager, id: UpstreamKeyId): Promise<UpstreamKeyView> {
  const row = await manager.findOneBy(UpstreamKeyEntity, { id });
  if (row === null) throw notFound();
  return toView(row);
}

function refuseIncomplete(held: readonly UpstreamKeyId[], secrets: ReadonlyMap<UpstreamKeyId, Secret>): void {
  const missing = held.filter((id) => !secrets.has(id));
  if (missing.length > 0) {
    const message = `Changing an upstream's host needs the secret of each of its keys again. Missing: ${missing.join(', ')}.`;
    throw new WeirError('invalid_request', { message, param: 'secrets' });
  }
  if ([...secrets.keys()].some((id) => !held.includes(id))) throw notFound();
}

function toDate(timeMs: number | null): Date | null {
  return timeMs === null ? null : new Date(timeMs);
}

function notFound(): WeirError {
  return new WeirError('not_found', { message: 'There is no such upstream key.' });
}

function alreadyHeld(): WeirError {
  return new WeirError('conflict', { message: 'This upstream holds that key already.', param: 'secret' });
}
