import { type LedgerRow } from '@weir/ledger';
import { toCsvLine } from './to-csv';
import { toRequestView } from './to-request-view';
import { type RequestView } from './usage.dto';

type Column = Exclude<keyof RequestView, 'object'>;

const COLUMNS: readonly Column[] = [
  'at',
  'request_id',
  'attempt',
  'organization_id',
  'project_id',
  'key_id',
  'operation',
  'model',
  'upstream',
  'upstream_model',
  'status',
  'http_status',
  'error_code',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'units',
  'estimated',
  'cost_nanos',
  'cost_usd',
  'rate',
  'duration_ms',
  'first_byte_ms',
];
const OWNER_COLUMNS: readonly Column[] = [...COLUMNS, 'upstream_id', 'upstream_key_id'];

/** The ledger's rows as the text of a CSV file, a piece for each page of them: no more is in memory. */
export async function* toRequestsCsv(pages: AsyncIterable<readonly LedgerRow[]>, isOwner: boolean): AsyncGenerator<string> {
  const columns = isOwner ? OWNER_COLUMNS : COLUMNS;
  let header = toCsvLine(columns);
  for await (const rows of pages) {
    yield header + rows.map((row) => toLine(toRequestView(row, isOwner), columns)).join('');
    header = '';
  }
  if (header !== '') yield header;
}

function toLine(view: RequestView, columns: readonly Column[]): string {
  return toCsvLine(
    columns.map((column) => {
      const value = view[column] ?? null;
      return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
    }),
  );
}
