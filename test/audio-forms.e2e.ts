import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { cut, Gate, respond, type SimulatorCall, type Step } from '@weir/testing';
import { type ModelSetup, TestGateway } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

const SOUND = Buffer.concat([Buffer.from('RIFF\x24\x00\x00\x00WAVEfmt ', 'latin1'), randomBytes(200_000)]);
const SRT = '1\n00:00:00,000 --> 00:00:02,000\nGrüß Gott\n';
const VTT = 'WEBVTT\n\n00:00.000 --> 00:02.000\nGrüß Gott\n';

let gateway: TestGateway;
let openai: OpenAI;
let dataDirectory: string;
let places = 0;

beforeAll(async () => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'weir-test-forms-'));
  gateway = await TestGateway.start({ WEIR_DATA_DIR: dataDirectory });
  openai = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(dataDirectory, { recursive: true, force: true });
});
beforeEach(() => gateway.simulator.reset());
// Whatever a test did: no upload stays on the disk when its request is over.
afterEach(async () => {
  await waitFor(() => uploads().length === 0, { what: 'an empty folder of uploads' });
});

function uploads(): string[] {
  try {
    return readdirSync(join(dataDirectory, 'uploads'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.upload'));
  } catch {
    return [];
  }
}

interface Service {
  readonly model: string;
  readonly path: string;
}

async function addService(setup: ModelSetup = {}): Promise<Service> {
  places += 1;
  const model = `whisper-${places}`;
  await gateway.addModel(model, { operation: 'transcriptions', baseUrl: `${gateway.simulator.origin}/place${places}/v1`, upstreamModel: 'whisper-1', price: { per_second_usd: '0.0001' }, ...setup });
  return { model, path: `/place${places}/v1/audio/transcriptions` };
}

const heard = (path: string): SimulatorCall[] => gateway.simulator.calls.filter((call) => call.path === path);
const sound = (): Promise<File> => toFile(SOUND, 'grüß.wav', { type: 'audio/wav' });
const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; param: string } }).error;

/** A form that reached the simulator, as a reader of forms understands it. */
async function readForm({ body, headers }: SimulatorCall): Promise<{ texts: [string, string][]; files: [string, string, string, Buffer][] }> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': headers['content-type'] ?? '' } }).formData();
  const texts: [string, string][] = [];
  const files: [string, string, string, Buffer][] = [];
  for (const [name, value] of form) {
    if (typeof value === 'string') texts.push([name, value]);
    else files.push([name, value.name, value.type, Buffer.from(await value.arrayBuffer())]);
  }
  return { texts, files };
}

function send(path: string, fields: readonly (readonly [string, string | Blob])[], key = gateway.key, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, value, 'a.wav');
  }
  return fetch(gateway.weir.url + path, { method: 'POST', headers: { authorization: `Bearer ${key}`, ...headers }, body: form });
}

const blob = (bytes: Buffer = SOUND): Blob => new Blob([new Uint8Array(bytes)], { type: 'audio/wav' });

