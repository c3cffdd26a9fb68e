import OpenAI from 'openai';
import { respond } from '@weir/testing';
import { connectGoogle } from './support/google-client';
import { byCall, openAiEmbeddings, PNG, PNG_URI, rerankAnswers, toGpuEnvironment, toVector, wakeGpuServices } from './support/gpu-services';
import { TestGateway } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

let gateway: TestGateway;
let openai: OpenAI;

beforeAll(async () => {
  gateway = await TestGateway.start((simulator) => ({ ...toGpuEnvironment(simulator), DEFAULT_EMBED: 'embed_4b', DEFAULT_RERANK: 'rerank_8b' }));
  // They are asked every ten seconds; a test does not wait that long.
  await gateway.database.query(`UPDATE upstreams SET options = options || '{"probe_interval_ms": 1000}'`);
  openai = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.simulator.reset();
  wakeGpuServices(gateway.simulator);
});

interface Posted {
  readonly response: Response;
  // A test asserts on what is in it: nothing is decided by it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

async function post(path: string, body: unknown, key = gateway.key): Promise<Posted> {
  const response = await gateway.weir.post(path, key, body);
  const text = await response.text();
  try {
    return { response, body: JSON.parse(text) };
  } catch {
    return { response, body: text };
  }
}

/** What the services were asked, but for their health. */
const asked = () => gateway.simulator.calls.filter(({ path }) => !path.endsWith('/health'));

describe('/health/all', () => {
  it('shows the owner every service, and how long it took to answer, without a paid call', async () => {
    const services = await waitFor(
      async () => {
        const response = await fetch(`${gateway.weir.url}/health/all`, { headers: { authorization: `Bearer ${gateway.weir.adminKey}` } });
        const { upstreams } = (await response.json()) as { upstreams: { name: string; provider: string; status: string; latency_ms: number | null }[] };
        return upstreams.every(({ latency_ms }) => latency_ms !== null) ? upstreams : null;
      },
      { what: 'every service to be asked once' },
    );
    expect(services.map(({ name, provider, status }) => [name, provider, status]).sort()).toEqual([
      ['embed_4b', 'openai-compatible', 'healthy'],
      ['embed_8b', 'openai-compatible', 'healthy'],
      ['embed_text_bge', 'tei', 'healthy'],
      ['indextts', 'index-tts', 'healthy'],
      ['qwen3-tts', 'vllm-omni', 'healthy'],
      ['rerank_4b', 'openai-compatible', 'healthy'],
      ['rerank_8b', 'openai-compatible', 'healthy'],
      ['siglip2', 'siglip2', 'healthy'],
      ['trellis', 'trellis', 'healthy'],
      ['vlm', 'openai-compatible', 'healthy'],
      ['zimage', 'vllm-omni', 'healthy'],
    ]);
    expect(asked()).toEqual([]);
  });
});

describe('a short route asks its GPU service', () => {
  it.each<[string, object, string, object]>([
    ['/embed/text', { text: 'hello' }, '/v1/embeddings', { model: 'Qwen3-Embedding-4B', input: ['hello'] }],
    ['/embed/text', { texts: ['a', 'bc'], model: 'embed_8b' }, '/v1/embeddings', { model: 'Qwen3-Embedding-8B', input: ['a', 'bc'] }],
    ['/embed/text/bge', { input: 'hello' }, '/v1/embeddings', { model: 'BAAI/bge-m3', input: ['hello'] }],
    ['/embed/text/qwen3-4b', { inputs: ['hello'] }, '/v1/embeddings', { model: 'Qwen3-Embedding-4B', input: ['hello'] }],
    ['/embed/text/qwen3-8b', { text: 'hello', model: 'embed_4b' }, '/v1/embeddings', { model: 'Qwen3-Embedding-8B', input: ['hello'] }],
    ['/embed/image', { image: PNG }, '/embeddings', { model: 'siglip2', modality: 'image', input: [PNG_URI] }],
    ['/embed/image', { images: [PNG_URI, PNG_URI] }, '/embeddings', { modality: 'image', input: [PNG_URI, PNG_URI] }],
    ['/rerank/qwen3-4b', { query: 'q', documents: ['a', 'b'] }, '/v1/rerank', { model: 'Qwen3-Reranker-4B', query: 'q', documents: ['a', 'b'] }],
    ['/rerank/qwen3-8b', { query: 'q', documents: ['a', 'b'], model: 'rerank_4b' }, '/v1/rerank', { model: 'Qwen3-Reranker-8B' }],
    ['/generate/image', { prompt: 'a cat', width: 512, height: 768, steps: 9 }, '/v1/images/generations', { model: 'Z-Image-Turbo', prompt: 'a cat', size: '512x768', num_inference_steps: 9, n: 1, response_format: 'b64_json' }],
    ['/vlm/caption', { image: PNG_URI, max_tokens: 20 }, '/v1/chat/completions', { model: 'vlm', max_tokens: 20, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: PNG_URI } }, { type: 'text' }] }] }],
    ['/vlm/chat', { messages: [{ role: 'user', content: [{ type: 'text', text: 'what is it' }, { type: 'image_url', image_url: { url: PNG_URI } }] }] }, '/v1/chat/completions', { model: 'vlm' }],
  ])('%s %j', async (path, body, upstreamPath, upstreamBody) => {
    const { response, body: answer } = await post(path, body);
    expect([response.status, answer.error]).toEqual([200, undefined]);
    expect(asked()).toMatchObject([{ path: upstreamPath, json: upstreamBody }]);
    expect(asked()[0].headers.authorization).toBeUndefined();
  });

  it('and gives the long route’s answer, and its usage row', async () => {
    const embedded = await post('/embed/text', { texts: ['a', 'bc'] });
    expect(embedded.body).toMatchObject({ object: 'list', data: [{ index: 0, embedding: toVector('a') }, { index: 1, embedding: toVector('bc') }], usage: { prompt_tokens: 14 } });
    expect(await gateway.rows(embedded.response.headers.get('x-request-id'))).toMatchObject([{ operation: 'embeddings', model: 'embed_4b', input_tokens: '14', estimated: false, cost_nanos: '0' }]);
    const caption = await post('/vlm/caption', { image: PNG });
    expect(caption.body).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant' } }] });
    expect(await gateway.rows(caption.response.headers.get('x-request-id'))).toMatchObject([{ operation: 'chat', model: 'vlm', status: 'succeeded' }]);
    const picture = await post('/generate/image', { prompt: 'a cat', n: 2 });
    expect(picture.body).toMatchObject({ data: [{ b64_json: PNG }, { b64_json: PNG }] });
    expect(await gateway.rows(picture.response.headers.get('x-request-id'))).toMatchObject([{ operation: 'images', model: 'z-image', status: 'succeeded' }]);
  });

  it('/vlm/caption streams where it is asked to', async () => {
    const { response, body } = await post('/vlm/caption', { image: PNG, stream: true });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(body).toMatch(/data: \[DONE\]\n\n$/);
  });

  it('/generate/3d takes a picture and gives a job', async () => {
    const { response, body } = await post('/generate/3d', { image: PNG_URI });
    expect(response.status).toBeLessThan(300);
    expect(body).toMatchObject({ object: 'mesh' });
    await waitFor(() => asked().length === 1 && asked()[0].outcome === 'finished');
    expect(asked()).toMatchObject([{ path: '/generate', json: { image: PNG } }]);
  });

  it.each<[string, object, string]>([
    ['/embed/text', {}, 'text'],
    ['/embed/text', { text: '' }, 'text'],
    ['/embed/text', { texts: [] }, 'texts'],
    ['/embed/text', { text: 'a', inputs: ['b'] }, 'inputs'],
    ['/embed/text', { text: 'a', modality: 'image' }, 'modality'],
    ['/embed/image', { image: 'https://example.com/a.png' }, 'image'],
    ['/embed/image', { image: 'http://169.254.169.254/latest' }, 'image'],
    ['/embed/image', { image: 'file:///etc/passwd' }, 'image'],
    ['/embed/image', { images: [PNG_URI, PNG_URI.replace('png', 'jpeg')] }, 'images[1]'],
    ['/embed/image', { image: `data:image/png;base64,${Buffer.from('<svg>').toString('base64')}` }, 'image'],
    ['/vlm/caption', { image: 'https://example.com/a.png' }, 'image'],
    ['/vlm/caption', { image: PNG_URI.replace('image/png', 'text/html') }, 'image'],
    ['/vlm/chat', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }] }, 'messages[0].content[0].image_url.url'],
    ['/vlm/chat', { messages: [{ role: 'user', content: [{ type: 'video_url', video_url: { url: 'file:///a.mp4' } }] }] }, 'messages[0].content[0].video_url.url'],
    ['/generate/3d', { image: 'https://example.com/a.png' }, 'image'],
    ['/generate/image', { prompt: 'a cat', lora: '/etc/passwd' }, 'lora'],
    ['/generate/image', { prompt: '' }, 'prompt'],
    ['/rerank/qwen3-4b', { query: 'q', documents: [] }, 'documents'],
  ])('%s refuses %j and names the field', async (path, body, field) => {
    const { response, body: answer } = await post(path, body);
    expect([response.status, answer.error?.param]).toEqual([400, field]);
    expect(asked()).toEqual([]);
  });
});

