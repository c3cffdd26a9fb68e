import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import OpenAI, { toFile } from 'openai';
import { cut, Gate, Reply, reset, respond, type Step } from '@weir/testing';
import { byCall } from './support/gpu-services';
import { type ModelSetup, TestGateway } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

const TYPES = { mp3: 'audio/mpeg', opus: 'audio/ogg', aac: 'audio/aac', flac: 'audio/flac', wav: 'audio/wav', pcm: 'audio/pcm' } as const;
const FORMATS = Object.keys(TYPES) as (keyof typeof TYPES)[];
const SOUND = randomBytes(50_000);
const WAV = Buffer.concat([Buffer.from('RIFF\x24\x00\x00\x00WAVEfmt ', 'latin1'), randomBytes(100_000)]);
/** 15 dollars for a million characters. */
const PRICE = { per_thousand_characters_usd: '0.015' };
const NANOS_PER_CHARACTER = 15_000;

let gateway: TestGateway;
let openai: OpenAI;
let places = 0;
/** One of each, where a test breaks nothing. */
let well: Readonly<Record<'openai' | 'vllm-omni' | 'index-tts', Service>>;

beforeAll(async () => {
  gateway = await TestGateway.start({ MAX_UPLOAD_BYTES: String(8 * 1024 * 1024) });
  openai = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
  well = { openai: await addService('openai'), 'vllm-omni': await addService('vllm-omni'), 'index-tts': await addService('index-tts') };
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.simulator.reset());

interface Service {
  readonly model: string;
  /** Where it speaks. */
  readonly path: string;
}

/** A TTS service with an address of its own. */
async function addService(provider: 'openai' | 'vllm-omni' | 'index-tts', setup: ModelSetup = {}): Promise<Service> {
  places += 1;
  const model = `${provider} ${places}`;
  const base = `/place${places}`;
  const paths = {
    openai: [`${base}/v1`, `${base}/v1/audio/speech`, `${base}/none`],
    'vllm-omni': [base, `${base}/v1/audio/speech`, `${base}/v1/audio/voices`],
    'index-tts': [base, `${base}/audio/speech`, `${base}/audio/voices`],
  } as const;
  const [basePath, path, voices] = paths[provider];
  gateway.simulator.forPath(voices, respond.json(provider === 'index-tts' ? { jay: ['a.wav'] } : { voices: ['vivian', 'ryan'], uploaded_voices: [] }));
  const keys = provider === 'openai' ? {} : { secrets: [], options: { no_key: true } };
  await gateway.addModel(model, { provider, operation: 'speech', baseUrl: gateway.simulator.origin + basePath, upstreamModel: 'tts-1', price: PRICE, ...keys, ...setup });
  return { model, path };
}

/** The ids of the services' upstreams. */
async function upstreamsOf(...services: readonly Service[]): Promise<string[]> {
  const rows = await gateway.database.query<{ upstream_id: string }>(
    'SELECT t.upstream_id FROM model_targets t JOIN models m ON m.id = t.model_id WHERE m.name = ANY($1) ORDER BY array_position($1, m.name)',
    [services.map(({ model }) => model)],
  );
  return rows.map((row) => row.upstream_id);
}

/** Speaks in whatever format is asked, as events or as bytes. */
const speaks = byCall(({ json }) => respond.pieces(TYPES[(json.response_format ?? 'mp3') as keyof typeof TYPES], SOUND.subarray(0, 20_000), SOUND.subarray(20_000)));

const spoken = (path: string) => gateway.simulator.calls.filter((call) => call.path === path);
const say = (model: string, fields: object = {}, key = gateway.key) => gateway.weir.post('/v1/audio/speech', key, { model, input: 'Grüß Gott', voice: 'vivian', ...fields });
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; param: string; message: string; type: string } }).error;

