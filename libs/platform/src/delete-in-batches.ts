import { type DataSource } from 'typeorm';

export interface BatchDeletion {
  /** Names this work among the database's advisory locks: of several processes one does it at a time. */
  readonly lock: readonly [number, number];
  /** A DELETE of at most `batchRows` rows. */
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly batchRows: number;
}

/**
 * Deletes what is old in transactions of their own, so that none of them is long.
 * @returns how many rows; fewer than there are, or none, while another process is at it
 */
export async function deleteInBatches(dataSource: DataSource, deletion: BatchDeletion): Promise<number> {
  let deleted = 0;
  for (;;) {
    const batch = await deleteBatch(dataSource, deletion);
    deleted += batch;
    if (batch < deletion.batchRows) return deleted;
  }
}

function deleteBatch(dataSource: DataSource, { lock, sql, parameters }: BatchDeletion): Promise<number> {
  return dataSource.transaction(async (manager) => {
    const [{ locked }]: { locked: boolean }[] = await manager.query('SELECT pg_try_advisory_xact_lock($1, $2) AS locked', [...lock]);
    if (!locked) return 0;
    const [, rows]: [unknown, number] = await manager.query(sql, [...parameters]);
    return rows;
  });
}
