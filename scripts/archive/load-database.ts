import { type Client } from 'pg';
import { ArchiveError } from './archive-error';
import { type ArchiveRecord } from './archive-record';
import { findTableOrder } from './find-table-order';

type TableRecord = Extract<ArchiveRecord, { kind: 'table' }>;

/**
 * Puts the rows of a backup into a database of the same schema, in the transaction that the client is
 * in. What the migrations put there themselves is replaced.
 */
export class DatabaseLoad {
  private table: TableRecord | null = null;
  rows = 0;

  private constructor(
    private readonly client: Client,
    private readonly tables: readonly string[],
  ) {}

  /**
   * Empties every table and turns off what runs by itself when rows come in: sums of usage are in the
   * backup, too.
   * @throws ArchiveError when somebody works with this installation already.
   */
  static async begin(client: Client): Promise<DatabaseLoad> {
    const tables = await findTableOrder(client);
    for (const table of ['users', 'proxy_keys', 'upstream_keys', 'usage_records']) {
      if (!tables.includes(table)) continue;
      const { rowCount } = await client.query(`SELECT 1 FROM ${client.escapeIdentifier(table)} LIMIT 1`);
      if (rowCount !== 0) throw new ArchiveError(`the database is not empty (${table} has rows): restore into a new one`);
    }
    await client.query(`TRUNCATE ${tables.map((name) => client.escapeIdentifier(name)).join(', ')}`);
    const load = new DatabaseLoad(client, tables);
    await load.switchTriggers('DISABLE');
    return load;
  }

  /** Takes what concerns the database; other records are somebody else's. */
  async take(record: ArchiveRecord): Promise<void> {
    if (record.kind === 'table') await this.beginTable(record);
    else if (record.kind === 'rows') await this.takeRows(record.rows);
    else if (record.kind === 'sequence') {
      await this.client.query('SELECT setval(to_regclass($1), $2::bigint, $3)', [this.client.escapeIdentifier(record.name), record.value, record.isCalled]);
    }
  }

  /** Foreign keys were looked at with each row; what runs by itself does so again. */
  async finish(): Promise<void> {
    await this.switchTriggers('ENABLE');
  }

  /** Those of partitions by name: not every PostgreSQL goes on from the table to them. */
  private async switchTriggers(action: 'ENABLE' | 'DISABLE'): Promise<void> {
    const { rows } = await this.client.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')`);
    for (const { name } of rows) await this.client.query(`ALTER TABLE ${this.client.escapeIdentifier(name)} ${action} TRIGGER USER`);
  }

  private async beginTable(table: TableRecord): Promise<void> {
    if (!this.tables.includes(table.name)) throw new ArchiveError(`the backup has a table that is not known here: ${table.name}`);
    this.table = table;
    for (const { name, bound } of table.partitions) {
      await this.client.query(`CREATE TABLE IF NOT EXISTS ${this.client.escapeIdentifier(name)} PARTITION OF ${this.client.escapeIdentifier(table.name)} ${bound}`);
      await this.client.query(`ALTER TABLE ${this.client.escapeIdentifier(name)} DISABLE TRIGGER USER`);
    }
  }

  private async takeRows(rows: readonly string[]): Promise<void> {
    if (this.table === null) throw new ArchiveError('the backup is damaged');
    const name = this.client.escapeIdentifier(this.table.name);
    const columns = this.table.columns.map((column) => this.client.escapeIdentifier(column)).join(', ');
    await this.client.query(
      `INSERT INTO ${name} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM json_populate_recordset(NULL::${name}, $1::json)`,
      [`[${rows.join(',')}]`],
    );
    this.rows += rows.length;
  }
}
