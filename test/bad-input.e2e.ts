import { createServer } from 'node:http';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { insertRow, respond } from '@weir/testing';
import { expectErrorBody, GoodCalls } from './support/good-calls';
import { TestGateway } from './support/test-gateway';

const MODEL = 'gpt-good';
const MESSAGES = '[{"role":"user","content":"x"}]';
const chat = (rest: string): string => `{"model":"${MODEL}","messages":${MESSAGES}${rest}}`;
const nest = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

let gateway: TestGateway;
let good: GoodCalls;

beforeAll(async () => {
  gateway = await TestGateway.start({ MAX_BODY_BYTES: '1m', DEFAULT_RPM: '100000' });
  await gateway.addModel(MODEL);
  await gateway.addModel('embed-good', { operation: 'embeddings' });
  await gateway.addModel('instruct-good', { operation: 'completions' });
  good = new GoodCalls(gateway, MODEL);
});
afterAll(() => gateway.stop());
// Whatever went before, the server is there and the next request is fine.
afterEach(() => good.expectNextIsFine());

async function refused(path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const calls = gateway.simulator.calls.length;
  const response = await gateway.weir.post(path, gateway.key, body, headers);
  const text = await response.text();
  expect(gateway.simulator.calls.length).toBe(calls);
  return { status: response.status, headers: response.headers, error: expectErrorBody(text), text };
}