describe('the official SDK', () => {
  it('gets a transcription, and the service gets the form as it was, with its own model name', async () => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ text: 'Grüß Gott', usage: { type: 'duration', seconds: 9 } }));
    const answer = await openai.audio.transcriptions.create({ model, file: await sound(), language: 'de', temperature: 0.2, prompt: 'https://example.com is said', timestamp_granularities: ['word', 'segment'] }).withResponse();
    expect(answer.data.text).toBe('Grüß Gott');
    const { texts, files } = await readForm(heard(path)[0]);
    expect(texts).toEqual(expect.arrayContaining([['model', 'whisper-1'], ['language', 'de'], ['temperature', '0.2'], ['prompt', 'https://example.com is said'], ['timestamp_granularities[]', 'word'], ['timestamp_granularities[]', 'segment']]));
    expect(texts).toHaveLength(6);
    expect(files).toEqual([['file', 'grüß.wav', 'audio/wav', SOUND]]);
    expect(heard(path)[0].headers['content-length']).toBe(String(heard(path)[0].body.length));
    expect(await gateway.rows(answer.request_id)).toMatchObject([{ operation: 'transcriptions', model, upstream_model: 'whisper-1', estimated: false, status: 'succeeded', cost_nanos: String(9 * 100_000) }]);
  });

  it.each([
    ['text', 'text/plain; charset=utf-8', 'Grüß Gott\n'],
    ['srt', 'text/plain; charset=utf-8', SRT],
    ['srt', 'application/x-subrip', SRT],
    ['vtt', 'text/vtt', VTT],
  ] as const)('gets %s that came as %s as it is', async (response_format, type, text) => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.pieces(type, text));
    expect(await openai.audio.transcriptions.create({ model, file: await sound(), response_format })).toBe(text);
  });

  it.each([
    ['by its usage', { usage: { type: 'duration', seconds: 3 } }, { estimated: false, cost_nanos: '300000' }],
    ['by its duration', { duration: 2.5 }, { estimated: false, cost_nanos: '250000' }],
    ['by a duration that is a text, as vLLM has it', { duration: '2.5' }, { estimated: false, cost_nanos: '250000' }],
    ['by an estimate, where nobody tells', {}, { estimated: true }],
  ])('gets verbose_json, charged %s', async (_what, told, row) => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ task: 'transcribe', language: 'german', text: 'Grüß Gott', words: [{ word: 'Grüß', start: 0, end: 1 }], ...told }));
    const answer = await openai.audio.transcriptions.create({ model, file: await sound(), response_format: 'verbose_json' }).withResponse();
    expect(answer.data).toMatchObject({ words: [{ word: 'Grüß' }] });
    const [charged] = await gateway.rows(answer.request_id);
    expect(charged).toMatchObject(row);
    expect(Number(charged.cost_nanos)).toBeGreaterThan(0);
  });

  it('gets a stream as it comes, charged by its tokens', async () => {
    const { model, path } = await addService({ price: { input_per_million_usd: '6', output_per_million_usd: '10' } });
    const gate = new Gate();
    const events = [{ type: 'transcript.text.delta', delta: 'Grüß ' }, { type: 'transcript.text.delta', delta: 'Gott' }, { type: 'transcript.text.done', text: 'Grüß Gott', usage: { type: 'tokens', input_tokens: 90, output_tokens: 5, total_tokens: 95 } }];
    const [first, ...others] = events.map((event) => `data: ${JSON.stringify(event)}\n\n`);
    gateway.simulator.forPath(path, respond.stream(first, gate, ...others));
    const { data, request_id } = await openai.audio.transcriptions.create({ model, file: await sound(), stream: true }).withResponse();
    const seen: object[] = [];
    for await (const event of data) {
      seen.push(event);
      gate.open();
    }
    expect(seen).toEqual(events);
    expect((await readForm(heard(path)[0])).texts).toEqual(expect.arrayContaining([['stream', 'true']]));
    expect(await gateway.rows(request_id)).toMatchObject([{ input_tokens: '90', output_tokens: '5', estimated: false, cost_nanos: String(90 * 6000 + 5 * 10_000) }]);
  });

  it('gets a translation', async () => {
    const { model, path } = await addService();
    const translations = path.replace('transcriptions', 'translations');
    gateway.simulator.forPath(translations, respond.json({ text: 'Hello' }));
    expect((await openai.audio.translations.create({ model, file: await sound() })).text).toBe('Hello');
    const { texts, files } = await readForm(heard(translations)[0]);
    expect([texts, files[0][3].equals(SOUND)]).toEqual([[['model', 'whisper-1']], true]);
  });
});

