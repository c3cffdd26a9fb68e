/**
 * - `content`: PostgreSQL refuses a value in the batch, and would refuse it for ever
 * - `slow`: it took too long; a smaller batch may not
 * - `passing`: anything else; the same batch may go through later
 */
export type InsertFailure = 'content' | 'slow' | 'passing';

const readText = (error: unknown, name: string): string | null => {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : null;
  return typeof value === 'string' ? value : null;
};

/** The SQLSTATE or the system's code; null when the error has none. Says nothing of the row. */
export const toErrorCode = (error: unknown): string | null => readText(error, 'code');

/** Only what is surely the content's fault is held against a row: everything else is tried again. */
export function toInsertFailure(error: unknown): InsertFailure {
  const code = toErrorCode(error) ?? '';
  // A check without a name is the bound of a partition: a month was attached while this insert was on
  // its way to the default partition. The next try finds the month.
  if (code === '23514' && readText(error, 'constraint') === null) return 'passing';
  // query_canceled, by the statement's timeout; pg itself has no code for the answer that did not come.
  if (code === '57014' || (error instanceof Error && error.message === 'Query read timeout')) return 'slow';
  // 22: data exception, 23: integrity constraint, 54: a value larger than an index takes.
  return /^(22|23|54)[0-9A-Z]{3}$/.test(code) ? 'content' : 'passing';
}
