import { Client } from 'pg';
import { type RowBatch } from './row-batch';
import { USAGE_ROW_TYPE } from './usage-row';

const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 10_000;
// The server's own timeout comes first; this one is for a network that swallows the answer.
const ANSWER_TIMEOUT_MS = 12_000;

const COLUMNS_BUT_AT = `request_id, attempt, organization_id, project_id, key_id, operation, model, upstream_id,
  upstream_key_id, upstream_model, status, http_status, error_code, input_tokens, cached_input_tokens, output_tokens,
  units, estimated, cost_nanos, rate, duration_ms, first_byte_ms`;

// One parameter however many rows, so one short parse and one round trip. A batch whose answer was
// lost is sent again: rows that are there already are left as they are. A trigger adds the new ones
// to the sums by hour and day, in this same statement. The order keeps two processes that send the
// same rows, as after a spool was adopted, from waiting for each other in a ring.
const INSERT = `
  INSERT INTO usage_records (at, ${COLUMNS_BUT_AT})
  SELECT timestamptz 'epoch' + at_ms * interval '1 millisecond', ${COLUMNS_BUT_AT}
  FROM json_to_recordset($1) AS row (${USAGE_ROW_TYPE})
  ORDER BY request_id, attempt, at_ms
  ON CONFLICT (request_id, attempt, at) DO NOTHING`;

/**
 * The ledger's own connection, so that a control plane busy with its pool never delays a row, nor
 * rows the control plane. Made when first wanted, and again after it broke.
 */
export class UsageInserter {
  #client: Client | null = null;
  #isClosed = false;

  constructor(private readonly connectionString: string) {}

  /**
   * @returns how many of the rows were new. All are stored and in the sums, or none and it throws.
   */
  async insert({ json }: RowBatch): Promise<number> {
    const client = (this.#client ??= await this.#connect());
    try {
      const result = await client.query(INSERT, [json]);
      return result.rowCount ?? 0;
    } catch (error) {
      // Also an answer that came too late is on this connection: it cannot be used for another question.
      this.#drop(client);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    this.#client = null;
    // With a statement under way pg cuts the connection instead of waiting.
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.connectionString,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'weir-ledger',
    });
    // Without a listener a restart of the database would end the process.
    client.on('error', () => this.#drop(client));
    try {
      await client.connect();
      if (this.#isClosed) throw new Error('the ledger was closed meanwhile');
    } catch (error) {
      this.#drop(client);
      throw error;
    }
    return client;
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = null;
    client.end().catch(() => undefined);
  }
}
