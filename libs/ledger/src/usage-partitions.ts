import { type Clock } from '@weir/kernel';
import { type Logger } from 'pino';
import { type DataSource, type EntityManager } from 'typeorm';
import { toUsageMonths, type UsageMonth } from './usage-months';

const ENSURE_INTERVAL_MS = 24 * 3_600_000;
const RETRY_INTERVAL_MS = 60_000;
// Names this work among the database's advisory locks: "weir", and the second thing that it locks.
const LOCK = [0x77656972, 2];
// Whoever waits for the default partition makes every insert behind it wait too.
const LOCK_TIMEOUT = '2s';
// Moving a month of rows may take longer than a statement of the control plane should.
const STATEMENT_TIMEOUT = '5min';

/**
 * Keeps a partition for this month and the next. A row whose month has none lands in the default
 * partition, so nothing is lost when this fails; the rows move when it succeeds.
 */
export class UsagePartitions {
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {}

  /** Ensures now and every day. Never throws: a failure is logged and tried again after a minute. */
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

  async #ensureAndPlan(): Promise<void> {
    let nextMs = ENSURE_INTERVAL_MS;
    try {
      const made = await this.ensure(this.clock.nowMs());
      if (made.length > 0) this.logger.info({ name: made }, 'made partitions of the ledger');
    } catch (error) {
      nextMs = RETRY_INTERVAL_MS;
      this.logger.warn({ error }, 'could not make the partitions of the ledger; rows go to the default one meanwhile');
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
