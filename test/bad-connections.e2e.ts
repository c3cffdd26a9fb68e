import { chatEvents, RawClient, respond, stall } from '@weir/testing';
import { expectErrorBody, GoodCalls } from './support/good-calls';
import { TestGateway } from './support/test-gateway';
import { waitFor } from './support/wait-for';

const MODEL = 'gpt-good';
const BODY = `{"model":"${MODEL}","messages":[{"role":"user","content":"x"}]}`;
const PATH = '/v1/chat/completions';

let gateway: TestGateway;
let good: GoodCalls;
const clients: RawClient[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start({ MAX_BODY_BYTES: '1m', DEFAULT_RPM: '100000' });
  await gateway.addModel(MODEL);
  good = new GoodCalls(gateway, MODEL);
});
afterAll(() => gateway.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) client.leave();
  await good.expectNextIsFine();
  gateway.simulator.reset();
});

async function open(): Promise<RawClient> {
  const client = await RawClient.connect(gateway.weir.url);
  clients.push(client);
  return client;
}

interface Parsed {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** The answers on a connection, one after the other; only those with a length. */
function parseAnswers(bytes: string): Parsed[] {
  const answers: Parsed[] = [];
  for (let rest = bytes; rest !== ''; ) {
    const headEnd = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    expect(head).toMatch(/^HTTP\/1\.1 \d{3} /);
    expect(head).not.toMatch(/transfer-encoding/i);
    answers.push({ status: Number(head.slice(9, 12)), head, body: rest.slice(headEnd + 4, headEnd + 4 + length) });
    rest = rest.slice(headEnd + 4 + length);
  }
  return answers;
}

/** Sends bytes and reads until the server closes. */
async function send(bytes: string | Buffer): Promise<Parsed[]> {
  const client = await open();
  client.send(bytes);
  const { bytes: read } = await client.readToEnd();
  return parseAnswers(read);
}

const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('');
const head = (...extra: string[]): string[] => ['host: weir', `authorization: Bearer ${gateway.key}`, 'content-type: application/json', ...extra];
const whole = (...extra: string[]): string => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, ...extra), '') + BODY;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
/** What a second request would look like that is smuggled behind the first. */
const SMUGGLED = 'GET /v1/models HTTP/1.1\r\nhost: weir\r\n\r\n';

