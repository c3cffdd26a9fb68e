import { type Client } from 'pg';

/** What processes tell each other of changes is of no use to another database: its transactions have other numbers. */
export const LEFT_OUT: readonly string[] = ['migrations', 'snapshot_changes'];

/** Work under way: done since the backup, it would be done, and charged, once more. Backups of before have its rows, and are taken as they are. */
export const WITHOUT_ROWS: readonly string[] = ['mesh_jobs'];

export interface Reference {
  readonly from: string;
  readonly to: string;
}

/** Every table whose rows are kept in a backup, those that others refer to first. Partitions are part of their table. */
export async function findTableOrder(client: Client): Promise<string[]> {
  const tables = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> ALL($1) ORDER BY relname`,
    [LEFT_OUT],
  );
  const references = await client.query<{ from: string; to: string }>(
    `SELECT one.relname AS "from", other.relname AS "to" FROM pg_constraint
      JOIN pg_class one ON one.oid = conrelid JOIN pg_class other ON other.oid = confrelid
      WHERE contype = 'f' AND conparentid = 0 AND connamespace = current_schema()::regnamespace`,
  );
  return toTableOrder(tables.rows.map(({ name }) => name), references.rows);
}

/** @throws Error when tables refer to each other in a circle: then no order is right. */
export function toTableOrder(tables: readonly string[], references: readonly Reference[]): string[] {
  const order: string[] = [];
  let waiting = [...tables];
  while (waiting.length > 0) {
    const ready = waiting.filter((table) => references.every(({ from, to }) => from !== table || to === table || !waiting.includes(to)));
    if (ready.length === 0) throw new Error(`these tables refer to each other in a circle: ${waiting.join(', ')}`);
    order.push(...ready);
    waiting = waiting.filter((table) => !ready.includes(table));
  }
  return order;
}
