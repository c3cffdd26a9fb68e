import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Caller } from '@weir/access';
import { Secret, systemClock, uuidV7, WeirError } from '@weir/kernel';
import { createDataSource, loadConfiguration } from '@weir/platform';
import { insertRow, RawClient } from '@weir/testing';
import { createVoices, type Voices } from '@weir/voices';
import OpenAI, { toFile } from 'openai';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../../test/support/postgres';
import { waitFor } from '../../../../../test/support/wait-for';
import { answerVoices } from './answer-voices';
import { matchVoicePath } from './match-voice-path';
import { type VoiceRoad } from './voice-road';

const MEGABYTE = 1024 * 1024;
const WAV = Buffer.concat([Buffer.from('RIFF\x24\0\0\0WAVEfmt '), Buffer.alloc(50_000, 5)]);
const S3_KEYS = { accessKeyId: 'AKIAWEIR', secretAccessKey: new Secret('secret') };

let database: TestDatabase;
let dataSource: DataSource;
let server: Server;
let origin: string;
let root: string;
let road: VoiceRoad;
let ours: Caller;
let theirs: Caller;
let builtIn: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, []).initialize();
  ours = await makeCaller();
  theirs = await makeCaller();
  server = createServer((request, response) => {
    const caller = request.headers.authorization === 'Bearer theirs' ? theirs : ours;
    const path = matchVoicePath((request.url ?? '').split('?')[0]);
    if (path === null) return void response.writeHead(404).end();
    answerVoices(road, caller, request, response, path).catch((error: unknown) => {
      const { status, code, message, param } = error instanceof WeirError ? error : { status: 500, code: 'internal_error', message: String(error), param: null };
      if (!request.complete) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' });
      response.write(JSON.stringify({ error: { code, message, param } }));
      if (request.complete || request.destroyed) return void response.end();
      request.once('end', () => response.end()).once('close', () => response.end());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('DELETE FROM voices');
  root = await mkdtemp(join(tmpdir(), 'weir-voices-'));
  builtIn = ['vivian', 'ryan'];
  road = makeRoad(await makeVoices({ kind: 'disk' }));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function makeCaller(): Promise<Caller> {
  const organizationId = await insertRow.organization(dataSource);
  const publicId = uuidV7(1).slice(-8);
  const keyId = await insertRow.proxyKey(dataSource, { organizationId, publicId: `${publicId}${organizationId.slice(-4)}`, key: organizationId });
  return { organizationId, keyId } as Caller;
}

function makeVoices(voiceStore: Parameters<typeof createVoices>[0]['voiceStore'], maxUploadBytes = MEGABYTE): Promise<Voices> {
  const configuration = { ...loadConfiguration({}), dataDirectory: root, voiceStore, maxUploadBytes, voicesPerOrganization: 5 };
  return createVoices(configuration, dataSource, systemClock, { info: () => undefined, warn: () => undefined });
}

function makeRoad(voices: Voices, maxUploadBytes = MEGABYTE): VoiceRoad {
  return { voices, configuration: { maxUploadBytes }, clock: systemClock, listBuiltIn: () => Promise.resolve(builtIn) };
}

function toForm(fields: Record<string, string> = {}, sample: Blob | null = new File([WAV], 'ann.wav', { type: 'audio/wav' })): FormData {
  const form = new FormData();
  // The file comes first, as the OpenAI client for Node may send it.
  if (sample !== null) form.set('audio_sample', sample);
  for (const [name, value] of Object.entries({ name: 'Ann', consent: 'cons_1', ...fields })) form.set(name, value);
  return form;
}

async function call(method: string, path: string, body?: FormData, as = 'ours') {
  const response = await fetch(origin + path, { method, body, headers: { authorization: `Bearer ${as}` } });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> & { id: string } };
}

const add = (fields: Record<string, string> = {}, as = 'ours') => call('POST', '/v1/audio/voices', toForm(fields), as);
const files = async (): Promise<string[]> => (await readdir(join(root, 'voices'), { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => entry.isFile()).map(({ name }) => name);

describe('/v1/audio/voices', () => {
  it("makes a voice of OpenAI's form, and answers OpenAI's object", async () => {
    const { status, headers, body } = await add({ ref_text: 'What I said.', type: 'audio_sample' });
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(body).toEqual({
      id: expect.stringMatching(/^voice_[0-9a-f]{32}$/) as string,
      object: 'audio.voice',
      type: 'audio_sample',
      name: 'Ann',
      created_at: expect.closeTo(Date.now() / 1000, -2) as number,
      consent: 'cons_1',
      ref_text: 'What I said.',
      media_type: 'audio/wav',
      bytes: WAV.length,
    });
    expect(await files()).toEqual([body.id]);
    expect((await call('GET', `/v1/audio/voices/${body.id}`)).body).toEqual(body);
    expect((await call('GET', '/openai/v1/audio/voices/ann')).body).toEqual(body);
  });

  it("serves OpenAI's own client", async () => {
    const client = new OpenAI({ apiKey: 'ours', baseURL: `${origin}/v1`, maxRetries: 0 });
    const voice = await client.audio.voices.create({ name: 'Ann', consent: 'cons_1', audio_sample: await toFile(WAV, 'ann.wav') });
    expect(voice).toMatchObject({ object: 'audio.voice', name: 'Ann' });
    expect(await client.audio.voices.delete(voice.id)).toEqual({ id: voice.id, object: 'audio.voice.deleted', deleted: true });
    await expect(client.audio.voices.delete(voice.id)).rejects.toMatchObject({ status: 404 });
    expect(await files()).toEqual([]);
  });

  it('lists as OpenAI pages do, and as vLLM-Omni does', async () => {
    const ann = (await add()).body;
    const bob = (await add({ name: 'Bob', ref_text: 'Hm.' })).body;
    expect((await call('GET', '/v1/audio/voices')).body).toEqual({
      object: 'list',
      data: [bob, ann],
      first_id: bob.id,
      last_id: ann.id,
      has_more: false,
      voices: ['vivian', 'ryan', 'Bob', 'Ann'],
      uploaded_voices: [
        { name: 'Bob', consent: 'cons_1', created_at: bob.created_at, file_size: WAV.length, mime_type: 'audio/wav', ref_text: 'Hm.' },
        { name: 'Ann', consent: 'cons_1', created_at: ann.created_at, file_size: WAV.length, mime_type: 'audio/wav' },
      ],
    });
    expect((await call('GET', '/v1/audio/voices?limit=1')).body).toMatchObject({ data: [{ id: bob.id }], has_more: true });
    expect((await call('GET', `/v1/audio/voices?limit=1&after=${bob.id}`)).body).toMatchObject({ data: [{ id: ann.id }], has_more: false, voices: ['Ann'] });
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=', 'after=x', 'after=']) {
      expect(await call('GET', `/v1/audio/voices?${query}`)).toMatchObject({ status: 400, body: { error: { param: query.split('=')[0] } } });
    }
  });

  it("answers 404 for another organization's voice, by id and by name, and leaves it be", async () => {
    const { id } = (await add({}, 'theirs')).body;
    for (const voice of [id, 'Ann']) {
      for (const method of ['GET', 'DELETE']) expect(await call(method, `/v1/audio/voices/${voice}`)).toMatchObject({ status: 404, body: { error: { message: 'There is no such voice.' } } });
    }
    expect((await call('GET', '/v1/audio/voices')).body).toMatchObject({ data: [], voices: ['vivian', 'ryan'] });
    expect((await add()).status).toBe(200);
    expect((await call('GET', '/v1/audio/voices/ann', undefined, 'theirs')).body).toMatchObject({ id });
  });

  it.each([
    ['a name', { name: '' }, 'name'],
    ['a name with a line in it', { name: 'a\r\nb' }, 'name'],
    ['a name that is a path', { name: '../../x' }, 'name'],
    ['no consent', { consent: ' ' }, 'consent'],
    ['a prompt instead of a recording', { type: 'prompt' }, 'type'],
    ['an unknown field', { voice: 'x' }, 'voice'],
    ['__proto__', { ['__proto__']: 'x' }, '__proto__'],
  ])('refuses %s and keeps no file of it', async (_what, fields, param) => {
    const form = toForm();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    expect(await call('POST', '/v1/audio/voices', form)).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', param } } });
    expect(await files()).toEqual([]);
    expect((await add()).status).toBe(200);
  });

  it.each([
    ['no file', null],
    ['an empty file', new File([], 'a.wav')],
    ['a page', new File(['<html>'], 'a.wav', { type: 'audio/wav' })],
    ['a lie about its type', new File([WAV], 'a.mp3', { type: 'audio/mpeg' })],
  ])('refuses %s, naming audio_sample', async (_what, sample) => {
    expect(await call('POST', '/v1/audio/voices', toForm({}, sample))).toMatchObject({ status: 400, body: { error: { param: 'audio_sample' } } });
    expect(await files()).toEqual([]);
  });

  it('refuses a URL or a data URI where the recording should be: nothing is fetched', async () => {
    for (const value of ['http://169.254.169.254/latest/meta-data', 'file:///etc/passwd', 'data:audio/wav;base64,UklGRg==']) {
      const form = toForm({}, null);
      form.set('audio_sample', value);
      expect(await call('POST', '/v1/audio/voices', form)).toMatchObject({ status: 400, body: { error: { param: 'audio_sample' } } });
    }
  });

  it("refuses a name that is taken, or a service's own", async () => {
    expect((await add()).status).toBe(200);
    for (const name of ['ann', 'Vivian']) expect(await add({ name })).toMatchObject({ status: 409, body: { error: { code: 'conflict', param: 'name' } } });
    expect(await files()).toHaveLength(1);
  });

  it('refuses more voices than an organization may have, before it takes the recording', async () => {
    for (let count = 0; count < 5; count++) await add({ name: `voice ${count}` });
    expect(await add({ name: 'one more' })).toMatchObject({ status: 409, body: { error: { code: 'conflict', param: null } } });
    expect((await add({}, 'theirs')).status).toBe(200);
  });

  it('refuses a recording that is too large, and a body that is none', async () => {
    const large = new File([WAV, new Uint8Array(MEGABYTE)], 'a.wav');
    expect((await call('POST', '/v1/audio/voices', toForm({}, large))).status).toBe(413);
    const response = await fetch(`${origin}/v1/audio/voices`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect([response.status, await files()]).toEqual([415, []]);
  });

  it.each([
    ['PUT', '/v1/audio/voices', 'GET, POST'],
    ['DELETE', '/v1/audio/voices', 'GET, POST'],
    ['POST', '/v1/audio/voices/x', 'GET, DELETE'],
  ])('answers %s %s with what it takes', async (method, path, allow) => {
    const { status, headers } = await call(method, path);
    expect([status, headers.get('allow')]).toEqual([405, allow]);
  });

  it.each(['/v1/audio/voices/', '/v1/audio/voices/a/content', '/v1/audio/voices/%ff', '/v1/audio/voicesx'])('knows no %s', (path) => {
    expect(matchVoicePath(path)).toBeNull();
  });

  it('keeps nothing of a caller that leaves in the middle', async () => {
    const client = await RawClient.connect(origin);
    const part = '--b\r\nContent-Disposition: form-data; name="audio_sample"; filename="a"\r\n\r\n';
    client.send(`POST /v1/audio/voices HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ours\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 900000\r\n\r\n${part}`);
    client.send(WAV);
    await waitFor(async () => (await files()).length === 1, { what: 'the unfinished file' });
    client.reset();
    await waitFor(async () => (await files()).length === 0, { what: 'it to go' });
  });

  it('answers 503 while the voice store is away, and loses nothing', async () => {
    const { id } = (await add()).body;
    const unreachable = { kind: 's3', endpoint: 'http://127.0.0.1:1', bucket: 'weir', region: 'x', credentials: S3_KEYS, prefix: '', pathStyle: true } as const;
    road = makeRoad(await makeVoices(unreachable));
    expect(await add({ name: 'Bob' })).toMatchObject({ status: 503, body: { error: { message: 'The store of files cannot be reached now.' } } });
    expect((await call('GET', '/v1/audio/voices')).body.data).toMatchObject([{ id }]);
    road.voices.close();
    road = makeRoad(await makeVoices({ kind: 'disk' }));
    expect((await add({ name: 'Bob' })).status).toBe(200);
    expect(await files()).toHaveLength(2);
  });

  it('holds memory flat while 50 MB are uploaded', async () => {
    road = makeRoad(await makeVoices({ kind: 'disk' }, 50 * MEGABYTE), 50 * MEGABYTE);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    expect((await add({ name: 'first' })).status).toBe(200);
    const before = used();
    let most = 0;
    const sent = httpRequest(`${origin}/v1/audio/voices`, { method: 'POST', agent: false, headers: { 'content-type': 'multipart/form-data; boundary=b' } });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    const text = (name: string): string => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nlarge\r\n`;
    sent.write(`${text('name')}${text('consent')}--b\r\nContent-Disposition: form-data; name="audio_sample"; filename="a.wav"\r\n\r\n`);
    sent.write(WAV.subarray(0, 16));
    const piece = Buffer.alloc(64 * 1024 - 16, 1);
    const filler = Buffer.alloc(16, 1);
    for (let count = 0; count < 800; count++) {
      if (count > 0) sent.write(filler);
      if (!sent.write(piece)) await once(sent, 'drain');
      if (count % 80 === 79) most = Math.max(most, used() - before);
    }
    sent.end('\r\n--b--\r\n');
    const [response] = await answered;
    response.resume();
    expect(response.statusCode).toBe(200);
    expect((await road.voices.get(ours.organizationId, 'large')).bytes).toBe(50 * MEGABYTE);
    expect(most).toBeLessThan(16 * MEGABYTE);
  });

  it('says that it cannot store while the disk does not take anything', async () => {
    await writeFile(join(root, 'voices'), 'a file where the folder should be');
    expect(await add()).toMatchObject({ status: 503 });
  });
});
