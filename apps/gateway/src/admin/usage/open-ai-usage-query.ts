import { isUuid, WeirError } from '@weir/kernel';
import { type UsageBucket } from '@weir/ledger';

/** What a query may say, besides what all may. */
export interface OpenAiQueryRules {
  /** The widths of a bucket, and how many of them an answer has: by default, and at most. */
  readonly widths: Readonly<Partial<Record<'1m' | '1h' | '1d', { readonly usual: number; readonly most: number }>>>;
  readonly groups: readonly string[];
  /** The list that narrows to names: of models, or of line items. */
  readonly names: 'models' | 'line_items';
}

export interface OpenAiUsageQuery {
  readonly fromMs: number;
  readonly toMs: number;
  readonly bucket: UsageBucket;
  /** How many buckets an answer has. */
  readonly limit: number;
  readonly groups: readonly string[];
  readonly organizationId?: string;
  readonly projectIds?: readonly string[];
  readonly keyIds?: readonly string[];
  readonly names?: readonly string[];
  /** Where the page begins; null for the first. */
  readonly pageFromMs: number | null;
}

const WIDTHS_MS = { '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 } as const;
const BUCKETS = { '1m': 'minute', '1h': 'hour', '1d': 'day' } as const;
type Width = keyof typeof BUCKETS;

const SCALARS = ['start_time', 'end_time', 'bucket_width', 'limit', 'page', 'organization_id', 'batch'];
const LISTS = ['project_ids', 'api_key_ids', 'group_by'];
/** The last second of the year 9999. */
const LATEST_SECONDS = 253_402_300_799;
const MOST_MEMBERS = 1_000;
const LONGEST_MEMBER = 512;

const refuse = (param: string, message: string): WeirError => new WeirError('invalid_request', { param, message: `'${param}' ${message}` });

/**
 * A query in OpenAI's words. Lists are written `name[]=a&name[]=b`, as OpenAI's own clients do, or
 * without the brackets.
 * @param query as Express reads it: texts, or lists of them
 * @throws WeirError `invalid_request` naming the field at fault
 */
export function parseOpenAiUsageQuery(query: Readonly<Record<string, unknown>>, rules: OpenAiQueryRules, nowMs: number): OpenAiUsageQuery {
  const fields = readFields(query, rules);
  const text = (name: string): string | null => fields.get(name)?.[0] ?? null;
  const width = parseWidth(text('bucket_width') ?? '1d', rules);
  const fromMs = parseSeconds('start_time', text('start_time'));
  const endTime = text('end_time');
  // Without an end it is now, and the bucket of now is shown whole.
  const toMs = endTime === null ? (Math.floor(nowMs / WIDTHS_MS[width]) + 1) * WIDTHS_MS[width] : parseSeconds('end_time', endTime);
  if (endTime !== null && toMs <= fromMs) throw refuse('end_time', "must be after 'start_time'.");
  if (text('batch') !== null && text('batch') !== 'false') throw refuse('batch', "can only be 'false': Weir knows no batch jobs.");
  return {
    fromMs,
    toMs,
    bucket: BUCKETS[width],
    limit: parseLimit(text('limit'), width, rules),
    groups: parseGroups(fields.get('group_by') ?? [], rules),
    organizationId: parseIds('organization_id', fields.get('organization_id'))?.[0],
    projectIds: parseIds('project_ids', fields.get('project_ids')),
    keyIds: parseIds('api_key_ids', fields.get('api_key_ids')),
    names: fields.get(rules.names),
    pageFromMs: parsePage(text('page'), { fromMs, toMs, widthMs: WIDTHS_MS[width] }),
  };
}

/** Only fields that are known, and of each the texts that were given. */
function readFields(query: Readonly<Record<string, unknown>>, { names }: OpenAiQueryRules): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  for (const [written, value] of Object.entries(query)) {
    const name = written.replace(/\[\d*\]$/, '');
    const isList = LISTS.includes(name) || name === names;
    if (!isList && (name !== written || !SCALARS.includes(name))) throw refuse(toShownName(written), 'is not known.');
    const texts: unknown[] = [fields.get(name) ?? [], value].flat();
    if (!texts.every((text) => typeof text === 'string')) throw refuse(name, 'must be a text.');
    if (texts.some((text) => text.length > LONGEST_MEMBER || text.includes('\0'))) throw refuse(name, 'has a value that nothing can have.');
    if (texts.length > (isList ? MOST_MEMBERS : 1)) throw refuse(name, isList ? `takes at most ${MOST_MEMBERS} values.` : 'must be given once.');
    fields.set(name, texts);
  }
  return fields;
}

/** What a caller made up is not repeated at any length. */
const toShownName = (name: string): string => name.slice(0, 64).replace(/[^\w[\].-]/g, '?');

function parseWidth(text: string, { widths }: OpenAiQueryRules): Width {
  const width = (['1m', '1h', '1d'] as const).find((known) => known === text && widths[known] !== undefined);
  if (width === undefined) throw refuse('bucket_width', `must be one of: ${Object.keys(widths).join(', ')}.`);
  return width;
}

function parseSeconds(name: string, text: string | null): number {
  if (text === null) throw refuse(name, 'is missing.');
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
  if (!(seconds <= LATEST_SECONDS)) throw refuse(name, 'must be a time in whole seconds since 1970.');
  return seconds * 1_000;
}

function parseLimit(text: string | null, width: Width, { widths }: OpenAiQueryRules): number {
  const { usual, most } = widths[width] ?? { usual: 1, most: 1 };
  if (text === null) return usual;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > most) throw refuse('limit', `must be a whole number from 1 to ${most}.`);
  return limit;
}

/** Names apart, or several in one with commas between them. */
function parseGroups(texts: readonly string[], { groups }: OpenAiQueryRules): string[] {
  const names = texts.flatMap((text) => text.split(','));
  if (names.some((name) => !groups.includes(name))) throw refuse('group_by', `takes any of ${groups.join(', ')}.`);
  return [...new Set(names)];
}

function parseIds(name: string, texts: readonly string[] | undefined): readonly string[] | undefined {
  if (texts?.every(isUuid) === false) throw refuse(name, 'must be an id.');
  return texts;
}

export function toPageText(fromMs: number): string {
  return `page_${Buffer.from(String(fromMs / 1_000)).toString('base64url')}`;
}

function parsePage(text: string | null, { fromMs, toMs, widthMs }: { fromMs: number; toMs: number; widthMs: number }): number | null {
  if (text === null) return null;
  const decoded = Buffer.from(text.slice('page_'.length), 'base64url').toString();
  const pageFromMs = /^\d{1,12}$/.test(decoded) ? Number(decoded) * 1_000 : NaN;
  const isOurs = pageFromMs > fromMs && pageFromMs < toMs && pageFromMs % widthMs === 0 && toPageText(pageFromMs) === text;
  if (!isOurs) throw refuse('page', 'must be a next_page of an earlier answer to the same question.');
  return pageFromMs;
}
