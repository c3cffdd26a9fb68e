import { createServer, get, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { AnswerBytes, CaptureMemory } from './answer-bytes';
import { AnswerCapture, type CaptureResult } from './answer-capture';

const END = { isWhole: true, attempts: 1 };

let results: CaptureResult[];
let memory: CaptureMemory;

beforeEach(() => {
  results = [];
  memory = new CaptureMemory(100_000);
});

function capture(maxBytes = 10_000): AnswerCapture {
  return new AnswerCapture(new AnswerBytes(memory, maxBytes), (result) => results.push(result));
}

describe('AnswerCapture', () => {
  let server: Server;
  let respond: (response: ServerResponse) => void;

  beforeAll(async () => {
    server = createServer((_request, response) => respond(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());

  /** What a caller received. */
  function receive(): Promise<{ status: number; body: string }> {
    const { port } = server.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      get({ port, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      }).on('error', reject);
    });
  }

  it('takes from a response what its caller gets, however it is written', async () => {
    respond = (response) => {
      const taken = capture();
      taken.attach(response);
      response.setHeader('access-control-allow-origin', 'https://console.example');
      response.writeHead(200, ['Content-Type', 'text/event-stream', 'x-weir-upstream', 'u', 'x-ratelimit-limit-requests', '5', 'x-request-id', 'r']);
      response.write(Buffer.from('data: 1\n\n'));
      response.write('data: \u00fc\n\n', 'latin1');
      response.write('data: \u00fc\n\n');
      response.end(Buffer.from('data: [DONE]\n\n'), () => taken.finish(END));
    };
    const received = await receive();
    const [result] = results;
    if (result.kind !== 'kept') throw new Error('it was not kept');
    expect(received.status).toBe(200);
    expect(result.answer.status).toBe(200);
    expect(result.answer.headers).toEqual(['content-type', 'text/event-stream', 'x-weir-upstream', 'u', 'x-request-id', 'r']);
    expect(result.answer.body.toString()).toBe(received.body);
  });

  it('keeps its own copy of bytes that are used again for others', () => {
    const chunk = Buffer.from('first');
    const taken = capture();
    taken.head(200, []);
    taken.chunk(chunk);
    chunk.write('other');
    taken.finish(END);
    expect(results).toEqual([{ kind: 'kept', answer: { status: 200, headers: [], body: Buffer.from('first') } }]);
  });

  it('frees the key for a broken stream, an abandoned request and one that was never answered', () => {
    for (const end of [(c: AnswerCapture) => c.finish({ isWhole: false, attempts: 1 }), (c: AnswerCapture) => c.abandon()]) {
      const taken = capture();
      taken.head(200, []);
      taken.chunk(Buffer.from('data: 1\n\n'));
      end(taken);
    }
    capture().finish(END);
    expect(results).toEqual([{ kind: 'freed' }, { kind: 'freed' }, { kind: 'freed' }]);
    expect(memory.usedBytes).toBe(0);
  });

  it('ends once', () => {
    const taken = capture();
    taken.head(200, []);
    taken.abandon();
    taken.finish(END);
    expect(results).toEqual([{ kind: 'freed' }]);
  });

  it('says too large beyond its own limit, to the byte, and holds nothing of it', () => {
    for (const length of [10_000, 10_001]) {
      const taken = capture();
      taken.head(200, []);
      for (let sent = 0; sent < length; sent += 100) taken.chunk(Buffer.alloc(Math.min(100, length - sent)));
      taken.finish(END);
    }
    expect(results.map(({ kind }) => kind)).toEqual(['kept', 'too_large']);
    expect(memory.usedBytes).toBeLessThanOrEqual(10_000);
  });

  it('says too large when all captures together hold too much', () => {
    const open = Array.from({ length: 20 }, () => capture());
    for (const taken of open) {
      taken.head(200, []);
      taken.chunk(Buffer.alloc(9_000));
      expect(memory.usedBytes).toBeLessThanOrEqual(memory.maxBytes);
    }
    for (const taken of open) taken.finish(END);
    expect(results.filter(({ kind }) => kind === 'kept').length).toBe(11);
  });
});
