import { toBucketTimes } from './open-ai-usage-page';
import { COSTS_RULES, OPEN_AI_USAGE_KINDS, toUsageRules } from './open-ai-usage-kinds';
import { parseOpenAiUsageQuery, toPageText } from './open-ai-usage-query';

const RULES = toUsageRules(OPEN_AI_USAGE_KINDS.completions);
const MIDNIGHT = Date.UTC(2026, 10, 20);
const NOW = MIDNIGHT + 13 * 3_600_000 + 5_000;
const start = String(MIDNIGHT / 1000);
const ID = '018f0000-0000-7000-8000-000000000000';

describe('parseOpenAiUsageQuery', () => {
  it('reads a query as OpenAI’s clients write it, with the defaults of their documents', () => {
    expect(parseOpenAiUsageQuery({ start_time: start }, RULES, NOW)).toEqual({
      fromMs: MIDNIGHT,
      toMs: MIDNIGHT + 86_400_000,
      bucket: 'day',
      limit: 7,
      groups: [],
      pageFromMs: null,
    });
    const query = { start_time: start, end_time: String(NOW / 1000), bucket_width: '1h', 'group_by[]': ['model', 'api_key_id'], 'models[]': 'gpt', 'project_ids[]': ID, limit: '168', batch: 'false' };
    expect(parseOpenAiUsageQuery(query, RULES, NOW)).toMatchObject({ toMs: NOW, bucket: 'hour', groups: ['model', 'api_key_id'], names: ['gpt'], projectIds: [ID], limit: 168 });
    expect(parseOpenAiUsageQuery({ start_time: start, group_by: 'model,project_id', 'models[0]': 'a', 'models[1]': 'b' }, RULES, NOW)).toMatchObject({ groups: ['model', 'project_id'], names: ['a', 'b'] });
  });

  it.each([
    ['start_time', {}],
    ['start_time', { start_time: 'yesterday' }],
    ['start_time', { start_time: '-1' }],
    ['start_time', { start_time: '1.5' }],
    ['start_time', { start_time: '999999999999' }],
    ['start_time', { start_time: ['1', '2'] }],
    ['start_time', { start_time: { $gt: '1' } }],
    ['end_time', { start_time: '5', end_time: '5' }],
    ['bucket_width', { start_time: start, bucket_width: '1y' }],
    ['bucket_width', { start_time: start, bucket_width: 'constructor' }],
    ['limit', { start_time: start, limit: '32' }],
    ['limit', { start_time: start, limit: '0' }],
    ['group_by', { start_time: start, 'group_by[]': 'colour' }],
    ['group_by', { start_time: start, 'group_by[]': ['model', ''] }],
    ['project_ids', { start_time: start, 'project_ids[]': 'x' }],
    ['api_key_ids', { start_time: start, api_key_ids: "' OR 1=1" }],
    ['organization_id', { start_time: start, organization_id: '1' }],
    ['models', { start_time: start, 'models[]': 'a\0' }],
    ['models', { start_time: start, 'models[]': 'x'.repeat(513) }],
    ['models', { start_time: start, 'models[]': Array.from({ length: 1001 }, () => 'x') }],
    ['user_ids[]', { start_time: start, 'user_ids[]': 'someone' }],
    ['line_items[]', { start_time: start, 'line_items[]': 'x' }],
    ['colour', { start_time: start, colour: 'red' }],
    ['start_time[]', { 'start_time[]': start }],
    ['batch', { start_time: start, batch: 'true' }],
    ['page', { start_time: start, page: 'page_x' }],
    ['page', { start_time: start, page: toPageText(MIDNIGHT) }],
    ['page', { start_time: start, page: toPageText(MIDNIGHT + 1000) }],
    ['page', { start_time: start, page: toPageText(MIDNIGHT + 10 * 86_400_000) }],
  ])('refuses a wrong %s by name: %j', (param, query) => {
    expect(() => parseOpenAiUsageQuery(query, RULES, NOW)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('takes only days for costs, up to 180', () => {
    expect(parseOpenAiUsageQuery({ start_time: start, limit: '180', 'line_items[]': 'gpt' }, COSTS_RULES, NOW)).toMatchObject({ limit: 180, names: ['gpt'] });
    expect(() => parseOpenAiUsageQuery({ start_time: start, bucket_width: '1h' }, COSTS_RULES, NOW)).toThrow(expect.objectContaining({ param: 'bucket_width' }));
  });
});

describe('toBucketTimes', () => {
  const toTimes = (query: Record<string, string>) => toBucketTimes(parseOpenAiUsageQuery(query, RULES, NOW)).map(({ fromMs, toMs }) => [fromMs - MIDNIGHT, toMs - MIDNIGHT]);
  const HOUR = 3_600_000;

  it('cuts a range at full hours in UTC, and the ends where they are', () => {
    const from = String(MIDNIGHT / 1000 + 1800);
    const to = String(MIDNIGHT / 1000 + 2 * 3600 + 60);
    expect(toTimes({ start_time: from, end_time: to, bucket_width: '1h' })).toEqual([[HOUR / 2, HOUR], [HOUR, 2 * HOUR], [2 * HOUR, 2 * HOUR + 60_000]]);
  });

  it('shows the bucket of now whole, and goes on where a page ended', () => {
    expect(toTimes({ start_time: start, bucket_width: '1h', limit: '2', page: toPageText(MIDNIGHT + 12 * HOUR) })).toEqual([[12 * HOUR, 13 * HOUR], [13 * HOUR, 14 * HOUR]]);
  });

  it('has none after now', () => {
    expect(toTimes({ start_time: String(NOW / 1000 + 3 * 86_400) })).toEqual([]);
  });
});