describe('/v1/embeddings', () => {
  it.each([
    ['text-embeddings-inference', 'embed_text_bge', '/v1/embeddings'],
    ['vLLM', 'embed_4b', '/v1/embeddings'],
    ['SigLIP 2', 'siglip2', '/embeddings'],
  ])('by %s: the official SDK reads the vectors, as numbers and as base64', async (_what, model, path) => {
    const { data } = await openai.embeddings.create({ model, input: ['a', 'bcd'] });
    expect(data.map(({ embedding }) => embedding)).toEqual([toVector('a'), toVector('bcd')]);
    const plain = await openai.embeddings.create({ model, input: 'a', encoding_format: 'float' });
    expect(plain).toMatchObject({ model: expect.any(String), data: [{ embedding: toVector('a') }] });
    expect(asked().map((call) => call.path)).toEqual([path, path]);
  });

  it('by Infinity: right below its base URL', async () => {
    await gateway.addModel('infinity', { provider: 'infinity', operation: 'embeddings', baseUrl: `${gateway.simulator.origin}/infinity`, secrets: [], options: { no_key: true } });
    gateway.simulator.forPath('/infinity/embeddings', openAiEmbeddings);
    const { data } = await openai.embeddings.create({ model: 'infinity', input: 'abc' });
    expect(data[0].embedding).toEqual(toVector('abc'));
  });

  it('takes texts and pictures as objects for SigLIP 2, not both, and no URL', async () => {
    const texts = await post('/v1/embeddings', { model: 'siglip2', input: [{ text: 'a' }, 'b'] });
    const pictures = await post('/v1/embeddings', { model: 'siglip2', input: [{ image: PNG }] });
    expect([texts.response.status, pictures.response.status]).toEqual([200, 200]);
    expect(asked().map(({ json }) => [json.modality, json.input])).toEqual([['text', ['a', 'b']], ['image', [PNG_URI]]]);
    const refused = [
      { input: [{ image: PNG }, 'b'], param: 'input[1]' },
      { input: [{ image: 'https://example.com/a.png' }], param: 'input[0].image' },
      { input: [{ image: 'file:///a.png' }], param: 'input[0].image' },
      { input: ['a'], dimensions: 64, param: 'dimensions' },
      { input: [[1, 2]], param: 'input' },
      { input: [''], param: 'input[0]' },
    ];
    for (const { param, ...fields } of refused) {
      const { response, body } = await post('/v1/embeddings', { model: 'siglip2', ...fields });
      expect([response.status, body.error.param]).toEqual([400, param]);
    }
  });

  it('has no other modality than text: a server would fetch what the input names', async () => {
    for (const model of ['embed_4b', 'siglip2']) {
      const { response, body } = await post('/v1/embeddings', { model, input: ['https://example.com/a.png'], modality: 'image' });
      expect([response.status, body.error.param]).toEqual([400, 'modality']);
    }
    expect((await post('/v1/embeddings', { model: 'embed_4b', input: 'a', modality: 'text' })).response.status).toBe(200);
    expect(asked()).toHaveLength(1);
  });

  it('answers 502 for vectors that are not those of the inputs', async () => {
    gateway.simulator.forPath('/embeddings', respond.json({ data: [{ index: 0, embedding: [1, 2] }] }));
    expect((await post('/v1/embeddings', { model: 'siglip2', input: ['a', 'b'] })).response.status).toBe(502);
  });
});

