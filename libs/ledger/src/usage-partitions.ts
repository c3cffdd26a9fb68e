import { type Clock } from '@weir/kernel';
import { type Logger } from 'pino';
import { type DataSource, type EntityManager } from 'typeorm';
import { parseUsageMonth, toKeptFromMs, toUsageMonths, type UsageMonth } from './usage-months';

const ENSURE_INTERVAL_MS = 24 * 3_600_000;
const RETRY_INTERVAL_MS = 60_000;
// Names this work among the database's advisory locks: "weir", and the second thing that it locks.
const LOCK = [0x77656972, 2];
// Whoever waits for the default partition makes every insert behind it wait too.
const LOCK_TIMEOUT = '2s';
// Moving a month of rows may take longer than a statement of the control plane should.
const STATEMENT_TIMEOUT = '5min';
/** What one statement deletes: short enough to hold nobody up. */
const DELETED_ROWS = 10_000;

export interface UsagePartitionsOptions {
  /** `USAGE_RETENTION_DAYS`: rows go when all of their month is older, and so do their sums by the hour; 0 keeps them for ever. */
  readonly retentionDays?: number;
}

/**
 * Keeps a partition for this month and the next, and drops those that are too old. A row whose month
 * has none lands in the default partition, so nothing is lost when this fails; the rows move when it
 * succeeds. Sums by the day are kept for ever.
 */
export class UsagePartitions {
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  readonly #retentionDays: number;

  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    { retentionDays = 0 }: UsagePartitionsOptions = {},
  ) {
    this.#retentionDays = retentionDays;
  }

  /** Ensures and drops now and every day. Never throws: a failure is logged and tried again after a minute. */
  async start(): Promise<void> {
    this.#isStopped = false;
    await this.#ensureAndPlan();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** @returns the partitions that were made. Several processes may call this at once. */
  async ensure(nowMs: number): Promise<string[]> {
    const made: string[] = [];
    for (const month of toUsageMonths(nowMs)) {
      if (await this.#isThere(this.dataSource, month)) continue;
      if (await this.dataSource.transaction((manager) => this.#make(manager, month))) made.push(month.partition);
    }
    return made;
  }

  /**
   * Drops what is older than rows are kept.
   * @returns the partitions dropped, and how many rows besides. Several processes may call this at once.
   */
  async dropOld(nowMs: number): Promise<{ partitions: string[]; rows: number }> {
    const keptFromMs = toKeptFromMs(nowMs, this.#retentionDays);
    const partitions: string[] = [];
    if (!Number.isFinite(keptFromMs)) return { partitions, rows: 0 };
    for (const month of await this.#listMonths()) {
      if (month.toMs <= keptFromMs && (await this.dataSource.transaction((manager) => this.#drop(manager, month)))) partitions.push(month.partition);
    }
    const rows = await this.#deleteBefore('usage_records_default', keptFromMs);
    await this.#deleteBefore('usage_hourly', keptFromMs);
    return { partitions, rows };
  }

  async #listMonths(): Promise<UsageMonth[]> {
    const rows: { partition: string }[] = await this.dataSource.query(
      `SELECT relname AS partition FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'usage_records'::regclass ORDER BY relname`,
    );
    return rows.flatMap(({ partition }) => parseUsageMonth(partition) ?? []);
  }

  // Not DETACH CONCURRENTLY: PostgreSQL has none beside a default partition. The lock is had within
  // its time or not at all, and then tried for again.
  async #drop(manager: EntityManager, month: UsageMonth): Promise<boolean> {
    await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    await manager.query('SELECT pg_advisory_xact_lock($1, $2)', LOCK);
    if (!(await this.#isThere(manager, month))) return false;
    await manager.query(`DROP TABLE ${month.partition}`);
    return true;
  }

  async #deleteBefore(table: 'usage_records_default' | 'usage_hourly', keptFromMs: number): Promise<number> {
    const sql = `WITH gone AS (
        DELETE FROM ${table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${table} WHERE at < $1 LIMIT ${DELETED_ROWS})) RETURNING 1
      ) SELECT count(*)::int AS count FROM gone`;
    let total = 0;
    for (let count = DELETED_ROWS; count === DELETED_ROWS && !this.#isStopped; total += count) {
      [{ count }] = await this.dataSource.query<[{ count: number }]>(sql, [new Date(keptFromMs)]);
    }
    return total;
  }

  async #ensureAndPlan(): Promise<void> {
    let nextMs = ENSURE_INTERVAL_MS;
    try {
      const made = await this.ensure(this.clock.nowMs());
      if (made.length > 0) this.logger.info({ name: made }, 'made partitions of the ledger');
    } catch (error) {
      nextMs = RETRY_INTERVAL_MS;
      this.logger.warn({ error }, 'could not make the partitions of the ledger; rows go to the default one meanwhile');
    }
    try {
      const dropped = await this.dropOld(this.clock.nowMs());
      if (dropped.partitions.length > 0 || dropped.rows > 0) this.logger.info(dropped, 'dropped old rows of the ledger');
    } catch (error) {
      nextMs = RETRY_INTERVAL_MS;
      this.logger.warn({ error }, 'could not drop old rows of the ledger');
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#ensureAndPlan(), nextMs).unref();
  }

  async #isThere(store: DataSource | EntityManager, month: UsageMonth): Promise<boolean> {
    const rows: unknown[] = await store.query(
      `SELECT 1 FROM pg_inherits WHERE inhparent = 'usage_records'::regclass AND inhrelid = to_regclass($1)`,
      [month.partition],
    );
    return rows.length > 0;
  }

  async #make(manager: EntityManager, month: UsageMonth): Promise<boolean> {
    await manager.query(`SET LOCAL statement_timeout = '${STATEMENT_TIMEOUT}'`);
    await manager.query('SELECT pg_advisory_xact_lock($1, $2)', LOCK);
    if (await this.#isThere(manager, month)) return false;
    await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    const [from, to] = [month.fromMs, month.toMs].map((atMs) => new Date(atMs).toISOString());
    // The names and times are computed here, from a number: nothing in them comes from outside.
    await manager.query(`CREATE TABLE ${month.partition} (LIKE usage_records INCLUDING ALL)`);
    // From here to the commit no row may enter the default partition behind the move's back.
    await manager.query('LOCK TABLE usage_records_default IN ACCESS EXCLUSIVE MODE');
    await manager.query(
      `WITH moved AS (DELETE FROM usage_records_default WHERE at >= $1 AND at < $2 RETURNING *)
       INSERT INTO ${month.partition} SELECT * FROM moved`,
      [from, to],
    );
    await manager.query(`ALTER TABLE usage_records ATTACH PARTITION ${month.partition} FOR VALUES FROM ('${from}') TO ('${to}')`);
    return true;
  }
}