describe('a body for chat completions', () => {
  it.each<[what: string, body: string | Uint8Array, code: string, param: RegExp | null]>([
    ['is empty', '', 'invalid_json', null],
    ['is white space', ' \n\t ', 'invalid_json', null],
    ['breaks off', `{"model":"${MODEL}","messages":[{"role":"user"`, 'invalid_json', /^messages/],
    ['has something behind it', `${chat('')}{}`, 'invalid_json', null],
    ['has a comma too many', chat(','), 'invalid_json', /^messages$/],
    ['has single quotes', "{'model':'x'}", 'invalid_json', null],
    ['has a comment', `/* x */${chat('')}`, 'invalid_json', null],
    ['holds NaN', chat(',"temperature":NaN'), 'invalid_json', /^temperature$/],
    ['holds a number with a leading zero', chat(',"seed":007'), 'invalid_json', /^seed$/],
    ['holds a line feed inside a string', chat(',"user":"a\nb"'), 'invalid_json', /^user$/],
    ['holds NUL inside a string', chat(',"user":"a\u0000b"'), 'invalid_json', /^user$/],
    ['begins with NUL', `\u0000${chat('')}`, 'invalid_json', null],
    ['ends with NUL', `${chat('')}\u0000`, 'invalid_json', null],
    ['begins with a byte order mark', `\ufeff${chat('')}`, 'invalid_json', null],
    ['is UTF-16', Buffer.from(chat(''), 'utf16le'), 'invalid_json', null],
    ['is not UTF-8 in a string', Buffer.from(chat(',"user":"\xff"'), 'latin1'), 'invalid_json', null],
    ['is overlong UTF-8', Buffer.concat([Buffer.from(chat(',"user":"').slice(0, -1)), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), 'invalid_json', null],
    ['holds a surrogate in UTF-8', Buffer.concat([Buffer.from(chat(',"user":"').slice(0, -1)), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]), 'invalid_json', null],
    ['breaks off inside a character', Buffer.from(chat(',"user":"é').slice(0, -1)).subarray(0, -1), 'invalid_json', /./],
    ['is compressed', gzipSync(chat('')), 'invalid_json', null],
    ['is an array', '[]', 'invalid_request', null],
    ['is a string', '"hello"', 'invalid_request', null],
    ['is a number', '1', 'invalid_request', null],
    ['is null', 'null', 'invalid_request', null],
    ['nests arrays 10,000 deep', `{"model":"${MODEL}","messages":${nest('[', ']', 10_000)}}`, 'invalid_request', /^messages/],
    ['nests objects 10,000 deep', chat(`,"metadata":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`), 'invalid_request', /^metadata/],
    ['opens 100,000 arrays and ends', '['.repeat(100_000), 'invalid_request', /^\[0\]/],
    ['says the model twice', `{"model":"${MODEL}","messages":${MESSAGES},"model":"gpt-other"}`, 'invalid_request', /^model$/],
    ['says the model twice, once with escapes', `{"model":"${MODEL}","messages":${MESSAGES},"mod\\u0065l":"gpt-other"}`, 'invalid_request', /^mod/],
    ['says a key twice inside', `{"model":"${MODEL}","messages":[{"role":"user","content":"x"},{"role":"user","content":"x","role":"system"}]}`, 'invalid_request', /^messages\[1\]\.role$/],
    ['says __proto__', chat(',"__proto__":{"admin":true}'), 'invalid_request', /^__proto__$/],
    ['says __proto__ inside, with escapes', chat(',"metadata":{"__pr\\u006fto__":{"admin":true}}'), 'invalid_request', /^metadata\./],
    ['has 20,000 keys in one object', chat(`,"metadata":{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join()}}`), 'invalid_request', /^metadata/],
    ['names no model', `{"messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has null for a model', `{"model":null,"messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has a number for a model', `{"model":5,"messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has an array for a model', `{"model":["${MODEL}"],"messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has an object for a model', `{"model":{"name":"${MODEL}"},"messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has an empty model', `{"model":"","messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has a model name of 300 characters', `{"model":"${'m'.repeat(300)}","messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has a model name of half a megabyte', `{"model":"${'m'.repeat(500_000)}","messages":${MESSAGES}}`, 'invalid_request', /^model$/],
    ['has no messages', `{"model":"${MODEL}"}`, 'invalid_request', /^messages$/],
    ['has empty messages', `{"model":"${MODEL}","messages":[ ]}`, 'invalid_request', /^messages$/],
    ['has null for messages', `{"model":"${MODEL}","messages":null}`, 'invalid_request', /^messages$/],
    ['has an object for messages', `{"model":"${MODEL}","messages":{"role":"user","content":"x"}}`, 'invalid_request', /^messages$/],
    ['has a string for messages', `{"model":"${MODEL}","messages":"hello"}`, 'invalid_request', /^messages$/],
    ['wants a stream with a string', chat(',"stream":"yes"'), 'invalid_request', /^stream$/],
    ['wants a stream with a number', chat(',"stream":1'), 'invalid_request', /^stream$/],
    ['wants a stream with an array', chat(',"stream":[true]'), 'invalid_request', /^stream$/],
    ['has an array for stream options', chat(',"stream":true,"stream_options":[]'), 'invalid_request', /^stream_options$/],
    ['has a string for stream options', chat(',"stream":true,"stream_options":"include_usage"'), 'invalid_request', /^stream_options$/],
    ['has a string for include_usage', chat(',"stream":true,"stream_options":{"include_usage":"yes"}'), 'invalid_request', /^stream_options\.include_usage$/],
  ])('gets 400 when it %s', async (_what, body, code, param) => {
    const answer = await refused('/v1/chat/completions', body);
    expect([answer.status, answer.error.code, answer.error.type]).toEqual([400, code, 'invalid_request_error']);
    if (param === null) expect(answer.error.param).toBeNull();
    else expect(answer.error.param).toMatch(param);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.text.length).toBeLessThan(1000);
  });

  it.each([
    ['CR and LF', 'gpt\\r\\nx-evil: 1\\r\\n\\r\\n'],
    ['NUL', 'gpt\\u0000'],
    ['percent signs', '%00%0d%0a%'],
    ['a lone surrogate', 'gpt\\ud800'],
    ['JavaScript', '__proto__'],
    ['an inherited name', 'constructor'],
    ['a path', '../../etc/passwd'],
    ['a star', '*'],
    ['SQL', "x' OR '1'='1"],
  ])('gets 404 when its model is not there, whatever it is made of: %s', async (_what, model) => {
    const answer = await refused('/v1/chat/completions', `{"model":"${model}","messages":${MESSAGES}}`);
    expect([answer.status, answer.error.code, answer.error.param]).toEqual([404, 'model_not_found', 'model']);
    expect(answer.headers.get('x-evil')).toBeNull();
  });

  it.each([
    ['/v1/embeddings', '{"model":"embed-good"}', 'input'],
    ['/v1/embeddings', '{"model":"embed-good","input":5}', 'input'],
    ['/v1/embeddings', '{"model":"embed-good","input":[]}', 'input'],
    ['/v1/embeddings', '{"model":"embed-good","input":"x","stream":true}', 'stream'],
    ['/v1/completions', '{"model":"instruct-good"}', 'prompt'],
    ['/v1/completions', '{"model":"instruct-good","prompt":{"a":1}}', 'prompt'],
    ['/openai/deployments/gpt-good/chat/completions', '{"messages":{}}', 'messages'],
  ])('names its field on other routes too: %s %s', async (path, body, param) => {
    expect(await refused(path, body)).toMatchObject({ status: 400, error: { param, code: 'invalid_request' } });
  });

  it.each([
    ['text/plain', chat('')],
    ['application/x-www-form-urlencoded', `model=${MODEL}`],
    ['multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt\r\n--x--\r\n'],
    ['multipart/form-data', ''],
    ['application/xml', '<model/>'],
    ['application/octet-stream', chat('')],
  ])('gets 415 as %s', async (type, body) => {
    expect(await refused('/v1/chat/completions', body, { 'content-type': type })).toMatchObject({ status: 415, error: { code: 'unsupported_media_type' } });
  });

  it('gets 413 when it is too large, and the limit is named', async () => {
    const body = chat(`,"user":"${'x'.repeat(1024 * 1024)}"`);
    const answer = await refused('/v1/chat/completions', body);
    expect([answer.status, answer.error.code]).toEqual([413, 'body_too_large']);
    expect(answer.error.message).toContain('1048576');
  });

  it('is taken when it has exactly the largest size', async () => {
    const frame = chat(',"user":""').length;
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, chat(`,"user":"${'x'.repeat(1024 * 1024 - frame)}"`));
    good.count();
    expect(response.status).toBe(200);
    await response.text();
  });
});

describe('a path', () => {
  it.each([
    ['GET', '/v1/models/%', 404],
    ['GET', '/v1/models/%00', 404],
    ['GET', '/v1/models/%0d%0ax-evil:%201', 404],
    ['GET', '/v1/models/%E0%A4%A', 404],
    ['GET', `/v1/models/${'m'.repeat(5000)}`, 404],
    ['POST', '/openai/deployments/%ZZ/chat/completions', 404],
    ['POST', '/openai/deployments/%00/chat/completions', 404],
    ['POST', '/openai/deployments/..%2f..%2fadmin/chat/completions', 404],
    ['POST', '/openai/deployments//chat/completions', 404],
    ['GET', '/', 404],
    ['GET', '/v1', 404],
    ['POST', '/v1/chat/completions/', 404],
    ['POST', '//v1/chat/completions', 404],
    ['POST', '/v1/chat/completions%00', 404],
    ['POST', '/%761/chat/completions', 404],
    ['GET', '/admin/keys', 404],
    ['GET', '/v1/../admin/keys', 404],
    ['GET', '/metrics', 404],
    ['GET', '/v1/chat/completions', 405],
    ['PUT', '/v1/chat/completions', 405],
    ['DELETE', '/v1/models', 405],
    ['PATCH', '/v1/embeddings', 405],
    ['POST', '/v1/models/gpt-good', 405],
  ])('%s %s gets %i', async (method, path, status) => {
    const body = ['GET', 'DELETE'].includes(method) ? undefined : chat('');
    const response = await fetch(gateway.weir.url + path, { method, body, headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' } });
    expect(response.status).toBe(status);
    const error = expectErrorBody(await response.text());
    expect(error.code).toMatch(status === 405 ? /^method_not_allowed$/ : /^(not_found|model_not_found)$/);
    if (status === 405) expect(response.headers.get('allow')).toMatch(/^(GET|POST)$/);
    expect(response.headers.get('x-evil')).toBeNull();
  });
});

describe('a name that could reach a header', () => {
  it('of an upstream is written so that it breaks no header', async () => {
    const upstreamId = await insertRow.upstream(gateway.rowStore, { name: 'evil\r\nx-evil: 1\r\n\r\nü', provider: 'openai-compatible', baseUrl: gateway.simulator.baseUrl, options: { no_key: true } });
    await gateway.addRoute('gpt-evil', [upstreamId]);
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, { model: 'gpt-evil', messages: [{ role: 'user', content: 'x' }] });
    good.count();
    await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('x-evil')).toBeNull();
    expect(response.headers.get('x-weir-upstream')).toBe(encodeURIComponent('evil\r\nx-evil: 1\r\n\r\nü').replaceAll('%3A', ':'));
  });
});

describe('an upstream that redirects', () => {
  it.each([301, 302, 307, 308])('is not followed: %i', async (status) => {
    let visits = 0;
    const elsewhere = createServer((_request, response) => {
      visits += 1;
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const address = elsewhere.address();
    const model = await gateway.addModel(`gpt-redirected-${status}`);
    const location = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/latest/meta-data`;
    gateway.simulator.always(respond.redirect(location, status));
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, { model: model.name, messages: [{ role: 'user', content: 'x' }] });
    const text = await response.text();
    gateway.simulator.reset();
    elsewhere.close();
    expect([response.status, visits]).toEqual([502, 0]);
    expect(text).not.toContain('meta-data');
    expect(response.headers.get('location')).toBeNull();
    await good.forget(response.headers.get('x-request-id'));
  });
});

describe('all of this', () => {
  it('was charged to nobody, and took nothing from the limit', async () => {
    await good.expectNothingElseCharged();
  });
});
