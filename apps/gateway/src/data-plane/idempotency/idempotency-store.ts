import { type ProxyKeyId } from '@weir/kernel';
import { deleteInBatches } from '@weir/platform';
import { type DataSource } from 'typeorm';

/** Which record: one a proxy key and Idempotency-Key. */
export interface RecordPlace {
  readonly keyId: ProxyKeyId;
  /** SHA-256 of the Idempotency-Key. */
  readonly nameHash: Buffer;
}

/** A record that a run owns: nobody else's `runId` can touch it. */
export interface OwnedRecord extends RecordPlace {
  /** The request's id. */
  readonly runId: string;
}

/** An answer as the table holds it; the body is sealed. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

export type FoundRecord = { readonly requestHash: Buffer; readonly runId: string } & (
  | { readonly state: 'running' | 'not_kept' }
  | { readonly state: 'finished'; readonly answer: StoredAnswer }
);

export interface IdempotencyTimes {
  /** How long a run owns its key without a heartbeat. */
  readonly leaseMs: number;
  /** How long an answer is kept, from the beginning of its request. */
  readonly retentionMs: number;
}

interface RecordRow {
  readonly request_hash: Buffer;
  readonly run_id: string;
  readonly state: 'running' | 'finished' | 'not_kept';
  readonly status: number | null;
  readonly headers: string[] | null;
  readonly body: Buffer | null;
}

const INTERVAL = (parameter: string): string => `now() + ${parameter}::double precision * interval '1 millisecond'`;
// "weir", and what it locks: the ledger's partitions are 2.
const PURGE_LOCK = [0x77656972, 5] as const;
/** Small enough that a batch of the largest answers is no long statement. */
const PURGE_BATCH = 500;

/** The table of idempotency records. Its clock is PostgreSQL's. Methods throw when PostgreSQL does not answer. */
export class IdempotencyStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly times: IdempotencyTimes,
  ) {}

  /** Takes the key for a run; also from a run whose lease is over, and one whose answer is no longer kept. @returns whether it was taken. */
  async claim({ keyId, nameHash, runId }: OwnedRecord, requestHash: Buffer): Promise<boolean> {
    const rows: unknown[] = await this.dataSource.query(
      `INSERT INTO idempotency_records AS record (key_id, name_hash, request_hash, run_id, state, lease_until, expires_at)
       VALUES ($1, $2, $3, $4, 'running', ${INTERVAL('$5')}, ${INTERVAL('$6')})
       ON CONFLICT (key_id, name_hash) DO UPDATE
       SET request_hash = excluded.request_hash, run_id = excluded.run_id, state = 'running', lease_until = excluded.lease_until,
         status = NULL, headers = NULL, body = NULL, created_at = now(), expires_at = excluded.expires_at
       WHERE (record.state = 'running' AND record.lease_until <= now()) OR (record.state <> 'running' AND record.expires_at <= now())
       RETURNING key_id`,
      [keyId, nameHash, requestHash, runId, this.times.leaseMs, this.times.retentionMs],
    );
    return rows.length > 0;
  }

  async find({ keyId, nameHash }: RecordPlace): Promise<FoundRecord | null> {
    const [row]: RecordRow[] = await this.dataSource.query(
      'SELECT request_hash, run_id, state, status, headers, body FROM idempotency_records WHERE key_id = $1 AND name_hash = $2',
      [keyId, nameHash],
    );
    return row === undefined ? null : toFoundRecord(row);
  }

  /** Stores the answer, or with null that there was one. Changes nothing when another run has taken the key over. */
  async finish({ keyId, nameHash, runId }: OwnedRecord, answer: StoredAnswer | null): Promise<void> {
    await this.dataSource.query(
      `UPDATE idempotency_records SET state = $4, lease_until = NULL, status = $5, headers = $6, body = $7
       WHERE key_id = $1 AND name_hash = $2 AND run_id = $3 AND state = 'running'`,
      [
        keyId,
        nameHash,
        runId,
        answer === null ? 'not_kept' : 'finished',
        answer?.status ?? null,
        answer === null ? null : JSON.stringify(answer.headers),
        answer?.body ?? null,
      ],
    );
  }

  /** Frees the key, if the run still owns it: a repeat runs anew. */
  async free({ keyId, nameHash, runId }: OwnedRecord): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM idempotency_records WHERE key_id = $1 AND name_hash = $2 AND run_id = $3 AND state = 'running'`,
      [keyId, nameHash, runId],
    );
  }

  /** The heartbeat of runs that are still open. */
  async renew(records: readonly OwnedRecord[]): Promise<void> {
    await this.dataSource.query(
      `UPDATE idempotency_records AS record SET lease_until = ${INTERVAL('$4')}
       FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS open (key_id, name_hash, run_id)
       WHERE record.key_id = open.key_id AND record.name_hash = open.name_hash AND record.run_id = open.run_id AND record.state = 'running'`,
      [records.map(({ keyId }) => keyId), records.map(({ nameHash }) => nameHash), records.map(({ runId }) => runId), this.times.leaseMs],
    );
  }

  /** Deletes what is no longer kept, batch by batch; of several processes one does it. @returns how many. */
  purge(): Promise<number> {
    return deleteInBatches(this.dataSource, {
      lock: PURGE_LOCK,
      sql: `DELETE FROM idempotency_records WHERE ctid IN (
        SELECT ctid FROM idempotency_records
        WHERE expires_at <= now() AND (lease_until IS NULL OR lease_until <= now()) LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      parameters: [PURGE_BATCH],
      batchRows: PURGE_BATCH,
    });
  }
}

function toFoundRecord({ request_hash: requestHash, run_id: runId, state, status, headers, body }: RecordRow): FoundRecord {
  if (state !== 'finished') return { requestHash, runId, state };
  // A constraint of the table says so; nothing is answered on the strength of half a row.
  if (status === null || headers === null || body === null) throw new Error('a finished idempotency record has no answer');
  return { requestHash, runId, state, answer: { status, headers, body } };
}
