import { type Client } from 'pg';
import { type ArchiveRecord } from './archive-record';
import { findTableOrder, LEFT_OUT, WITHOUT_ROWS } from './find-table-order';

const ROWS_AT_ONCE = 500;

interface TableRow {
  name: string;
  columns: string[];
  partitions: { name: string; bound: string }[];
}

const TABLE = `
  SELECT relname AS name,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns,
    coalesce((SELECT json_agg(json_build_object('name', part.relname, 'bound', pg_get_expr(part.relpartbound, part.oid)) ORDER BY part.relname)
      FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
      WHERE inhparent = pg_class.oid AND pg_get_expr(part.relpartbound, part.oid) <> 'DEFAULT'), '[]') AS partitions
  FROM pg_class
  WHERE relnamespace = current_schema()::regnamespace AND relname = $1`;

/** The whole database at one moment, without holding anybody up. */
export async function* dumpDatabase(client: Client, at: Date): AsyncGenerator<ArchiveRecord> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    // A table of years takes longer than any statement of Weir's may.
    await client.query("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL TimeZone = 'UTC'");
    const migrations = await client.query<{ name: string }>('SELECT name FROM migrations ORDER BY id');
    yield { kind: 'backup', at: at.toISOString(), migrations: migrations.rows.map(({ name }) => name) };
    for (const name of await findTableOrder(client)) {
      const [table] = (await client.query<TableRow>(TABLE, [name])).rows;
      yield { kind: 'table', ...table };
      if (!WITHOUT_ROWS.includes(name)) yield* dumpRows(client, table);
    }
    yield* dumpSequences(client);
  } finally {
    await client.query('ROLLBACK');
  }
}

async function* dumpRows(client: Client, { name, columns }: TableRow): AsyncGenerator<ArchiveRecord> {
  const list = columns.map((column) => client.escapeIdentifier(column)).join(', ');
  await client.query(`DECLARE rows_of_table NO SCROLL CURSOR FOR SELECT row_to_json(one)::text AS row FROM (SELECT ${list} FROM ${client.escapeIdentifier(name)}) one`);
  for (;;) {
    const { rows } = await client.query<{ row: string }>(`FETCH ${ROWS_AT_ONCE} FROM rows_of_table`);
    if (rows.length === 0) break;
    yield { kind: 'rows', rows: rows.map(({ row }) => row) };
  }
  await client.query('CLOSE rows_of_table');
}

async function* dumpSequences(client: Client): AsyncGenerator<ArchiveRecord> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' AND relname <> ALL($1) ORDER BY relname`,
    [LEFT_OUT.map((table) => `${table}_id_seq`)],
  );
  for (const { name } of rows) {
    const state = await client.query<{ value: string; is_called: boolean }>(`SELECT last_value::text AS value, is_called FROM ${client.escapeIdentifier(name)}`);
    const [{ value, is_called: isCalled }] = state.rows;
    yield { kind: 'sequence', name, value, isCalled };
  }
}
