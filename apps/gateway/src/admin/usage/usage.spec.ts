import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { newId } from '@weir/kernel';
import { LedgerReader } from '@weir/ledger';
import OpenAI from 'openai';
import { ControlPlane, type JsonValue } from '../../../../../test/support/control-plane';
import { waitFor } from '../../../../../test/support/wait-for';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

const DAY = 86_400;
/** A midnight some days ago, in seconds. */
const START = Math.floor(Date.now() / 1000 / DAY) * DAY - 5 * DAY;
const project = newId();
const [keyOne, keyTwo] = [newId(), newId()];

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;

interface Row {
  readonly at: number;
  readonly organization?: Organization;
  readonly operation?: string;
  readonly model?: string;
  readonly keyId?: string;
  readonly units?: object;
  readonly attempt?: number;
}

/** `at` in seconds after START. */
async function insertRow({ at, organization = acme, operation = 'chat', model = 'gpt-x', keyId = keyOne, units, attempt = 1 }: Row): Promise<void> {
  await plane.dataSource.query(
    `INSERT INTO usage_records (request_id, attempt, at, organization_id, project_id, key_id, operation, model, status, http_status, input_tokens, cached_input_tokens, output_tokens, units, cost_nanos, duration_ms)
     VALUES (gen_random_uuid(), $1, to_timestamp($2::float8), $3, $4, $5, $6, $7, 'succeeded', 200, 100, 40, 10, $8, 1500000, 12)`,
    [attempt, START + at, organization.id, keyId === keyOne ? project : null, keyId, operation, model, units ?? null],
  );
}

beforeAll(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
  await insertRow({ at: 10 });
  await insertRow({ at: 20, model: '=cmd', keyId: keyTwo, units: { cache_write_tokens: 7 } });
  await insertRow({ at: 20, operation: 'completions', attempt: 2 });
  await insertRow({ at: 2 * DAY + 3_600 });
  await insertRow({ at: DAY, organization: umbrella });
  await insertRow({ at: 30, operation: 'embeddings', model: 'emb' });
  await insertRow({ at: 30, operation: 'speech', model: 'voice', units: { characters: 321 } });
  await insertRow({ at: 30, operation: 'transcription', model: 'ear', units: { seconds: 1.5 } });
  await insertRow({ at: 30, operation: 'image', model: 'painter', units: { images: 3 } });
  await insertRow({ at: 30, operation: 'moderations', model: 'judge' });
});
afterAll(() => plane.stop());

const openAi = (adminAPIKey: string): OpenAI => new OpenAI({ adminAPIKey, apiKey: 'unused', baseURL: `http://127.0.0.1:${plane.port}/v1`, maxRetries: 0 });

