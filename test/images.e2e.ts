import OpenAI, { toFile } from 'openai';
import { cut, Gate, respond, type SimulatorCall, type Step } from '@weir/testing';
import { omniImages, PNG } from './support/gpu-services';
import { type ModelSetup, TestGateway } from './support/test-gateway';
import { addKey } from './support/weir';

const PICTURE = Buffer.from(PNG, 'base64');
const USAGE = { input_tokens: 50, output_tokens: 1056, total_tokens: 1106, input_tokens_details: { text_tokens: 10, image_tokens: 40 } };

let gateway: TestGateway;
let openai: OpenAI;
let places = 0;

beforeAll(async () => {
  gateway = await TestGateway.start();
  openai = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.simulator.reset());

interface Service {
  readonly model: string;
  /** Where its API is. */
  readonly base: string;
}

async function addService(provider: 'openai' | 'vllm-omni', setup: ModelSetup = {}): Promise<Service> {
  places += 1;
  const model = `pictures ${places}`;
  const base = `/place${places}/v1`;
  const keys = provider === 'openai' ? {} : { secrets: [], options: { no_key: true } };
  await gateway.addModel(model, { provider, operation: 'images', baseUrl: gateway.simulator.origin + base, upstreamModel: 'gpt-image-1', price: { per_image_usd: '0.04' }, ...keys, ...setup });
  return { model, base };
}

const askedAt = (path: string): SimulatorCall[] => gateway.simulator.calls.filter((call) => call.path === path);
const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; param: string; type: string } }).error;
const picture = (): Promise<File> => toFile(PICTURE, 'a.png', { type: 'image/png' });
const event = (data: object): string => `event: ${String(Reflect.get(data, 'type'))}\ndata: ${JSON.stringify(data)}\n\n`;