describe('a transcription', () => {
  it('is tried at a second upstream with the same file', async () => {
    const first = await gateway.addUpstream('deaf', { baseUrl: `${gateway.simulator.origin}/deaf`, secrets: ['sk-one'] });
    const second = await gateway.addUpstream('not deaf', { baseUrl: `${gateway.simulator.origin}/hears`, secrets: ['sk-two'] });
    gateway.simulator.forPath('/deaf/audio/transcriptions', respond.status(500));
    gateway.simulator.forPath('/hears/audio/transcriptions', respond.json({ text: 'Grüß Gott' }));
    await gateway.addRoute('two that hear', [first.id, second.id], { operation: 'transcriptions' });
    const { data, response } = await openai.audio.transcriptions.create({ model: 'two that hear', file: await sound() }).withResponse();
    expect([data.text, response.headers.get('x-weir-attempts')]).toEqual(['Grüß Gott', '2']);
    const [one, two] = await Promise.all(gateway.simulator.calls.map(readForm));
    expect(one.files).toEqual(two.files);
    expect(two.files[0][3].equals(SOUND)).toBe(true);
  });

  it('that was asked to stream is whole where the model does not stream, as OpenAI has it', async () => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ text: 'Grüß Gott' }));
    const response = await send('/v1/audio/transcriptions', [['model', model], ['stream', 'true'], ['file', blob()]]);
    expect([response.status, await response.json()]).toEqual([200, { text: 'Grüß Gott' }]);
    expect(heard(path)).toHaveLength(1);
  });

  it.each<[string, Step[]]>([
    ['torn', [cut]],
    ['ended without its last event', []],
  ])('whose stream is %s ends with an error, and is charged', async (_what, end) => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.stream(`data: ${JSON.stringify({ type: 'transcript.text.delta', delta: 'Grüß ' })}\n\n`, ...end));
    const response = await send('/v1/audio/transcriptions', [['model', model], ['stream', 'true'], ['file', blob()]]);
    expect(await response.text()).toContain('"error"');
    const [row] = await gateway.rows(response.headers.get('x-request-id'));
    expect([row.status, Number(row.cost_nanos) > 0]).toEqual(['failed', true]);
  });

  it.each([
    ['HTML', respond.html()],
    ['a page as plain text', respond.pieces('text/plain', 'Bad gateway')],
    ['nothing', respond.empty()],
    ['gzip', respond.gzip({ text: 'a' })],
    ['a closed connection', respond.closeBeforeHead()],
    ['an error under 200', respond.json({ error: { message: 'no', type: 'server_error' } })],
  ] as const)('answered by %s is 502 or 503, and free', async (_what, reply) => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, reply);
    const response = await send('/v1/audio/transcriptions', [['model', model], ['file', blob()]]);
    expect([502, 503]).toContain(response.status);
    const rows = await gateway.rows(response.headers.get('x-request-id'));
    expect(rows.every(({ status, cost_nanos }) => status === 'failed' && cost_nanos === '0')).toBe(true);
  });

  it('is refused where the form is wrong, before anybody is asked', async () => {
    const { model, path } = await addService();
    const file = ['file', blob()] as const;
    const cases: readonly [readonly (readonly [string, string | Blob])[], number, string | null, string?][] = [
      [[['model', model]], 400, 'file'],
      [[file], 400, 'model'],
      [[['model', model], ['file', blob(Buffer.alloc(0))]], 400, 'file'],
      [[['model', model], ['file', 'https://example.com/a.wav']], 400, 'file'],
      [[['model', model], file, ['url', 'http://10.0.0.1/a.wav']], 400, 'url'],
      [[['model', model], file, ['file_url', 'file:///etc/passwd']], 400, 'file_url'],
      [[['model', model], file, ['known_speaker_references[]', 'https://example.com/a.wav']], 400, 'known_speaker_references[]'],
      [[['model', model], file, ['model', 'another']], 400, 'model'],
      [[['model', model], file, file], 400, 'file'],
      [[['model', model], file, ['stream', 'maybe']], 400, 'stream'],
      [[['model', 'nothing'], file], 404, 'model'],
    ];
    for (const [fields, status, param] of cases) {
      const response = await send('/v1/audio/transcriptions', fields);
      expect([fields.map(([name]) => name), response.status, (await errorOf(response)).param]).toEqual([fields.map(([name]) => name), status, param]);
    }
    const translated = await send('/v1/audio/translations', [['model', model], file, ['stream', 'true']]);
    expect([translated.status, (await errorOf(translated)).param]).toEqual([400, 'stream']);
    expect((await gateway.weir.post('/v1/audio/transcriptions', gateway.key, { model })).status).toBe(415);
    const data = 'data:audio/wav;base64,UklGRg==';
    gateway.simulator.forPath(path, respond.json({ text: 'a' }));
    const known = await send('/v1/audio/transcriptions', [['model', model], file, ['known_speaker_references[]', data], ['known_speaker_references[]', data]]);
    expect(known.status).toBe(200);
    expect(heard(path)).toHaveLength(1);
  });

  it('may show four voices of ten seconds each, and no more than that', async () => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ text: 'a' }));
    // 48 kHz, 16 bit, stereo.
    const voice = `data:audio/wav;base64,${randomBytes(1_920_044).toString('base64')}`;
    const shown = (count: number) => Array.from({ length: count }, () => ['known_speaker_references[]', voice] as const);
    const answered = await send('/v1/audio/transcriptions', [['model', model], ['file', blob()], ...shown(4)]);
    expect([answered.status, await answered.text()]).toEqual([200, expect.stringContaining('"a"')]);
    expect((await readForm(heard(path)[0])).texts.filter(([, value]) => value === voice)).toHaveLength(4);
    for (const tooMany of [shown(5), [['known_speaker_references[]', voice + voice] as const]]) {
      const refused = await send('/v1/audio/transcriptions', [['model', model], ['file', blob()], ...tooMany]);
      expect([refused.status, (await errorOf(refused)).param]).toEqual([400, 'known_speaker_references[]']);
    }
    expect(heard(path)).toHaveLength(1);
  });

  it('is refused to a key that may not use the model, and to one without a key', async () => {
    const { model, path } = await addService();
    const another = await addService();
    const other = await addKey(gateway.weir, { models: [another.model] });
    const refused = await send('/v1/audio/transcriptions', [['model', model], ['file', blob()]], other.key);
    expect([refused.status, (await errorOf(refused)).code]).toEqual([403, 'model_not_allowed']);
    expect((await send('/v1/audio/transcriptions', [['model', model], ['file', blob()]], 'sk-wrong')).status).toBe(401);
    expect(heard(path)).toEqual([]);
  });

  it('under one Idempotency-Key is answered once; another file under it is refused', async () => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ text: 'one' }), respond.json({ text: 'two' }));
    const key = { 'idempotency-key': randomBytes(8).toString('hex') };
    const ask = (bytes: Buffer): Promise<Response> => send('/v1/audio/transcriptions', [['model', model], ['file', blob(bytes)]], gateway.key, key);
    const answers = [await ask(SOUND), await ask(SOUND)];
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([{ text: 'one' }, { text: 'one' }]);
    expect((await ask(Buffer.concat([SOUND.subarray(0, -1), Buffer.from([SOUND[SOUND.length - 1] ^ 1])]))).status).toBe(422);
    expect(heard(path)).toHaveLength(1);
  });

  it('of 30 MB, five at once, holds the memory flat', async () => {
    const { model, path } = await addService();
    gateway.simulator.forPath(path, respond.json({ text: 'long' }));
    const large = Buffer.concat([SOUND, randomBytes(30 * 1024 * 1024)]);
    let peakKb = 0;
    const before = residentKb();
    const watch = setInterval(() => (peakKb = Math.max(peakKb, residentKb())), 20);
    const answers = await Promise.all(Array.from({ length: 5 }, () => send('/v1/audio/transcriptions', [['model', model], ['file', blob(large)]])));
    clearInterval(watch);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(peakKb - before).toBeLessThan(90 * 1024);
    expect((await readForm(heard(path)[4])).files[0][3].equals(large)).toBe(true);
  });

  it('that is too large is 413', async () => {
    const { model } = await addService();
    expect((await send('/v1/audio/transcriptions', [['model', model], ['file', blob(Buffer.alloc(51 * 1024 * 1024))]])).status).toBe(413);
  });
});

function residentKb(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.weir.child.pid}/status`, 'utf8'))?.[1]);
}