describe("Google's client embeds", () => {
  it.each(['embed_text_bge', 'embed_4b', 'siglip2'])('with %s', async (model) => {
    const google = connectGoogle(gateway.weir.url, gateway.key);
    const one = await google.models.embedContent({ model, contents: 'abc' });
    expect(one.embeddings).toMatchObject([{ values: toVector('abc') }]);
    const two = await google.models.embedContent({ model, contents: ['a', 'bcd'] });
    expect(two.embeddings).toMatchObject([{ values: toVector('a') }, { values: toVector('bcd') }]);
  });

  it('with Gemini itself, by either method, whose models are renamed', async () => {
    await gateway.addModel('my-gemini', { provider: 'gemini', operation: 'embeddings', baseUrl: gateway.simulator.origin, upstreamModel: 'gemini-embedding-001' });
    gateway.simulator.forPath(
      '/v1beta/models/gemini-embedding-001:batchEmbedContents',
      byCall(({ json }) => respond.json({ embeddings: json.requests.map(({ content }: { content: { parts: { text: string }[] } }) => ({ values: toVector(content.parts[0].text) })) })),
    );
    const google = connectGoogle(gateway.weir.url, gateway.key);
    const two = await google.models.embedContent({ model: 'my-gemini', contents: ['a', 'bcd'], config: { outputDimensionality: 3 } });
    expect(two.embeddings).toMatchObject([{ values: toVector('a') }, { values: toVector('bcd') }]);
    const single = await post('/v1beta/models/my-gemini:embedContent', { content: { parts: [{ text: 'abc' }] } });
    expect(single.body).toMatchObject({ embedding: { values: toVector('abc') } });
    const { data } = await openai.embeddings.create({ model: 'my-gemini', input: ['a'] });
    expect(data[0].embedding).toEqual(toVector('a'));
    for (const { json } of asked()) for (const request of json.requests) expect(request.model).toBe('models/gemini-embedding-001');
  });

  it('and is refused in its own shape', async () => {
    const empty = await post('/v1beta/models/embed_4b:embedContent', { content: { parts: [{ text: '' }] } });
    expect([empty.response.status, empty.body.error.status]).toEqual([400, 'INVALID_ARGUMENT']);
    const picture = await post('/v1beta/models/embed_4b:batchEmbedContents', { requests: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data: PNG } }] } }] });
    expect(picture.response.status).toBe(400);
    const unknown = await post('/v1beta/models/nothing:embedContent', { content: { parts: [{ text: 'a' }] } });
    expect([unknown.response.status, unknown.body.error.status]).toEqual([404, 'NOT_FOUND']);
    expect(asked()).toEqual([]);
  });
});