describe('usage in OpenAI’s shape, by OpenAI’s own client', () => {
  it('is what an organization used, in buckets of which the empty ones are shown, too', async () => {
    const page = await openAi(acme.adminKey).admin.organization.usage.completions({ start_time: START, end_time: START + 3 * DAY });
    expect(page).toEqual({
      object: 'page',
      data: [
        {
          object: 'bucket',
          start_time: START,
          end_time: START + DAY,
          results: [
            {
              object: 'organization.usage.completions.result',
              input_tokens: 300,
              output_tokens: 30,
              input_cached_tokens: 120,
              input_cache_write_tokens: 7,
              input_uncached_tokens: 173,
              input_audio_tokens: 0,
              output_audio_tokens: 0,
              num_model_requests: 2,
              project_id: null,
              user_id: null,
              api_key_id: null,
              model: null,
              batch: null,
              service_tier: null,
            },
          ],
        },
        { object: 'bucket', start_time: START + DAY, end_time: START + 2 * DAY, results: [] },
        { object: 'bucket', start_time: START + 2 * DAY, end_time: START + 3 * DAY, results: [expect.objectContaining({ input_tokens: 100 })] },
      ],
      has_more: false,
      next_page: null,
    });
  });

  it('is grouped and narrowed', async () => {
    const { usage } = openAi(acme.viewerKey).admin.organization;
    const grouped = await usage.completions({ start_time: START, end_time: START + DAY, group_by: ['model', 'project_id', 'api_key_id', 'batch', 'user_id'] });
    expect(grouped.data[0].results.map((result) => result as JsonValue)).toMatchObject([
      { model: '=cmd', project_id: null, api_key_id: keyTwo, batch: false, user_id: null, num_model_requests: 1 },
      { model: 'gpt-x', project_id: project, api_key_id: keyOne, batch: false, num_model_requests: 1, input_tokens: 200 },
    ]);
    const narrowed = await usage.completions({ start_time: START, limit: 1, models: ['gpt-x', 'other'], api_key_ids: [keyOne], project_ids: [project] });
    expect(narrowed.data[0].results).toMatchObject([{ input_tokens: 200 }]);
  });

  it('is read page by page, by the hour and the minute', async () => {
    const { usage } = openAi(acme.adminKey).admin.organization;
    const question = { start_time: START + 2 * DAY, end_time: START + 2 * DAY + 5 * 3_600, bucket_width: '1h', limit: 2 } as const;
    const first = await usage.completions(question);
    expect(first).toMatchObject({ has_more: true, data: [{ results: [] }, { results: [{ input_tokens: 100 }] }] });
    const pages = [first];
    while (pages[pages.length - 1].next_page !== null) pages.push(await usage.completions({ ...question, page: pages[pages.length - 1].next_page ?? '' }));
    expect(pages.flatMap(({ data }) => data).map(({ start_time }) => (start_time - question.start_time) / 3_600)).toEqual([0, 1, 2, 3, 4]);
    const minutes = await usage.completions({ start_time: START, end_time: START + 120, bucket_width: '1m' });
    expect(minutes.data.map(({ results }) => results.length)).toEqual([1, 0]);
  });

  it('has the other kinds of work, each in its unit', async () => {
    const { usage } = openAi(acme.adminKey).admin.organization;
    const question = { start_time: START, limit: 1 };
    const resultOf = ({ data }: { data: { results: object[] }[] }): object => data[0].results[0];
    expect(resultOf(await usage.embeddings(question))).toEqual({ object: 'organization.usage.embeddings.result', input_tokens: 100, num_model_requests: 1, project_id: null, user_id: null, api_key_id: null, model: null });
    expect(resultOf(await usage.moderations(question))).toMatchObject({ object: 'organization.usage.moderations.result', input_tokens: 100 });
    expect(resultOf(await usage.images({ ...question, group_by: ['size', 'source'] }))).toMatchObject({ object: 'organization.usage.images.result', images: 3, size: null, source: null });
    expect(resultOf(await usage.audioSpeeches(question))).toMatchObject({ object: 'organization.usage.audio_speeches.result', characters: 321 });
    expect(resultOf(await usage.audioTranscriptions(question))).toMatchObject({ object: 'organization.usage.audio_transcriptions.result', seconds: 1.5 });
  });

  it('has the costs, by project and line item', async () => {
    const { usage } = openAi(acme.adminKey).admin.organization;
    const all = await usage.costs({ start_time: START, end_time: START + DAY });
    expect(all.data).toEqual([
      {
        object: 'bucket',
        start_time: START,
        end_time: START + DAY,
        results: [{ object: 'organization.costs.result', amount: { value: 0.012, currency: 'usd' }, project_id: null, user_id: null, line_item: null, api_key_id: null }],
      },
    ]);
    const grouped = await usage.costs({ start_time: START, end_time: START + DAY, group_by: ['line_item', 'project_id'], line_items: ['gpt-x', '=cmd'] });
    expect(grouped.data[0].results).toMatchObject([
      { line_item: '=cmd', project_id: null, amount: { value: 0.0015 } },
      { line_item: 'gpt-x', project_id: project, amount: { value: 0.003 } },
    ]);
  });

  it('is each organization’s own, and an owner’s of all or of one', async () => {
    const question = { start_time: START, end_time: START + 3 * DAY };
    const count = async (key: string, more: object = {}): Promise<number> => {
      const page = await openAi(key).admin.organization.usage.completions({ ...question, ...more });
      return page.data.flatMap(({ results }) => results as JsonValue[]).reduce((total, result) => total + result.num_model_requests, 0);
    };
    expect(await count(umbrella.viewerKey)).toBe(1);
    expect(await count(acme.adminKey, { organization_id: umbrella.id })).toBe(0);
    expect(await count(acme.adminKey, { api_key_ids: [keyOne] })).toBe(2);
    expect(await count(umbrella.adminKey, { api_key_ids: [keyTwo] })).toBe(0);
    expect(await count(plane.ownerKey)).toBe(4);
    expect(await count(plane.ownerKey, { organization_id: umbrella.id })).toBe(1);
  });

  it('refuses what OpenAI refuses, in its words', async () => {
    await expect(openAi('sk-wrong').admin.organization.usage.costs({ start_time: START })).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await expect(openAi(acme.adminKey).admin.organization.usage.costs({ start_time: START, bucket_width: '1h' as never })).rejects.toMatchObject({ status: 400, param: 'bucket_width' });
    const unknown = await plane.call('GET', `/v1/organization/usage/completions?start_time=${START}&colour=red`, { key: acme.adminKey });
    expect([unknown.status, unknown.body.error.param]).toEqual([400, 'colour']);
  });
});