describe('/v1/images/generations', () => {
  it('by OpenAI: pictures as base64, each of them charged, with the tokens that are told', async () => {
    const { model, base } = await addService('openai', { price: { per_image_usd: '0.04', output_per_million_usd: '40' } });
    gateway.simulator.forPath(`${base}/images/generations`, respond.json({ created: 1, data: [{ b64_json: PNG }, { b64_json: PNG }], usage: USAGE }));
    const { data, request_id } = await openai.images.generate({ model, prompt: 'a cat', n: 2, size: '1024x1024', quality: 'low', background: 'transparent' }).withResponse();
    expect(data.data).toEqual([{ b64_json: PNG }, { b64_json: PNG }]);
    expect(askedAt(`${base}/images/generations`)).toMatchObject([{ json: { model: 'gpt-image-1', prompt: 'a cat', n: 2, size: '1024x1024', quality: 'low', background: 'transparent' } }]);
    expect(await gateway.rows(request_id)).toMatchObject([{ operation: 'images', input_tokens: '50', output_tokens: '1056', estimated: false, cost_nanos: String(2 * 40_000_000 + 1056 * 40_000) }]);
  });

  it('by OpenAI, where no tokens are told: by the picture', async () => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/generations`, respond.json({ created: 1, data: [{ url: 'https://example.com/a.png' }] }));
    const { data, request_id } = await openai.images.generate({ model, prompt: 'a cat', response_format: 'url' }).withResponse();
    expect(data.data).toEqual([{ url: 'https://example.com/a.png' }]);
    expect(await gateway.rows(request_id)).toMatchObject([{ cost_nanos: '40000000' }]);
  });

  it('by vLLM-Omni: its own options pass, OpenAI’s are dropped, and only base64 comes', async () => {
    const { model, base } = await addService('vllm-omni', { upstreamModel: 'Z-Image-Turbo' });
    gateway.simulator.forPath(`${base}/images/generations`, omniImages);
    const { data, request_id } = await openai.images.generate({ model, prompt: 'see https://example.com', n: 2, quality: 'high', user: 'me', ...{ negative_prompt: 'blur', seed: 5 } }).withResponse();
    expect(data.data).toEqual([{ b64_json: PNG }, { b64_json: PNG }]);
    expect(askedAt(`${base}/images/generations`)[0].json).toEqual({ model: 'Z-Image-Turbo', prompt: 'see https://example.com', n: 2, negative_prompt: 'blur', seed: 5, response_format: 'b64_json' });
    expect(await gateway.rows(request_id)).toMatchObject([{ estimated: false, cost_nanos: '80000000' }]);
    for (const [fields, param] of [
      [{ stream: true }, 'stream'],
      [{ response_format: 'url' }, 'response_format'],
      [{ background: 'transparent' }, 'background'],
      [{ image: 'https://example.com/a.png' }, 'image'],
      [{ lora: 'file:///a' }, 'lora'],
      [{ extra: { path: '/etc/passwd' } }, 'extra'],
    ] as const) {
      const refused = await gateway.weir.post('/v1/images/generations', gateway.key, { model, prompt: 'a cat', ...fields });
      expect([refused.status, (await errorOf(refused)).param]).toEqual([400, param]);
    }
    expect(askedAt(`${base}/images/generations`)).toHaveLength(1);
  });

  it('streams partial pictures as they come, and every picture to its end', async () => {
    const { model, base } = await addService('openai', { price: { output_per_million_usd: '40' } });
    const gate = new Gate();
    const partial = { type: 'image_generation.partial_image', b64_json: PNG, partial_image_index: 0 };
    const completed = { type: 'image_generation.completed', b64_json: PNG, usage: USAGE };
    gateway.simulator.forPath(`${base}/images/generations`, respond.stream(event(partial), gate, event(completed), event(completed)));
    const { data, request_id } = await openai.images.generate({ model, prompt: 'a cat', n: 2, stream: true, partial_images: 1 }).withResponse();
    const types: string[] = [];
    for await (const seen of data) {
      types.push(seen.type);
      gate.open();
    }
    expect(types).toEqual(['image_generation.partial_image', 'image_generation.completed', 'image_generation.completed']);
    expect(await gateway.rows(request_id)).toMatchObject([{ output_tokens: '2112', input_tokens: '100', estimated: false, status: 'succeeded', cost_nanos: String(2112 * 40_000) }]);
  });

  it.each<[string, Step[]]>([
    ['is torn', [cut]],
    ['ends before the picture is done', []],
  ])('a stream that %s ends with an error event, and is charged', async (_what, end) => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/generations`, respond.stream(event({ type: 'image_generation.partial_image', b64_json: PNG, partial_image_index: 0 }), ...end));
    const response = await gateway.weir.post('/v1/images/generations', gateway.key, { model, prompt: 'a cat', stream: true });
    const text = await response.text();
    expect([text.includes('partial_image'), text.includes('"error"'), text.includes('completed')]).toEqual([true, true, false]);
    expect(await gateway.rows(response.headers.get('x-request-id'))).toMatchObject([{ status: 'failed', cost_nanos: '40000000' }]);
  });

  it.each<[object, string]>([
    [{ prompt: '' }, 'prompt'],
    [{ prompt: 'x'.repeat(32_001) }, 'prompt'],
    [{ n: 0 }, 'n'],
    [{ n: 11 }, 'n'],
    [{ n: 1.5 }, 'n'],
    [{ size: 'huge' }, 'size'],
    [{ size: '10000x10000' }, 'size'],
    [{ response_format: 'jpeg' }, 'response_format'],
    [{ stream: 'yes' }, 'stream'],
  ])('refuses %j', async (fields, param) => {
    const response = await gateway.weir.post('/v1/images/generations', gateway.key, { model: `pictures ${places}`, prompt: 'a cat', ...fields });
    expect([response.status, (await errorOf(response)).param]).toEqual([400, param]);
    expect(gateway.simulator.calls.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it.each([
    ['HTML', respond.html()],
    ['nothing', respond.empty()],
    ['gzip', respond.gzip({ data: [] })],
    ['a closed connection', respond.closeBeforeHead()],
  ] as const)('answers 502 or 503 to %s, free', async (_what, reply) => {
    for (const provider of ['openai', 'vllm-omni'] as const) {
      const { model, base } = await addService(provider);
      gateway.simulator.forPath(`${base}/images/generations`, reply);
      const response = await gateway.weir.post('/v1/images/generations', gateway.key, { model, prompt: 'a cat' });
      expect([502, 503]).toContain(response.status);
      const rows = await gateway.rows(response.headers.get('x-request-id'));
      expect(rows.every(({ status, cost_nanos }) => status === 'failed' && cost_nanos === '0')).toBe(true);
    }
  });

  it('a refusal of the provider passes, and a picture of too few is broken', async () => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/generations`, respond.json({ error: { message: 'Your request was rejected by the safety system.', type: 'image_generation_user_error', param: null, code: 'moderation_blocked' } }, 400));
    await expect(openai.images.generate({ model, prompt: 'a cat' })).rejects.toMatchObject({ status: 400, code: 'moderation_blocked' });
    const omni = await addService('vllm-omni');
    gateway.simulator.forPath(`${omni.base}/images/generations`, respond.json({ data: [{ b64_json: PNG }] }));
    expect((await gateway.weir.post('/v1/images/generations', gateway.key, { model: omni.model, prompt: 'a cat', n: 2 })).status).toBe(502);
  });

  it('holds a budget by the picture', async () => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/generations`, respond.json({ created: 1, data: [{ b64_json: PNG }] }));
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: '0.10', period: 'total' }] });
    const ask = (n: number): Promise<Response> => gateway.weir.post('/v1/images/generations', key, { model, prompt: 'a cat', n });
    expect([(await ask(3)).status, (await ask(1)).status, (await ask(2)).status, (await ask(1)).status]).toEqual([429, 200, 429, 200]);
    expect(askedAt(`${base}/images/generations`)).toHaveLength(2);
  });
});