describe('sound comes in the format that was asked for', () => {
  it.each(FORMATS)('%s, from OpenAI', async (format) => {
    const { model, path } = well.openai;
    gateway.simulator.forPath(path, speaks);
    const response = await openai.audio.speech.create({ model, input: 'Hello', voice: 'alloy', response_format: format, speed: 1.5 });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, TYPES[format]]);
    expect((await bytesOf(response)).equals(SOUND)).toBe(true);
    expect(spoken(path)).toMatchObject([{ json: { model: 'tts-1', input: 'Hello', voice: 'alloy', response_format: format, speed: 1.5 } }]);
  });

  it.each(FORMATS)('%s, from vLLM-Omni', async (format) => {
    const { model, path } = well['vllm-omni'];
    gateway.simulator.forPath(path, speaks);
    const response = await openai.audio.speech.create({ model, input: 'Hello', voice: 'vivian', response_format: format, instructions: 'softly' });
    expect(response.headers.get('content-type')).toBe(TYPES[format]);
    expect((await bytesOf(response)).equals(SOUND)).toBe(true);
    const streams = format === 'pcm' || format === 'wav' ? { stream_format: 'audio' } : {};
    expect(spoken(path)[0].json).toEqual({ model: 'tts-1', input: 'Hello', voice: 'vivian', response_format: format, instructions: 'softly', ...streams });
  });

  it('mp3 where none was, from vLLM-Omni', async () => {
    const { model, path } = well['vllm-omni'];
    gateway.simulator.forPath(path, speaks);
    expect((await say(model)).headers.get('content-type')).toBe('audio/mpeg');
    expect(spoken(path)[0].json.response_format).toBe('mp3');
  });

  it('wav from IndexTTS, and nothing that it cannot do', async () => {
    const { model, path } = well['index-tts'];
    gateway.simulator.forPath(path, speaks);
    const response = await openai.audio.speech.create({ model, input: 'Hello', voice: 'jay' });
    expect([response.headers.get('content-type'), (await bytesOf(response)).equals(SOUND)]).toEqual(['audio/wav', true]);
    expect(spoken(path)[0].json).toEqual({ model: 'tts-1', input: 'Hello', voice: 'jay', response_format: 'wav' });
    for (const [fields, param] of [[{ response_format: 'mp3' }, 'response_format'], [{ speed: 2 }, 'speed'], [{ instructions: 'x' }, 'instructions'], [{ stream_format: 'sse' }, 'stream_format'], [{ voice: null }, 'voice']] as const) {
      const refused = await say(model, fields);
      expect([refused.status, (await errorOf(refused)).param]).toEqual([400, param]);
    }
    expect(spoken(path)).toHaveLength(1);
  });
});

