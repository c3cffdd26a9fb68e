import { type DataSource, type QueryRunner } from 'typeorm';

/** What compiling a plan costs is more than the plan, and a sort of some thousand groups should not touch the disk. */
const SETTINGS = `SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true), pg_backend_pid() AS pid`;

/**
 * Runs one question to the ledger, on a connection that is given back at once.
 * @param signal whoever asked has left: PostgreSQL is told to stop
 */
export async function runLedgerQuery<Row>(
  dataSource: DataSource,
  { sql, parameters }: { readonly sql: string; readonly parameters: readonly unknown[] },
  signal?: AbortSignal,
): Promise<Row[]> {
  signal?.throwIfAborted();
  const runner = dataSource.createQueryRunner();
  const cancellations: Promise<unknown>[] = [];
  let cancel = (): void => undefined;
  try {
    await runner.startTransaction();
    const [{ pid }] = (await runner.query(SETTINGS)) as [{ pid: number }];
    cancel = () => void cancellations.push(dataSource.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined));
    signal?.addEventListener('abort', cancel);
    signal?.throwIfAborted();
    const rows = (await runner.query(sql, [...parameters])) as Row[];
    await runner.commitTransaction();
    return rows;
  } catch (error) {
    await rollBack(runner);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    // Not before: the next question on this connection would be stopped in its place.
    await Promise.all(cancellations);
    await runner.release();
  }
}

/** A connection that broke has nothing to roll back, and the error that is told is the first. */
async function rollBack(runner: QueryRunner): Promise<void> {
  if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
}