describe('/v1/images/edits', () => {
  it('by OpenAI: several pictures and a mask, in their order', async () => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/edits`, respond.json({ created: 1, data: [{ b64_json: PNG }], usage: USAGE }));
    const second = Buffer.concat([PICTURE, Buffer.from('2')]);
    const { data, request_id } = await openai.images
      .edit({ model, prompt: 'add https://example.com', image: [await picture(), await toFile(second, 'b.png', { type: 'image/png' })], mask: await picture(), n: 1, size: '1024x1024' })
      .withResponse();
    expect(data.data).toEqual([{ b64_json: PNG }]);
    const [{ body, headers }] = askedAt(`${base}/images/edits`);
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': headers['content-type'] ?? '' } }).formData();
    expect([form.get('model'), form.get('prompt'), form.get('size')]).toEqual(['gpt-image-1', 'add https://example.com', '1024x1024']);
    const images = await Promise.all(form.getAll('image[]').map(async (file) => Buffer.from(await (file as File).arrayBuffer())));
    expect(images).toEqual([PICTURE, second]);
    expect((form.get('mask') as File).type).toBe('image/png');
    expect(await gateway.rows(request_id)).toMatchObject([{ operation: 'images', output_tokens: '1056', estimated: false, cost_nanos: '40000000' }]);
  });

  it('streams', async () => {
    const { model, base } = await addService('openai');
    gateway.simulator.forPath(`${base}/images/edits`, respond.stream(event({ type: 'image_edit.completed', b64_json: PNG, usage: USAGE })));
    const { data, request_id } = await openai.images.edit({ model, prompt: 'add a hat', image: await picture(), stream: true }).withResponse();
    const types: string[] = [];
    for await (const seen of data) types.push(seen.type);
    expect(types).toEqual(['image_edit.completed']);
    expect(await gateway.rows(request_id)).toMatchObject([{ output_tokens: '1056', status: 'succeeded' }]);
  });

  it('is refused without a prompt, with URLs in the place of pictures, and where the model has no edits', async () => {
    const { model } = await addService('openai');
    const omni = await addService('vllm-omni');
    const file = new Blob([new Uint8Array(PICTURE)], { type: 'image/png' });
    for (const [fields, param] of [
      [[['model', model], ['image', file]], 'prompt'],
      [[['model', model], ['prompt', 'a'], ['image', 'https://example.com/a.png']], 'image'],
      [[['model', model], ['prompt', 'a'], ['image', file], ['url', 'file:///etc/passwd']], 'url'],
      [[['model', model], ['prompt', 'a'], ['image', file], ['n', '11']], 'n'],
      [[['model', omni.model], ['prompt', 'a'], ['image', file]], 'model'],
    ] as readonly [readonly (readonly [string, string | Blob])[], string][]) {
      const form = new FormData();
      for (const [name, value] of fields) form.append(name, value);
      const response = await fetch(`${gateway.weir.url}/v1/images/edits`, { method: 'POST', headers: { authorization: `Bearer ${gateway.key}` }, body: form });
      expect([response.status, (await errorOf(response)).param]).toEqual([400, param]);
    }
    // Servers of one's own are asked for their health by GET.
    expect(gateway.simulator.calls.filter(({ method }) => method === 'POST')).toEqual([]);
  });
});