describe('usage', () => {
  it('has every unit', async () => {
    const { body } = await plane.call('GET', `/admin/usage?group_by=operation&from=${new Date(START * 1000).toISOString()}`, { key: acme.viewerKey });
    const units = Object.fromEntries(body.data.map((row: JsonValue) => [row.operation, row]));
    expect(units).toMatchObject({ speech: { characters: 321 }, transcription: { seconds: 1.5 }, image: { images: 3 }, chat: { cache_write_tokens: 7, succeeded_attempts: 3, failed_attempts: 0 } });
    expect(Object.keys(units.chat)).toEqual(expect.arrayContaining(['reasoning_tokens', 'documents', 'gpu_seconds']));
  });
});

describe('the export of requests', () => {
  const parseCsv = (text: string): string[][] => text.trimEnd().split('\r\n').map((line) => line.split(','));

  it('is a CSV file of all that the filter fits, each organization its own', async () => {
    const answer = await plane.call('GET', '/admin/requests/export?operation=chat', { key: acme.viewerKey });
    expect(answer.headers).toMatchObject({ 'content-type': 'text/csv; charset=utf-8; header=present', 'cache-control': 'no-store' });
    expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="weir-requests-\d{4}-\d\d-\d\d\.csv"$/);
    const [header, ...lines] = parseCsv(answer.text);
    expect(header.slice(0, 3)).toEqual(['at', 'request_id', 'attempt']);
    expect(header).not.toContain('upstream_key_id');
    expect(lines.map((cells) => cells[header.indexOf('model')])).toEqual(['gpt-x', "'=cmd", 'gpt-x']);
    expect(lines[0][header.indexOf('cost_usd')]).toBe('0.0015');
    const owner = await plane.owner('GET', '/admin/requests/export?format=csv');
    expect(parseCsv(owner.text)).toHaveLength(11);
    expect(owner.text).toContain('upstream_key_id');
    expect(owner.text).toContain('"{""characters"":321}"');
    const foreign = await plane.call('GET', `/admin/requests/export?organization_id=${umbrella.id}`, { key: acme.viewerKey });
    expect(parseCsv(foreign.text)).toHaveLength(1);
  });

  it.each(['format=xml', 'limit=5', 'cursor=x', 'status=fine', 'from=yesterday'])('refuses %s by name', async (query) => {
    const answer = await plane.owner('GET', `/admin/requests/export?${query}`);
    expect([answer.status, answer.body.error.param]).toEqual([400, query.split('=')[0]]);
  });

  describe('of many rows', () => {
    const ROWS = 80_000;

    beforeAll(async () => {
      await plane.dataSource.query(
        `INSERT INTO usage_records (request_id, attempt, at, organization_id, key_id, operation, model, status, duration_ms)
         SELECT gen_random_uuid(), 1, to_timestamp($1 - i * 0.001), $2, $2, 'chat', 'many', 'succeeded', i FROM generate_series(1, $3::int) AS i`,
        [START, umbrella.id, ROWS],
      );
    });

    const open = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const request = httpRequest({ host: '127.0.0.1', port: plane.port, path: '/admin/requests/export?model=many', headers: { authorization: `Bearer ${plane.ownerKey}` }, agent: false }, resolve);
        request.on('error', reject);
        request.end();
      });

    /** What is counted, once it counts no further. */
    async function waitForRest(count: () => number): Promise<number> {
      let [last, polls] = [-1, 0];
      await waitFor(() => {
        polls = count() === last ? polls + 1 : 0;
        last = count();
        return polls === 20;
      }, { what: 'the counting to end' });
      return last;
    }

    it('holds each once', async () => {
      const response = await open();
      const seen = new Set<string>();
      let rest = '';
      for await (const chunk of response) {
        const lines = (rest + String(chunk)).split('\r\n');
        rest = lines.pop() ?? '';
        for (const line of lines) seen.add(line.slice(25, 61));
      }
      expect(seen.size).toBe(ROWS + 1);
    });

    it('asks for no more rows than are read, and stops when the reader leaves', async () => {
      const listRows = jest.spyOn(plane.app.get(LedgerReader), 'listRows');
      const response = await open();
      await once(response, 'readable');
      const pages = await waitForRest(() => listRows.mock.calls.length);
      expect(pages).toBeLessThan(40);
      response.destroy();
      const running = (): Promise<unknown[]> => plane.dataSource.query(`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%upstream_name%' AND pid <> pg_backend_pid()`);
      await waitFor(async () => (await running()).length === 0, { what: 'the question to end' });
      expect(await waitForRest(() => listRows.mock.calls.length)).toBeLessThan(pages + 2);
      listRows.mockRestore();
    });
  });
});