describe('a request whose length is said in two ways', () => {
  it.each<[string, () => string]>([
    ['by a length and by chunks', () => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, 'transfer-encoding: chunked'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by chunks and by a length', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked', 'content-length: 4'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by two lengths', () => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, 'content-length: 5'), '') + BODY + SMUGGLED],
    ['by two lengths in one header', () => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}, 5`), '') + BODY + SMUGGLED],
    ['by the same length twice', () => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, `content-length: ${BODY.length}`), '') + BODY + SMUGGLED],
    ['by chunked, identity', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked, identity'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by chunked that is not the last coding', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked', 'transfer-encoding: gzip'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by a header with a space in front of its colon', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding : chunked'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by a header whose name has a NUL', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding\0: chunked'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by a negative length', () => lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: -1'), '') + BODY + SMUGGLED],
    ['by a length with a sign', () => lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: +${BODY.length}`), '') + BODY + SMUGGLED],
    ['by a length in hexadecimal', () => lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 0x10'), '') + BODY + SMUGGLED],
    ['by a length beyond all numbers', () => lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 99999999999999999999999'), '') + BODY + SMUGGLED],
    ['by an empty length', () => lines(`POST ${PATH} HTTP/1.1`, ...head('content-length:'), '') + BODY + SMUGGLED],
    ['by a folded header', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding:', ' chunked'), '') + chunk(BODY) + '0\r\n\r\n' + SMUGGLED],
    ['by a chunk size that is none', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked'), '') + `zz\r\n${BODY}\r\n0\r\n\r\n` + SMUGGLED],
    ['by a chunk longer than it says', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked'), '') + `5\r\n${BODY}\r\n0\r\n\r\n` + SMUGGLED],
    ['by a chunk size beyond all numbers', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked'), '') + `ffffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n` + SMUGGLED],
    ['by chunks with line feeds alone', () => lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked'), '') + `${BODY.length.toString(16)}\n${BODY}\n0\n\n` + SMUGGLED],
  ])('gets one 400 and a closed connection: %s', async (_what, write) => {
    const answers = await send(write());
    expect(answers.map(({ status }) => status)).toEqual([400]);
    expect(expectErrorBody(answers[0].body).type).toBe('invalid_request_error');
    expect(answers[0].head).toMatch(/\r\nconnection: close/i);
    expect(gateway.simulator.calls.length).toBe(0);
  });
});

describe('a request that is no HTTP', () => {
  it.each<[string, () => string]>([
    ['CR in a header value', () => whole('x-a: a\rb')],
    ['LF in a header value', () => whole('x-a: a\nx-b')],
    ['NUL in a header value', () => whole('x-a: a\0b')],
    ['NUL in the path', () => `GET /v1/models\0 HTTP/1.1\r\nhost: weir\r\n\r\n`],
    ['CR in the path', () => `GET /v1/mo\rdels HTTP/1.1\r\nhost: weir\r\n\r\n`],
    ['a space in the path', () => `GET /v1/mo dels HTTP/1.1\r\nhost: weir\r\n\r\n`],
    ['a header without a name', () => whole(': a')],
    ['a header without a colon', () => whole('nonsense')],
    ['a folded header', () => whole('x-a: a', ' b')],
    ['no host', () => 'GET /v1/models HTTP/1.1\r\n\r\n'],
    ['two hosts', () => 'GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'],
    ['a method nobody knows', () => 'FETCH /v1/models HTTP/1.1\r\nhost: weir\r\n\r\n'],
    ['a version nobody knows', () => 'GET /v1/models HTTP/9.9\r\nhost: weir\r\n\r\n'],
    ["HTTP/2's greeting", () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ["TLS' greeting", () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['nonsense', () => '\0\0\0\0\r\n\r\n'],
  ])('gets one 400: %s', async (_what, write) => {
    const answers = await send(Buffer.from(write(), 'latin1'));
    expect(answers.map(({ status }) => status)).toEqual([400]);
    expectErrorBody(answers[0].body);
    expect(gateway.simulator.calls.length).toBe(0);
  });

  it.each<[string, () => string]>([
    ['one header of 100 KB', () => whole(`x-a: ${'a'.repeat(100_000)}`)],
    ['a thousand headers', () => whole(...Array.from({ length: 1000 }, (_, index) => `x-${index}: ${'a'.repeat(50)}`))],
    ['a path of 100 KB', () => `GET /v1/${'a'.repeat(100_000)} HTTP/1.1\r\nhost: weir\r\n\r\n`],
    ['a key of 100 KB', () => lines('GET /v1/models HTTP/1.1', 'host: weir', `authorization: Bearer ${'a'.repeat(100_000)}`, '')],
  ])('gets 431 with %s', async (_what, write) => {
    const answers = await send(write());
    expect(answers.map(({ status }) => status)).toEqual([431]);
    expect(expectErrorBody(answers[0].body).code).toBe('headers_too_large');
  });
});

describe('a body that does not end', () => {
  it('gets 413 by its announced length, before it is sent', async () => {
    const client = await open();
    client.send(lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 1073741824'), '') + '{"model":');
    expect(await client.readUntil('"body_too_large"')).toMatch(/^HTTP\/1\.1 413 /);
  });

  it.each([
    ['JSON gets 413', 'application/json', 413, 'body_too_large'],
    ['a multipart form gets 415', 'multipart/form-data; boundary=x', 415, 'unsupported_media_type'],
  ])('in chunks: %s while it is still being sent', async (_what, type, status, code) => {
    const client = await open();
    client.send(lines(`POST ${PATH} HTTP/1.1`, 'host: weir', `authorization: Bearer ${gateway.key}`, `content-type: ${type}`, 'transfer-encoding: chunked', ''));
    const piece = chunk(`--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n${'x'.repeat(64 * 1024)}\r\n`);
    let ended = false;
    client.socket.once('close', () => (ended = true));
    const pump = (): void => {
      if (!ended && !client.socket.destroyed && client.socket.writable) client.socket.write(piece, () => setImmediate(pump));
    };
    pump();
    expect(await client.readUntil(`"${code}"`)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    // Nobody reads it for ever: the connection ends although the caller would go on.
    await client.readToEnd();
  });

  it('gets 401 without being read, when the key is wrong', async () => {
    const client = await open();
    client.send(lines(`POST ${PATH} HTTP/1.1`, 'host: weir', 'authorization: Bearer nobody', 'content-type: application/json', 'content-length: 1000000', '') + '{');
    const answer = await client.readUntil('"invalid_api_key"');
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    await client.readToEnd();
  });
});

describe('a connection', () => {
  it('answers pipelined requests in their order, good and bad', async () => {
    const bad = lines(`POST ${PATH} HTTP/1.1`, 'host: weir', 'authorization: Bearer nobody', 'content-type: application/json', `content-length: ${BODY.length}`, '') + BODY;
    const wrong = lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 2'), '') + '[]';
    const nowhere = 'GET /nowhere HTTP/1.1\r\nhost: weir\r\n\r\n';
    const answers = await send(whole() + wrong + whole() + nowhere + whole() + bad);
    for (const { status } of answers) if (status === 200) good.count();
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 404, 200, 401]);
    // Who is refused before his body was read is told that the connection ends there.
    expect(answers[5].head).toMatch(/\r\nconnection: close/i);
  });

  it('of HTTP/1.0 gets an answer, and a stream whose end is the end of the connection', async () => {
    const client = await open();
    client.send(lines(`POST ${PATH} HTTP/1.0`, ...head(`content-length: ${BODY.length}`), '') + BODY);
    expect((await client.readToEnd()).bytes).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*"chat\.completion"/);
    good.count();
    gateway.simulator.enqueue(respond.stream(...chatEvents('one two three')));
    const body = BODY.replace('}]', '}],"stream":true');
    const streaming = await open();
    streaming.send(lines(`POST ${PATH} HTTP/1.0`, ...head(`content-length: ${body.length}`), '') + body);
    const { bytes } = await streaming.readToEnd();
    good.count();
    expect(bytes).not.toMatch(/transfer-encoding/i);
    expect(bytes.slice(bytes.indexOf('\r\n\r\n') + 4)).toBe(chatEvents('one two three').toSpliced(-2, 1).join(''));
  });

  it('is asked for its body with 100 Continue, and 417 answers any other expectation', async () => {
    const client = await open();
    client.send(lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, 'expect: 100-continue', 'connection: close'), ''));
    await client.readUntil('HTTP/1.1 100 Continue');
    client.send(BODY);
    expect((await client.readToEnd()).bytes).toMatch(/HTTP\/1\.1 200 OK/);
    good.count();
    const [answer] = await send(lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, 'expect: the-impossible', 'connection: close'), '') + BODY);
    expect(answer.status).toBe(417);
    expectErrorBody(answer.body);
  });

  it('may ask by a whole URL, or for nothing in particular', async () => {
    const absolute = await send(lines(`POST http://elsewhere.example${PATH} HTTP/1.1`, ...head(`content-length: ${BODY.length}`, 'connection: close'), '') + BODY);
    expect(absolute.map(({ status }) => status)).toEqual([404]);
    expectErrorBody(absolute[0].body);
    const options = await send(lines('OPTIONS * HTTP/1.1', 'host: weir', 'connection: close', ''));
    expect(options.map(({ status }) => status)).toEqual([204]);
    expect(options[0].head).not.toMatch(/access-control/i);
    const star = await send(lines('GET * HTTP/1.1', 'host: weir', 'connection: close', ''));
    expect(star.map(({ status }) => status)).toEqual([404]);
  });

  it.each(['TRACE', 'PROPFIND', 'LINK'])('gets 404 or 405 to the method %s', async (method) => {
    const answers = await send(lines(`${method} ${PATH} HTTP/1.1`, 'host: weir', 'connection: close', ''));
    expect(answers.map(({ status }) => status)).toEqual([405]);
    expectErrorBody(answers[0].body);
    expect(answers[0].head).toMatch(/\r\nallow: POST/i);
  });

  it('is no tunnel: CONNECT and Upgrade lead nowhere', async () => {
    const client = await open();
    client.send(lines('CONNECT 127.0.0.1:22 HTTP/1.1', 'host: 127.0.0.1:22', ''));
    expect((await client.readToEnd()).bytes).not.toMatch(/^HTTP\/1\.1 (101|2)/);
    const upgraded = await send(lines('GET /v1/models HTTP/1.1', 'host: weir', 'connection: upgrade, close', 'upgrade: websocket', 'sec-websocket-key: x', ''));
    expect(upgraded.map(({ status }) => status)).toEqual([401]);
  });

  it('that is closed half-way through a head or a body costs nothing', async () => {
    const starts = ['P', 'POST /v1/chat', lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 50')), lines(`POST ${PATH} HTTP/1.1`, ...head('content-length: 500'), '') + BODY, lines(`POST ${PATH} HTTP/1.1`, ...head('transfer-encoding: chunked'), '') + chunk(BODY)];
    for (const start of starts) {
      for (const leave of ['leave', 'reset', 'half'] as const) {
        const client = await open();
        client.send(start);
        if (leave === 'half') {
          client.socket.end();
          await client.readToEnd();
        } else client[leave]();
      }
    }
    expect(gateway.simulator.calls.length).toBe(0);
  });

  it('that is half-closed behind a whole request is answered or ended, and never left open', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents('one').slice(0, 2), stall));
    const client = await open();
    const body = BODY.replace('}]', '}],"stream":true');
    client.send(lines(`POST ${PATH} HTTP/1.1`, ...head(`content-length: ${body.length}`), '') + body);
    const [call] = await gateway.simulator.waitForCalls(1);
    client.socket.end();
    await client.readToEnd();
    await gateway.simulator.waitForAbort(call);
    const [row] = await waitFor(async () => {
      const rows = await gateway.database.query<{ request_id: string; status: string }>("SELECT * FROM usage_records WHERE status = 'aborted'");
      return rows.length > 0 ? rows : null;
    });
    await good.forget(row.request_id);
  });

  it('that sends a byte now and then does not keep others waiting', async () => {
    const slow = await Promise.all(Array.from({ length: 300 }, () => open()));
    const request = whole();
    for (let sent = 0; sent < 40; sent += 1) {
      for (const client of slow) client.send(request[sent]);
      if (sent % 10 === 0) await good.expectNextIsFine();
    }
    for (const client of slow) expect(client.bytes).toBe('');
  });
});

describe('all of this', () => {
  it('was charged to nobody, and took nothing from the limit', async () => {
    await good.expectNothingElseCharged();
  });
});
