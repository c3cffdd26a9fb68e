import { chatAnswer, chatEvents, respond } from '@weir/testing';
import { randomBytes } from 'node:crypto';
import { TestGateway, type TestModel } from './support/test-gateway';

const UPSTREAM_MODEL = 'gpt-4o-upstream';
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let gateway: TestGateway;
let priced: TestModel;
let plain: TestModel;

beforeAll(async () => {
  gateway = await TestGateway.start({ DEFAULT_RPM: '1000' });
  priced = await gateway.addModel('gpt-priced', { price: { input_per_million_usd: 1, output_per_million_usd: 2 }, upstreamModel: UPSTREAM_MODEL });
  plain = await gateway.addModel('gpt-plain', { upstreamModel: 'gpt-plain' });
  await gateway.addModel('embed-priced', { operation: 'embeddings', upstreamModel: UPSTREAM_MODEL });
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

const toBody = (model: string, rest = ''): string => `{"model":"${model}","messages":[{"role":"user","content":"hello"}]${rest}}`;

async function send(body: string, headers: Record<string, string> = {}, path = '/v1/chat/completions') {
  const response = await gateway.weir.post(path, gateway.key, body, headers);
  return { response, text: await response.text() };
}

/** What reached the upstream of a body that Weir took. */
async function sentUpstream(body: string, path?: string): Promise<string> {
  gateway.simulator.always(respond.json(chatAnswer('fine')));
  const { response, text } = await send(body, {}, path);
  if (response.status !== 200) throw new Error(`refused: ${response.status} ${text}`);
  return gateway.simulator.calls.at(-1)?.text ?? 'nothing';
}

describe("a body's bytes on the way to the upstream", () => {
  // ‹› is where the model's value stands: it is all that may change.
  it.each([
    ['big integers, and every way to write a number', '{"seed":12345678901234567890,"model":‹›,"a":1.0,"b":1e2,"c":-0,"d":1E+2,"e":0.10,"f":1e-7,"g":-123456789012345678901234567890.5,"messages":[{"role":"user","content":"x"}]}'],
    ['white space and key order', '{ "zeta" : 1 ,\n\t"messages" : [ { "content" : "x" , "role" : "user" } ] ,\r\n "model" : ‹› , "alpha" : { "z":1, "a":2 } }\n'],
    ['unicode, as it is and escaped', '{"messages":[{"role":"user","content":"Grüße 👋 \\u00e9\\ud83d\\udc4b \\/ \\u2028 \u2028 \\u0000 \\n"}],"model":‹›,"ключ":"值"}'],
    [
      'tools, whose schemas and arguments speak of a model too',
      '{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"model":{"type":"string","enum":["gpt-priced"]}},"required":["model"]},"strict":true}}],"tool_choice":"auto","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"model\\":\\"gpt-priced\\"}"}}]},{"role":"tool","tool_call_id":"c","content":"model"}],"model":‹›,"metadata":{"model":"gpt-priced"}}',
    ],
    ['a model whose key is written with escapes', '{"\\u006dodel":‹›,"messages":[{"role":"user","content":"x"}]}'],
    ['fields that nobody knows yet', '{"model":‹›,"messages":[{"role":"user","content":"x"}],"brand_new":{"deep":[[[]],{},null,true,false,""]}}'],
    ['a body that asks for no stream in so many words', '{"model":‹›,"stream":false,"stream_options":null,"messages":[{"role":"user","content":"x"}]}'],
  ])('stay as they are but for the model: %s', async (_what, template) => {
    expect(await sentUpstream(template.replace('‹›', '"gpt-priced"'))).toBe(template.replace('‹›', `"${UPSTREAM_MODEL}"`));
  });

  it('stay as they are when the model is written with escapes', async () => {
    expect(await sentUpstream('{"model":"gpt-pr\\u0069ced","messages":[{"role":"user","content":"x"}]}')).toBe(`{"model":"${UPSTREAM_MODEL}","messages":[{"role":"user","content":"x"}]}`);
  });

  it('stay as they are altogether where the upstream has the same name for the model', async () => {
    const body = ` ${toBody(plain.name, ',"seed":18446744073709551616')} `;
    expect(await sentUpstream(body)).toBe(body);
  });

  it('stay as they are in a body of nine megabytes', async () => {
    const body = (model: string): string => `{"messages":[{"role":"user","content":"${'ü👋x'.repeat(1_000_000)}"}],"seed":12345678901234567890,"model":"${model}","last":1.50}`;
    expect((await sentUpstream(body(priced.name))) === body(UPSTREAM_MODEL)).toBe(true);
  });

  it('stay as they are for embeddings', async () => {
    const body = (model: string): string => `{"input":["a","b"],"model":"${model}","dimensions":1e1,"seed":12345678901234567890}`;
    expect(await sentUpstream(body('embed-priced'), '/v1/embeddings')).toBe(body(UPSTREAM_MODEL));
  });

  it('get the wish for usage in a stream, and keep every other stream option', async () => {
    const streamed = async (rest: string): Promise<string> => {
      await send(toBody(priced.name, rest));
      return gateway.simulator.calls.at(-1)?.text ?? 'nothing';
    };
    const sent = (rest: string): string => toBody(UPSTREAM_MODEL, rest);
    expect(await streamed(',"stream":true')).toBe(sent(',"stream":true,"stream_options":{"include_usage":true}'));
    expect(await streamed(',"stream":true,"stream_options":null')).toBe(sent(',"stream":true,"stream_options":{"include_usage":true}'));
    expect(await streamed(',"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}')).toBe(
      sent(',"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}'),
    );
    const asked = ',"stream_options" : { "include_usage" : true , "x" : 1.0 },"stream":true';
    expect(await streamed(asked)).toBe(sent(asked));
  });

  it('come back as the upstream wrote them', async () => {
    const answer = '{ "id":"chatcmpl-1", "created":1763600000.0, "big":12345678901234567890, "choices":[ {"message":{"content":"é\\u00e9 \\/"}} ],\n "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2} }\n';
    gateway.simulator.enqueue(respond.pieces('application/json', ...answer.split(/(?<=,)/)));
    expect((await send(toBody(priced.name))).text).toBe(answer);
  });
});

describe("a call's headers on the way to the upstream", () => {
  it.each([
    ['Authorization', () => ({ authorization: `Bearer ${gateway.key}` })],
    ['x-api-key', () => ({ 'x-api-key': gateway.key })],
    ['api-key', () => ({ 'api-key': gateway.key })],
    ['x-goog-api-key', () => ({ 'x-goog-api-key': gateway.key })],
    ['?key=', () => ({})],
  ])("carry Weir's provider key and nothing of a caller who shows its key as %s", async (where, credentials) => {
    const canary = randomBytes(12).toString('hex');
    const response = await fetch(`${gateway.weir.url}/v1/chat/completions?trace=${canary}${where === '?key=' ? `&key=${gateway.key}` : ''}`, {
      method: 'POST',
      body: toBody(priced.name),
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'openai-organization': canary,
        'openai-project': canary,
        'openai-beta': canary,
        'x-stainless-lang': canary,
        'x-stainless-retry-count': canary,
        cookie: `session=${canary}`,
        'x-forwarded-for': canary,
        'user-agent': canary,
        'accept-encoding': 'br',
        [`x-${canary}`]: canary,
        ...credentials(),
      },
    });
    expect(response.status).toBe(200);
    const [call] = gateway.simulator.calls;
    expect(call.headers.authorization).toBe(`Bearer ${priced.secret}`);
    expect(call.rawHeaders.join('\n')).not.toContain(canary);
    expect(call.rawHeaders.join('\n')).not.toContain(gateway.key);
    expect(call.path).toBe('/v1/chat/completions');
    expect(Object.keys(call.headers).sort()).toEqual(['accept', 'accept-encoding', 'authorization', 'connection', 'content-length', 'content-type', 'host', 'user-agent']);
    expect(call.headers).toMatchObject({ host: new URL(gateway.simulator.origin).host, 'accept-encoding': 'identity', 'content-type': 'application/json' });
  });
});

describe('the headers of an answer', () => {
  it('tell a request id, the limits, the upstream, the attempts, the overhead and the cost', async () => {
    const { response, text } = await send(toBody(priced.name));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'x-request-id': expect.stringMatching(REQUEST_ID),
      'x-ratelimit-limit-requests': '1000',
      'x-ratelimit-remaining-requests': expect.stringMatching(/^\d+$/),
      'x-ratelimit-reset-requests': expect.stringMatching(/^(\d+m)?\d+s$|^\d+ms$/),
      'x-weir-upstream': encodeURIComponent('upstream of gpt-priced'),
      'x-weir-attempts': '1',
      'x-weir-overhead-ms': expect.stringMatching(/^\d+\.\d\d$/),
      'x-weir-cost-usd': expect.stringMatching(/^0\.\d+$/),
    });
    const { usage } = JSON.parse(text);
    const [row] = await gateway.rows(response.headers.get('x-request-id'));
    expect(row).toMatchObject({ status: 'succeeded', http_status: 200, model: priced.name, upstream_model: UPSTREAM_MODEL, upstream_key_id: priced.keyIds[0], key_id: gateway.keyId, estimated: false });
    expect([Number(row.input_tokens), Number(row.output_tokens)]).toEqual([usage.prompt_tokens, usage.completion_tokens]);
    expect(Number(row.cost_nanos)).toBe(usage.prompt_tokens * 1_000 + usage.completion_tokens * 2_000);
    expect(Number(response.headers.get('x-weir-cost-usd'))).toBeCloseTo(Number(row.cost_nanos) / 1e9, 12);
  });

  it('tell no cost where there is no price, and the upstream of a provider error', async () => {
    expect((await send(toBody(plain.name))).response.headers.has('x-weir-cost-usd')).toBe(false);
    gateway.simulator.enqueue(respond.openAiError('invalid_value'));
    const { response } = await send(toBody(plain.name));
    expect([response.status, response.headers.get('x-weir-attempts'), response.headers.get('x-weir-upstream')]).toEqual([400, '1', encodeURIComponent('upstream of gpt-plain')]);
    expect(response.headers.get('x-request-id')).toMatch(REQUEST_ID);
  });

  it('keep a stream from being held back on its way, and promise no cost', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents('one two')));
    const { response, text } = await send(toBody(priced.name, ',"stream":true'), { 'accept-encoding': 'gzip, br' });
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': expect.stringMatching(REQUEST_ID),
      'x-ratelimit-limit-requests': '1000',
      'x-weir-upstream': encodeURIComponent('upstream of gpt-priced'),
      'x-weir-attempts': '1',
      'x-weir-overhead-ms': expect.stringMatching(/^\d+\.\d\d$/),
    });
    for (const name of ['content-length', 'content-encoding', 'x-weir-cost-usd']) expect([name, response.headers.has(name)]).toEqual([name, false]);
    const [row] = await gateway.rows(response.headers.get('x-request-id'));
    expect(row).toMatchObject({ status: 'succeeded', estimated: false, cost_nanos: expect.stringMatching(/^[1-9]\d*$/) });
  });

  it("hold nothing of the upstream's own that names its account or sets a cookie", async () => {
    const headers = { 'set-cookie': 'canary=1', 'openai-organization': 'canary', 'x-request-id': 'canary', 'x-ratelimit-remaining-requests': '77777', server: 'canary', 'cf-ray': 'canary', 'openai-processing-ms': '12' };
    for (const reply of [respond.json(chatAnswer('x')), respond.openAiError('invalid_value'), respond.stream(...chatEvents('x'))]) {
      gateway.simulator.enqueue(reply.withHeaders(headers));
      const { response } = await send(toBody(priced.name, gateway.simulator.calls.length === 2 ? ',"stream":true' : ''));
      const told = JSON.stringify([...response.headers]);
      expect(told).not.toMatch(/canary|77777/);
    }
  });
});