describe('rerank', () => {
  const documents = ['Paris', 'Berlin', { text: 'Rome', country: 'Italy' }];

  it.each(['/rerank', '/v1/rerank', '/v2/rerank'])('%s asks the operator’s default model where none is named', async (path) => {
    const { response, body } = await post(path, { query: 'capital of Germany', documents, top_n: 2, return_documents: true });
    expect(response.status).toBe(200);
    expect(asked()).toMatchObject([{ path: '/v1/rerank', json: { model: 'Qwen3-Reranker-8B', query: 'capital of Germany', documents: ['Paris', 'Berlin', 'Rome'], top_n: 2 } }]);
    expect(body).toMatchObject({
      id: 'rerank-1', object: 'rerank', model: 'rerank_8b', usage: { total_tokens: 56 }, meta: { billed_units: { search_units: 1 } },
      results: [{ index: 1, relevance_score: 0.5, document: { text: 'Berlin' } }, { index: 0, relevance_score: 0.25, document: { text: 'Paris' } }],
    });
    expect(await gateway.rows(response.headers.get('x-request-id'))).toMatchObject([{ operation: 'rerank', model: 'rerank_8b', input_tokens: '56', estimated: false }]);
  });

  it.each<[string, string, Readonly<Record<string, unknown>>, keyof typeof rerankAnswers, string, string]>([
    ['vLLM', 'openai-compatible', { preset: 'vllm' }, 'vllm', '/v1', '/v1/rerank'],
    ['llama.cpp', 'openai-compatible', { preset: 'llama.cpp' }, 'llamaCpp', '/v1', '/v1/rerank'],
    ['SGLang', 'openai-compatible', { preset: 'sglang' }, 'sglang', '/v1', '/v1/rerank'],
    ['Infinity', 'infinity', {}, 'infinity', '', '/rerank'],
    ['text-embeddings-inference', 'tei', {}, 'tei', '', '/rerank'],
  ])('reads the answer of %s', async (name, provider, options, answer, base, path) => {
    await gateway.addModel(`rerank of ${name}`, { provider, operation: 'rerank', baseUrl: gateway.simulator.origin + base, secrets: [], options: { no_key: true, ...options } });
    gateway.simulator.forPath(path, rerankAnswers[answer]);
    const { response, body } = await post('/v1/rerank', { model: `rerank of ${name}`, query: 'q', documents: ['a', 'b', 'c'] });
    expect([response.status, body.error]).toEqual([200, undefined]);
    expect(body.results).toEqual([{ index: 1, relevance_score: 0.5 }, { index: 0, relevance_score: 0.25 }, { index: 2, relevance_score: 0.125 }]);
    expect(asked()).toHaveLength(1);
  });

  it.each<[string, object, string]>([
    ['no documents', { query: 'q', documents: [] }, 'documents'],
    ['ten thousand documents', { query: 'q', documents: Array.from({ length: 10_000 }, (_, index) => `text ${index}`) }, 'documents'],
    ['an empty document', { query: 'q', documents: ['a', ''] }, 'documents[1]'],
    ['an empty query', { query: ' ', documents: ['a'] }, 'query'],
    ['no query', { documents: ['a'] }, 'query'],
    ['top_n of 0', { query: 'q', documents: ['a'], top_n: 0 }, 'top_n'],
    ['a member that nobody knows', { query: 'q', documents: ['a'], url: 'http://10.0.0.1' }, 'url'],
  ])('refuses %s', async (_what, body, param) => {
    const refused = await post('/v1/rerank', body);
    expect([refused.response.status, refused.body.error.param]).toEqual([400, param]);
    expect(asked()).toEqual([]);
  });

  it.each<[string, string]>([
    ['a score that is NaN', '{"results":[{"index":0,"relevance_score":NaN}]}'],
    ['a score that is null', '{"results":[{"index":0,"relevance_score":null}]}'],
    ['a score as text', '{"results":[{"index":0,"relevance_score":"0.5"}]}'],
    ['an index out of range', '{"results":[{"index":1,"relevance_score":0.5}]}'],
    ['an index twice', '{"results":[{"index":0,"relevance_score":0.5},{"index":0,"relevance_score":0.5}]}'],
    ['no results', '{"results":[]}'],
  ])('answers 502 for %s', async (_what, answer) => {
    gateway.simulator.forPath('/v1/rerank', respond.pieces('application/json', answer));
    const { response, body } = await post('/v1/rerank', { query: 'q', documents: ['a'] });
    expect([response.status, body.error.code]).toEqual([502, 'upstream_error']);
  });
});