describe('sound is passed as it comes', () => {
  it.each(['openai', 'vllm-omni', 'index-tts'] as const)('by %s: the first piece while the second is not spoken yet', async (provider) => {
    const { model, path } = well[provider];
    const gate = new Gate();
    gateway.simulator.forPath(path, respond.pieces('audio/wav', SOUND.subarray(0, 100), gate, SOUND.subarray(100)));
    const response = await say(model, { response_format: 'wav', voice: 'jay' });
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    const reader = response.body!.getReader();
    const first = await reader.read();
    expect([first.value?.length, gate.isOpen]).toEqual([100, false]);
    gate.open();
    let rest = 0;
    for (let next = await reader.read(); next.value !== undefined; next = await reader.read()) rest += next.value.length;
    expect(rest).toBe(SOUND.length - 100);
  });

  it('to a caller that does not read: no more is taken than fits into the connections', async () => {
    const { model, path } = well.openai;
    const piece = Buffer.alloc(64 * 1024, 7);
    const pieceCount = 512;
    const callCount = 8;
    let written = 0;
    const speaksLong = new Reply(async ({ response, write }) => {
      response.writeHead(200, { 'content-type': 'audio/pcm' });
      for (let index = 0; index < pieceCount; index += 1) {
        await write(piece);
        written += piece.length;
      }
      response.end();
    });
    gateway.simulator.forPath(path, speaksLong);
    const before = residentKb();
    const calls = Array.from({ length: callCount }, () => new Promise<IncomingMessage>((resolve, reject) => {
      const sent = httpRequest(`${gateway.weir.url}/v1/audio/speech`, { method: 'POST', headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' } }, resolve);
      sent.on('error', reject);
      sent.end(JSON.stringify({ model, input: 'Hello', voice: 'alloy', response_format: 'pcm' }));
    }));
    const responses = await Promise.all(calls);
    for (const response of responses) response.pause();
    // What was not read stays with the upstream: it stands still, far from its end.
    let earlier = -1;
    await waitFor(() => written === earlier || ((earlier = written), false), { what: 'the upstream to stand still', intervalMs: 250 });
    expect(spoken(path).map(({ outcome }) => outcome)).toEqual(calls.map(() => 'open'));
    expect(residentKb() - before).toBeLessThan(64 * 1024);
    let read = 0;
    for (const response of responses) for await (const chunk of response as AsyncIterable<Buffer>) read += chunk.length;
    expect(read).toBe(callCount * pieceCount * piece.length);
  });
});

function residentKb(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.weir.child.pid}/status`, 'utf8'))?.[1]);
}

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;
const DELTA = event({ type: 'speech.audio.delta', audio: SOUND.subarray(0, 3000).toString('base64') });
const DONE = event({ type: 'speech.audio.done', usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 } });

describe('stream_format sse', () => {
  it.each([['openai', 'mp3'], ['vllm-omni', 'pcm']] as const)('by %s: events as they come, with their usage', async (provider, format) => {
    const { model, path } = await addService(provider, { price: { input_per_million_usd: '0.6', output_per_million_usd: '12' } });
    const gate = new Gate();
    gateway.simulator.forPath(path, respond.stream(DELTA, gate, DELTA, DONE));
    const response = await openai.audio.speech.create({ model, input: 'Hello', voice: 'vivian', stream_format: 'sse', response_format: format });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(DELTA);
    gate.open();
    let rest = '';
    for (let next = await reader.read(); next.value !== undefined; next = await reader.read()) rest += Buffer.from(next.value).toString();
    expect(rest).toBe(DELTA + DONE);
    expect(spoken(path)[0].json.stream_format).toBe('sse');
    const rows = await gateway.rows(response.headers.get('x-request-id'));
    expect(rows).toMatchObject([{ input_tokens: '14', output_tokens: '101', estimated: false, status: 'succeeded', cost_nanos: String(14 * 600 + 101 * 12_000) }]);
  });

  it('is refused in formats that vLLM-Omni does not stream', async () => {
    const { model } = well['vllm-omni'];
    const refused = await say(model, { stream_format: 'sse' });
    expect([refused.status, (await errorOf(refused)).param]).toEqual([400, 'response_format']);
  });

  it.each<[string, Step[]]>([
    ['breaks', [DELTA, reset]],
    ['ends without its last event', [DELTA]],
    ['tells an error', [DELTA, event({ type: 'error', error: { message: 'out of memory', type: 'server_error', code: null } })]],
  ])('that %s in the middle ends with an error event, never as if it were whole, and what was spoken is charged', async (_what, steps) => {
    const { model, path } = await addService('openai');
    gateway.simulator.forPath(path, respond.stream(...steps));
    const response = await say(model, { stream_format: 'sse' });
    const text = await response.text();
    expect(text.startsWith(DELTA)).toBe(true);
    expect(text.slice(DELTA.length)).toContain('"error"');
    expect(text).not.toContain('speech.audio.done');
    expect(await gateway.rows(response.headers.get('x-request-id'))).toMatchObject([{ status: 'failed', cost_nanos: String(9 * NANOS_PER_CHARACTER) }]);
  });
});

describe('voices', () => {
  it('are taken, listed and deleted by the official SDK', async () => {
    const { model, path } = well['vllm-omni'];
    const made = await openai.audio.voices.create({ name: 'Ann of the SDK', consent: 'cons_1', audio_sample: await toFile(WAV, 'ann.wav', { type: 'audio/wav' }) });
    expect(made).toMatchObject({ object: 'audio.voice', name: 'Ann of the SDK', type: 'audio_sample' });
    const listed = await listVoices();
    expect(listed.voices).toEqual(expect.arrayContaining(['ryan', 'vivian', 'Ann of the SDK']));
    expect(listed.data).toMatchObject([{ id: made.id, bytes: WAV.length }]);
    expect(listed.uploaded_voices).toMatchObject([{ name: 'Ann of the SDK', mime_type: 'audio/wav', file_size: WAV.length }]);
    expect(await openai.audio.voices.delete(made.id)).toMatchObject({ id: made.id, deleted: true });
    await expect(openai.audio.voices.delete(made.id)).rejects.toMatchObject({ status: 404 });
    gateway.simulator.forPath(path, speaks);
    await bytesOf(await say(model, { voice: 'Ann of the SDK' }));
    expect(spoken(path)[0].json).toMatchObject({ voice: 'Ann of the SDK' });
  });

  it('are spoken with: the recording goes to the service, at each try, and nowhere else', async () => {
    const broken = await addService('vllm-omni');
    const { model, path } = await addService('vllm-omni');
    await gateway.addRoute('two that speak', await upstreamsOf(broken, { model, path }), { operation: 'speech', upstreamModel: 'tts-1', price: PRICE });
    const made = await upload({ name: 'Ann', consent: 'cons_1', ref_text: 'What I said.' });
    expect(made.status).toBe(200);
    const { id } = (await made.json()) as { id: string };
    gateway.simulator.forPath(broken.path, respond.status(500));
    gateway.simulator.forPath(path, speaks);
    for (const voice of ['Ann', id, { id }]) {
      const response = await say('two that speak', { voice, response_format: 'wav', seed: 5 });
      expect([response.status, (await bytesOf(response)).equals(SOUND)]).toEqual([200, true]);
    }
    const uri = `data:audio/wav;base64,${WAV.toString('base64')}`;
    expect(spoken(path)).toHaveLength(3);
    for (const { json, headers, text } of [...spoken(path), ...spoken(broken.path)]) {
      expect(json).toEqual({ seed: 5, model: 'tts-1', input: 'Grüß Gott', response_format: 'wav', stream_format: 'audio', task_type: 'Base', ref_text: 'What I said.', ref_audio: uri });
      expect([headers['content-length'], headers['content-type'], headers['transfer-encoding']]).toEqual([String(Buffer.byteLength(text)), 'application/json', undefined]);
    }
    expect(spoken(broken.path).length).toBeGreaterThan(0);
  });

  it('are spoken with by a fallback, where the model that was asked for cannot; its own voices are its own', async () => {
    const [hosted, fallback] = [await addService('openai'), await addService('vllm-omni')];
    await gateway.addRoute('hosted first', await upstreamsOf(hosted), { operation: 'speech', upstreamModel: 'tts-1', price: PRICE, fallbacks: [fallback.model] });
    const { id } = (await (await upload({ name: 'nova', consent: 'c' })).json()) as { id: string };
    gateway.simulator.forPath(hosted.path, speaks);
    gateway.simulator.forPath(fallback.path, speaks);
    const uri = `data:audio/wav;base64,${WAV.toString('base64')}`;
    const byId = await say('hosted first', { voice: id, response_format: 'wav' });
    expect([byId.status, decodeURIComponent(byId.headers.get('x-weir-model') ?? '')]).toEqual([200, fallback.model]);
    await bytesOf(byId);
    expect([spoken(hosted.path), spoken(fallback.path)]).toMatchObject([[], [{ json: { ref_audio: uri } }]]);
    await bytesOf(await say('hosted first', { voice: 'nova', response_format: 'wav' }));
    expect([spoken(hosted.path), spoken(fallback.path).length]).toMatchObject([[{ json: { voice: 'nova' } }], 1]);
    expect(spoken(hosted.path)[0].json.ref_audio).toBeUndefined();
    gateway.simulator.forPath(hosted.path, respond.status(500));
    await bytesOf(await say('hosted first', { voice: 'nova', response_format: 'wav' }));
    expect(spoken(fallback.path).at(-1)?.json).toMatchObject({ ref_audio: uri });
  });

  it('of another organization are a name like any other: no recording goes anywhere', async () => {
    const { model, path } = await addService('vllm-omni');
    const { id } = (await (await upload({ name: 'Secret', consent: 'c' })).json()) as { id: string };
    const other = await addKey(gateway.weir);
    gateway.simulator.forPath(path, respond.json({ error: { message: 'Invalid speaker', type: 'BadRequestError', code: 400 } }, 400));
    for (const voice of ['Secret', id]) {
      expect((await say(model, { voice }, other.key)).status).toBe(400);
      expect((await voicesRequest('GET', `/${encodeURIComponent(voice)}`, other.key)).status).toBe(404);
      expect((await voicesRequest('DELETE', `/${encodeURIComponent(voice)}`, other.key)).status).toBe(404);
    }
    expect(spoken(path)).toHaveLength(2);
    for (const { json } of spoken(path)) expect([json.ref_audio, json.ref_text, json.task_type]).toEqual([undefined, undefined, undefined]);
    expect(await (await voicesRequest('GET', '', other.key)).json()).toMatchObject({ data: [], uploaded_voices: [] });
    expect((await upload({ name: 'Secret', consent: 'c' }, other.key)).status).toBe(200);
    expect((await voicesRequest('GET', `/${id}`)).status).toBe(200);
  });

  it('that a service cannot imitate are refused, and it is not asked', async () => {
    expect((await upload({ name: 'Bob', consent: 'c' })).status).toBe(200);
    const { model, path } = await addService('index-tts');
    gateway.simulator.forPath(path, respond.json({ detail: "Voice 'Bob' not found" }, 404));
    const refused = await say(model, { voice: 'Bob', response_format: 'wav' });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.status).toBeLessThan(500);
    for (const { json } of spoken(path)) expect(json.ref_audio).toBeUndefined();
  });

  it('are refused where something is wrong with the form, and nothing of it stays', async () => {
    const before = await listVoices();
    const cases: readonly [Promise<Response>, number, string | null][] = [
      [upload({ consent: 'c' }), 400, 'name'],
      [upload({ name: 'X' }), 400, 'consent'],
      [upload({ name: '../x', consent: 'c' }), 400, 'name'],
      [upload({ name: 'X', consent: 'c' }, gateway.key, Buffer.from('<html>')), 400, 'audio_sample'],
      [upload({ name: 'X', consent: 'c', audio_sample: 'https://example.com/a.wav' }, gateway.key, null), 400, 'audio_sample'],
      [upload({ name: 'X', consent: 'c', extra: 'x' }), 400, 'extra'],
      [gateway.weir.post('/v1/audio/voices', gateway.key, { name: 'X' }), 415, null],
      [upload({ name: 'X', consent: 'c' }, 'sk-wrong'), 401, null],
    ];
    for (const [answer, status, param] of cases) {
      const response = await answer;
      const error = await errorOf(response);
      expect([response.status, error.param ?? null]).toEqual([status, param]);
    }
    expect((await listVoices()).data).toEqual(before.data);
  });

  it('that are too large are refused as soon as that is known, said or not', async () => {
    const big = Buffer.concat([WAV, Buffer.alloc(9 * 1024 * 1024)]);
    expect((await upload({ name: 'Big', consent: 'c' }, gateway.key, big)).status).toBe(413);
    const answer = await sendForm((async function* () {
      yield formHead({ name: 'Endless', consent: 'c' });
      for (;;) yield Buffer.alloc(64 * 1024, 1);
    })());
    expect(answer).toBe(413);
  });

  it('whose form does not end, or ends early, are refused', async () => {
    const cutShort = await sendForm((async function* () {
      yield formHead({ name: 'Short', consent: 'c' });
      yield WAV;
    })());
    expect(cutShort).toBe(400);
    expect((await listVoices()).voices).not.toContain('Short');
  });

  it('of 8 MB hold the memory flat', async () => {
    const before = residentKb();
    const sample = Buffer.concat([WAV, randomBytes(7 * 1024 * 1024)]);
    const names = Array.from({ length: 10 }, (_, index) => `Large ${index}`);
    const answers = await Promise.all(names.map((name) => upload({ name, consent: 'c' }, gateway.key, sample)));
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect(residentKb() - before).toBeLessThan(64 * 1024);
    const { model, path } = await addService('vllm-omni');
    gateway.simulator.forPath(path, speaks);
    const response = await say(model, { voice: 'Large 3', response_format: 'wav' });
    expect((await bytesOf(response)).equals(SOUND)).toBe(true);
    expect(spoken(path)[0].text).toContain(sample.toString('base64', sample.length - 30_000));
    expect(residentKb() - before).toBeLessThan(64 * 1024);
  });
});

it('a second upstream speaks where the first is broken', async () => {
  const first = await gateway.addUpstream('broken for sound', { baseUrl: `${gateway.simulator.origin}/broken`, secrets: ['sk-one'] });
  const second = await gateway.addUpstream('well for sound', { baseUrl: `${gateway.simulator.origin}/well`, secrets: ['sk-two'] });
  gateway.simulator.forPath('/broken/audio/speech', respond.html());
  gateway.simulator.forPath('/well/audio/speech', respond.pieces('audio/mpeg', SOUND));
  await gateway.addRoute('two for sound', [first.id, second.id], { operation: 'speech', price: PRICE });
  const answered = await say('two for sound');
  expect([answered.status, answered.headers.get('x-weir-attempts'), (await bytesOf(answered)).equals(SOUND)]).toEqual([200, '2', true]);
  expect(await gateway.rows(answered.headers.get('x-request-id'), 2)).toMatchObject([{ status: 'failed', cost_nanos: '0' }, { status: 'succeeded', cost_nanos: String(9 * NANOS_PER_CHARACTER) }]);
});

describe('what goes wrong', () => {
  it.each<[string, Step[]]>([
    ['is reset', [SOUND, reset]],
    ['is closed', [SOUND, cut]],
  ])('in the middle, where the upstream %s: the connection is torn, and what was spoken is charged', async (_what, steps) => {
    const { model, path } = await addService('openai');
    gateway.simulator.forPath(path, respond.pieces('audio/mpeg', ...steps));
    const response = await say(model);
    expect(response.status).toBe(200);
    await expect(bytesOf(response)).rejects.toThrow();
    const rows = await gateway.rows(response.headers.get('x-request-id'));
    expect(rows).toMatchObject([{ status: 'failed', cost_nanos: String(9 * NANOS_PER_CHARACTER) }]);
  });

  it.each([
    ['HTML', respond.html()],
    ['nothing', respond.pieces('audio/mpeg')],
    ['an empty body', respond.empty()],
    ['gzip', respond.gzip({})],
    ['JSON', respond.json({ sound: 'none' })],
    ['an error under 200', respond.json({ error: { message: 'broken', type: 'server_error' } })],
    ['500', respond.status(500)],
    ['a closed connection', respond.closeBeforeHead()],
  ] as const)('before the first byte, by %s: 502 or 503, and free', async (_what, reply) => {
    const { model, path } = await addService('openai');
    gateway.simulator.forPath(path, reply);
    const refused = await say(model);
    expect([[502, 503].includes(refused.status), (await errorOf(refused)).type]).toEqual([true, 'server_error']);
    const rows = await gateway.rows(refused.headers.get('x-request-id'));
    expect(rows.every(({ status, cost_nanos }) => status === 'failed' && cost_nanos === '0')).toBe(true);
  });

  it('by an unknown voice: the service’s own words', async () => {
    const { model, path } = await addService('vllm-omni');
    gateway.simulator.forPath(path, respond.json({ error: { message: "Invalid speaker 'nobody'. Supported: vivian, ryan", type: 'BadRequestError', param: null, code: 400 } }, 400));
    const refused = await say(model, { voice: 'nobody' });
    expect([refused.status, (await errorOf(refused)).message]).toEqual([400, "Invalid speaker 'nobody'. Supported: vivian, ryan"]);
    expect(await gateway.rows(refused.headers.get('x-request-id'))).toMatchObject([{ status: 'failed', cost_nanos: '0' }]);
  });

  it.each<[object, string]>([
    [{ ref_audio: 'https://example.com/a.wav' }, 'ref_audio'],
    [{ ref_audio: 'file:///etc/passwd' }, 'ref_audio'],
    [{ ref_audio: 'data:audio/wav;base64,UklGRg==' }, 'ref_audio'],
    [{ prompt_wav: 'file:///etc/passwd' }, 'prompt_wav'],
    [{ sampling: { path: ['/etc/passwd'] } }, 'sampling'],
    [{ voice: '../../etc/passwd' }, 'voice'],
    [{ voice: { id: 'http://10.0.0.1/a.wav' } }, 'voice.id'],
    [{ voice: '' }, 'voice'],
    [{ input: '' }, 'input'],
    [{ input: 'x'.repeat(4097) }, 'input'],
    [{ speed: 5 }, 'speed'],
    [{ response_format: 'ogg' }, 'response_format'],
  ])('%j is refused for every service', async (fields, param) => {
    for (const provider of ['openai', 'vllm-omni'] as const) {
      const { model, path } = well[provider];
      const refused = await say(model, fields);
      expect([refused.status, (await errorOf(refused)).param]).toEqual([400, param]);
      expect(spoken(path)).toEqual([]);
    }
  });
});

describe('speech is charged', () => {
  it('by the characters that callers see, whatever their bytes', async () => {
    const { model, path } = await addService('openai');
    gateway.simulator.forPath(path, speaks);
    const response = await say(model, { input: 'Grüß Gott 👋' });
    await bytesOf(response);
    expect(await gateway.rows(response.headers.get('x-request-id'))).toMatchObject([{ operation: 'speech', status: 'succeeded', estimated: false, output_tokens: '0', cost_nanos: String(11 * NANOS_PER_CHARACTER) }]);
  });

  it('within a budget, to its last cent', async () => {
    const { model, path } = await addService('openai');
    gateway.simulator.forPath(path, speaks);
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: '0.0003', period: 'total' }] });
    // 20 characters are 0.0003 dollars.
    const first = await say(model, { input: 'x'.repeat(15) }, key);
    await bytesOf(first);
    const second = await say(model, { input: 'x'.repeat(6) }, key);
    expect([first.status, second.status, (await errorOf(second)).code]).toEqual([200, 429, 'budget_exceeded']);
    expect((await say(model, { input: 'x'.repeat(5) }, key)).status).toBe(200);
    expect(spoken(path)).toHaveLength(2);
  });
});

interface VoiceList {
  readonly voices: string[];
  readonly data: { id: string; name: string; bytes: number }[];
  readonly uploaded_voices: object[];
}

async function listVoices(): Promise<VoiceList> {
  return (await voicesRequest('GET', '')).json() as Promise<VoiceList>;
}

function voicesRequest(method: string, rest: string, key = gateway.key): Promise<Response> {
  return fetch(`${gateway.weir.url}/v1/audio/voices${rest}`, { method, headers: { authorization: `Bearer ${key}` } });
}

function upload(fields: Readonly<Record<string, string>>, key = gateway.key, sample: Buffer | null = WAV): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (sample !== null) form.append('audio_sample', new Blob([new Uint8Array(sample)], { type: 'audio/wav' }), 'sample.wav');
  return fetch(`${gateway.weir.url}/v1/audio/voices`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: form });
}

const BOUNDARY = 'xxBOUNDARYxx';

function formHead(fields: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(fields).map(([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
  return Buffer.concat([Buffer.from(`${texts.join('')}--${BOUNDARY}\r\ncontent-disposition: form-data; name="audio_sample"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n`), WAV]);
}

/** Sends a form piece by piece, its length not said; the status. */
function sendForm(pieces: AsyncIterable<Buffer>): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = Readable.from(pieces);
    const sent = httpRequest(`${gateway.weir.url}/v1/audio/voices`, { method: 'POST', headers: { authorization: `Bearer ${gateway.key}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` } }, (response) => {
      response.resume();
      body.destroy();
      sent.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    body.on('error', () => undefined);
    body.pipe(sent);
  });
}
