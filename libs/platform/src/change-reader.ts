import { isUuid } from '@weir/kernel';
import { type Client } from 'pg';

/** What changed: the argument of the trigger that recorded it. */
export type ChangeKind =
  | 'organization'
  | 'project'
  | 'user'
  | 'admin_key'
  | 'proxy_key'
  | 'upstream'
  | 'upstream_key'
  | 'model'
  | 'model_target';

export interface SnapshotChange {
  readonly kind: ChangeKind;
  readonly objectId: string;
}

/** Changes in order; or that whoever listens must read all anew. */
export type ChangeBatch = SnapshotChange[] | 'everything';

const CHANGE_KINDS: ReadonlySet<string> = new Set<ChangeKind>([
  'organization',
  'project',
  'user',
  'admin_key',
  'proxy_key',
  'upstream',
  'upstream_key',
  'model',
  'model_target',
]);

/** Reading everything anew is cheaper than so many single rows. */
const LARGEST_BATCH = 10_000;

const READ = `
  SELECT pg_snapshot_xmin(snapshot)::text AS horizon,
    pg_snapshot_xmin(snapshot) < $1::xid8 AS went_back,
    (SELECT coalesce(json_agg(change ORDER BY change.number), '[]') FROM (
      SELECT id AS number, id::text AS id, kind, object_id AS "objectId", transaction_id >= pg_snapshot_xmin(snapshot) AS "mayRepeat"
      FROM snapshot_changes WHERE transaction_id >= $1::xid8 ORDER BY snapshot_changes.id LIMIT ${LARGEST_BATCH + 1}
    ) change) AS changes
  FROM pg_current_snapshot() AS snapshot`;

const PRUNE = `
  DELETE FROM snapshot_changes WHERE id IN (
    SELECT id FROM snapshot_changes WHERE at < now() - interval '1 day' ORDER BY at LIMIT 10000 FOR UPDATE SKIP LOCKED
  )`;

/**
 * Remembers how far the changes were read. A read also tells the oldest transaction that was
 * still open then (the horizon): whatever is committed later belongs to that one or a newer, so
 * the next read starts there and misses none, even if its row's number is smaller than one
 * already read. Rows at or beyond the horizon come again; they are remembered and left out.
 */
export class ChangeReader {
  private horizon: string | null = null;
  private repeats: ReadonlySet<string> = new Set();

  /** What is new since the last read; `everything` at first, and when the database is not the one we knew. */
  async read(client: Client): Promise<ChangeBatch> {
    const { rows } = await client.query<{ horizon: string; went_back: boolean | null; changes: ChangeRow[] }>(READ, [this.horizon]);
    const [{ horizon, went_back: wentBack, changes }] = rows;
    const isFirst = this.horizon === null;
    const fresh = changes.filter(({ id }) => !this.repeats.has(id));
    this.horizon = horizon;
    this.repeats = new Set(changes.filter(({ mayRepeat }) => mayRepeat).map(({ id }) => id));
    // Transaction numbers only grow: a smaller one is another database under the same address.
    if (isFirst || wentBack === true || changes.length > LARGEST_BATCH) return 'everything';
    return fresh.flatMap(toChange);
  }

  /** Deletes a portion of what nobody needs any more. */
  async prune(client: Client): Promise<void> {
    await client.query(PRUNE);
  }
}

interface ChangeRow {
  id: string;
  kind: string;
  objectId: string;
  mayRepeat: boolean;
}

/** A newer Weir beside this one may record kinds that this one does not know. */
function toChange({ kind, objectId }: ChangeRow): SnapshotChange[] {
  return isChangeKind(kind) && isUuid(objectId) ? [{ kind, objectId }] : [];
}

function isChangeKind(kind: string): kind is ChangeKind {
  return CHANGE_KINDS.has(kind);
}