describe('/v1/moderations', () => {
  const result = { id: 'modr-1', model: 'omni-moderation-latest', results: [{ flagged: true, categories: { violence: true }, category_scores: { violence: 0.9 } }] };

  it('answers the official SDK, with OpenAI’s default model', async () => {
    await gateway.addModel('omni-moderation-latest', { operation: 'moderations', upstreamModel: 'omni-moderation-latest' });
    gateway.simulator.forPath('/v1/moderations', respond.json(result));
    const answer = await openai.moderations.create({ input: ['I will', 'hit'] });
    expect(answer).toMatchObject({ results: [{ flagged: true }] });
    const parts = await openai.moderations.create({ model: 'omni-moderation-latest', input: [{ type: 'text', text: 'a' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] });
    expect(parts.results).toHaveLength(1);
    expect(asked().map(({ json }) => json.model)).toEqual(['omni-moderation-latest', 'omni-moderation-latest']);
    for (const [input, param] of [[[], 'input'], ['', 'input'], [[{ type: 'image_url', image_url: { url: 'file:///a' } }], 'input[0].image_url.url']]) {
      const { response, body } = await post('/v1/moderations', { input });
      expect([response.status, body.error.param]).toEqual([400, param]);
    }
  });
});

describe('a service that is broken', () => {
  const broken = [
    ['HTML', respond.html()],
    ['HTML under 503', respond.html(503)],
    ['nothing', respond.empty()],
    ['gzip that nobody asked for', respond.gzip({ results: [] })],
    ['a connection that closes', respond.closeBeforeHead()],
    ['another thing', respond.json({ hello: 'you' })],
  ] as const;
  /** What is asked, of which provider, where, and how; `passes`: its answer is not translated, and another thing is the caller's to judge. */
  const requests = [
    { operation: 'rerank', provider: 'openai-compatible', base: '/v1', upstreamPath: '/v1/rerank', path: '/v1/rerank', body: { query: 'q', documents: ['a'] }, passes: false },
    { operation: 'embeddings', provider: 'siglip2', base: '', upstreamPath: '/embeddings', path: '/embed/image', body: { image: PNG }, passes: false },
    { operation: 'images', provider: 'vllm-omni', base: '', upstreamPath: '/v1/images/generations', path: '/generate/image', body: { prompt: 'a cat' }, passes: false },
    { operation: 'embeddings', provider: 'tei', base: '', upstreamPath: '/v1/embeddings', path: '/embed/text', body: { text: 'a' }, passes: true },
    { operation: 'moderations', provider: 'openai-compatible', base: '/v1', upstreamPath: '/v1/moderations', path: '/v1/moderations', body: { input: 'a' }, passes: true },
    { operation: 'embeddings', provider: 'gemini', base: '', upstreamPath: '/v1beta/models/m:batchEmbedContents', path: '/v1/embeddings', body: { input: 'a' }, passes: false },
  ] as const;

  it.each(broken)('by answering %s: 502 or 503 in one shape, and nothing charged', async (what, reply) => {
    for (const { operation, provider, base, upstreamPath, path, body, passes } of requests) {
      if (passes && what === 'another thing') continue;
      const model = `${provider} for ${operation}, broken by ${what}`;
      const keys = provider === 'gemini' ? {} : { secrets: [], options: { no_key: true } };
      await gateway.addModel(model, { provider, operation, baseUrl: gateway.simulator.origin + base, upstreamModel: 'm', price: { per_request_usd: '1' }, ...keys });
      gateway.simulator.forPath(upstreamPath, reply);
      const { response, body: answer } = await post(path, { ...body, model });
      expect([model, [502, 503].includes(response.status), answer.error?.type]).toEqual([model, true, 'server_error']);
      const rows = await gateway.rows(response.headers.get('x-request-id'));
      expect(rows.map(({ status, cost_nanos }) => [status, cost_nanos])).toEqual(rows.map(() => ['failed', '0']));
    }
  });
});

describe('two organizations', () => {
  it('have each their own list of models, and their own rows', async () => {
    const other = await addKey(gateway.weir, { models: ['rerank_8b'] });
    const refused = await post('/embed/text', { text: 'a' }, other.key);
    expect([refused.response.status, refused.body.error.code]).toEqual([403, 'model_not_allowed']);
    const { response } = await post('/rerank', { query: 'q', documents: ['a'] }, other.key);
    expect(await gateway.rows(response.headers.get('x-request-id'))).toMatchObject([{ key_id: other.id }]);
    expect(asked()).toHaveLength(1);
  });
});
