import { ABSURD_USAGE, chatEvents, cutInto, dialects, DONE_EVENT, Gate, NEGATIVE_USAGE, Reply, respond, stall, toEvent } from '@weir/testing';
import { createHash } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { TestGateway, type TestModel } from './support/test-gateway';
import { waitFor } from './support/wait-for';

const TEXT = 'Grüß Gott 👋 — and “more” of it, in a few words';
/** As an upstream that reports usage sends them; the second to last is the usage chunk. */
const EVENTS = chatEvents(TEXT);
const WITH_USAGE = EVENTS.join('');
const WITHOUT_USAGE = EVENTS.toSpliced(-2, 1).join('');

let gateway: TestGateway;
let model: TestModel;

beforeAll(async () => {
  gateway = await TestGateway.start();
  model = await gateway.addModel('gpt-stream');
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

async function stream({ includeUsage = false, name = model.name } = {}) {
  const body = { model: name, messages: [{ role: 'user', content: 'say it' }], stream: true, ...(includeUsage ? { stream_options: { include_usage: true } } : {}) };
  const response = await gateway.weir.post('/v1/chat/completions', gateway.key, body);
  return { status: response.status, text: await response.text(), requestId: response.headers.get('x-request-id') };
}

const CUTS: readonly [string, (events: readonly string[]) => readonly (string | Uint8Array)[]][] = [
  ['an event a piece', (events) => events],
  ['all in one piece', (events) => [events.join('')]],
  ['a byte a piece', (events) => cutInto.bytes(events)],
  ['pieces of seven bytes', (events) => cutInto.piecesOf(events, 7)],
  ['random pieces (seed 1)', (events) => cutInto.randomPieces(events, 1)],
  ['random pieces (seed 2)', (events) => cutInto.randomPieces(events, 2, 7)],
  ['random pieces (seed 3)', (events) => cutInto.randomPieces(events, 3, 1000)],
];

describe.each(CUTS)('a stream that comes in %s', (_what, cut) => {
  it.each<[string, (events: readonly string[]) => string[]]>([
    ['canonical events', (events) => [...events]],
    ['CRLF line ends', dialects.crlf],
    ['CR line ends', dialects.cr],
    ['a byte order mark', dialects.withBom],
    ['data: without a space', dialects.withoutSpace],
    ['id:, retry: and event: lines', dialects.withEventFields],
    ['no blank line after the last event', dialects.withoutLastBlankLine],
    ['no line end at all after the last event', (events) => events.with(-1, 'data: [DONE]')],
    ['a space after [DONE]', dialects.doneWithTrailingSpace],
    ['pings without data', (events) => events.flatMap((event) => ['event: ping\n\n', event])],
    ['unknown fields and empty lines', (events) => events.map((event) => `\n\nfoo: bar\nbare\n${event}\n`)],
    ['empty data between events', (events) => events.flatMap((event) => ['data:\n\n', 'data: \n\n', event])],
    ['bytes behind [DONE]', (events) => [...events, 'data: {"late":1}\n\n: comment\n\n', DONE_EVENT]],
    ['everything at once', (events) => dialects.crlf(dialects.withBom(dialects.withEventFields(dialects.withoutSpace(events))))],
  ])('comes out canonical and equal: %s', async (_dialect, write) => {
    gateway.simulator.enqueue(respond.stream(...cut(write(EVENTS))), respond.stream(...cut(write(EVENTS))));
    expect(await stream({ includeUsage: true })).toMatchObject({ status: 200, text: WITH_USAGE });
    expect(await stream()).toMatchObject({ status: 200, text: WITHOUT_USAGE });
  });

  it('comes out on one line an event where the upstream wrote several', async () => {
    gateway.simulator.enqueue(respond.stream(...cut(dialects.multiLine(EVENTS))));
    const { text } = await stream({ includeUsage: true });
    const lines = text.split('\n\n').slice(0, -1);
    expect(lines.at(-1)).toBe('data: [DONE]');
    const parse = (line: string): unknown => JSON.parse(line.slice('data: '.length));
    expect(lines.slice(0, -1).map(parse)).toEqual(EVENTS.slice(0, -1).map(parse));
    for (const line of lines) expect(line).not.toContain('\n');
  });

  it('comes out with nothing but whole comments between whole events', async () => {
    gateway.simulator.enqueue(respond.stream(...cut(dialects.withComments(EVENTS))));
    const { text } = await stream({ includeUsage: true });
    expect(text.replaceAll(/^: keep-alive\n\n/gm, '')).toBe(WITH_USAGE);
    expect(text.startsWith('data: ')).toBe(true);
    expect(text.endsWith(DONE_EVENT)).toBe(true);
  });
});

describe('a stream', () => {
  it('is flushed event by event', async () => {
    const gates = EVENTS.map(() => new Gate());
    gateway.simulator.enqueue(respond.stream(...EVENTS.flatMap((event, index) => [event, gates[index]])));
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, { model: model.name, messages: [{ role: 'user', content: 'x' }], stream: true, stream_options: { include_usage: true } });
    let read = '';
    let opened = 0;
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      read += piece;
      // The upstream sends the next event only now that this one has come through.
      while (opened < gates.length && read.length >= EVENTS.slice(0, opened + 1).join('').length) gates[opened++].open();
    }
    expect(read).toBe(WITH_USAGE);
  });

  it('passes an event of eight megabytes', async () => {
    const large = toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'y'.repeat(8 * 1024 * 1024) } }] });
    gateway.simulator.enqueue(respond.stream(EVENTS[0], ...cutInto.piecesOf([large], 100_000), ...EVENTS.slice(1)));
    const { text } = await stream({ includeUsage: true });
    expect(text === [EVENTS[0], large, ...EVENTS.slice(1)].join('')).toBe(true);
  });

  it('keeps the bytes of its JSON: numbers, escapes and order', async () => {
    const odd = 'data: { "zeta":1.0, "big":12345678901234567890, "choices":[ {"index":0,"delta":{"content":"\\u00e9 é \\/"}} ] , "usage":null}\n\n';
    gateway.simulator.enqueue(respond.stream(odd, DONE_EVENT));
    expect((await stream()).text).toBe(odd + DONE_EVENT);
  });

  it('ends at [DONE], though the upstream keeps the connection open', async () => {
    gateway.simulator.enqueue(respond.stream(...EVENTS, stall));
    expect((await stream({ includeUsage: true })).text).toBe(WITH_USAGE);
  });
});

describe("a stream's usage", () => {
  const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

  async function rowOf(events: readonly string[], includeUsage = false) {
    gateway.simulator.enqueue(respond.stream(...events));
    const answer = await stream({ includeUsage });
    const [row] = await gateway.rows(answer.requestId);
    return { text: answer.text, row: { status: row.status, estimated: row.estimated, input: Number(row.input_tokens), output: Number(row.output_tokens) } };
  }

  it.each(['own-chunk', 'finish-chunk'] as const)('is read from its %s', async (usageOn) => {
    const { row } = await rowOf(chatEvents(TEXT, { usage: USAGE, usageOn }));
    expect(row).toEqual({ status: 'succeeded', estimated: false, input: 11, output: 7 });
  });

  it('is the last one of several, which are sums so far', async () => {
    const events = chatEvents(TEXT, { usage: USAGE });
    const early = toEvent({ choices: [{ index: 0, delta: { content: '' } }], usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 } });
    expect((await rowOf([events[0], early, ...events.slice(1)])).row).toEqual({ status: 'succeeded', estimated: false, input: 11, output: 7 });
  });

  it.each([
    ['is missing', null],
    ['is negative', NEGATIVE_USAGE],
    ['is absurd', ABSURD_USAGE],
    ['is no object', 'a lot'],
    ['counts in fractions', { prompt_tokens: 1.5, completion_tokens: 2, total_tokens: 3.5 }],
  ])('is estimated, and the row says so, where it %s', async (_what, usage) => {
    const { row, text } = await rowOf(chatEvents(TEXT, { usage: usage as object | null }));
    expect(row).toMatchObject({ status: 'succeeded', estimated: true });
    expect(row.input).toBeGreaterThan(0);
    expect(row.output).toBeGreaterThanOrEqual(Math.floor(Buffer.byteLength(TEXT) / 4));
    expect(row.output).toBeLessThan(100);
    expect(text.endsWith(DONE_EVENT)).toBe(true);
  });

  it('chunk with `choices: null`, which breaks clients, is stripped, or comes with an empty list to who asked', async () => {
    const events = chatEvents(TEXT, { usage: USAGE });
    const odd = events.with(-2, toEvent({ id: 'x', object: 'chat.completion.chunk', choices: null, usage: USAGE }));
    expect((await rowOf(odd)).text).toBe(events.toSpliced(-2, 1).join(''));
    const asked = await rowOf(odd, true);
    expect(asked.row).toMatchObject({ estimated: false, input: 11, output: 7 });
    expect(asked.text).not.toContain('"choices":null');
    expect(asked.text).toContain('"choices":[]');
  });
});

describe('a caller that reads slowly', () => {
  const open: IncomingMessage[] = [];
  // A caller that still reads would hold up the drain.
  afterEach(() => open.splice(0).forEach((response) => response.destroy()));

  const MEGABYTE = 1024 * 1024;
  const EVENT = toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'z'.repeat(64 * 1024) } }] });
  const EVENT_COUNT = Math.ceil((100 * MEGABYTE) / EVENT.length);

  const residentBytes = async (): Promise<number> => Number(/^weir_process_resident_memory_bytes (\S+)$/m.exec(await gateway.weir.metrics())?.[1]);

  /** Resolves when the number has stood still for as long as twenty looks at it. */
  async function whenStill(read: () => number): Promise<number> {
    let last = -1;
    let looks = 0;
    await waitFor(() => {
      looks = read() === last ? looks + 1 : 0;
      last = read();
      return last > 0 && looks >= 20;
    });
    return last;
  }

  /** Asks for a stream and reads nothing of it yet. */
  async function ask(): Promise<IncomingMessage> {
    const body = JSON.stringify({ model: model.name, messages: [{ role: 'user', content: 'x' }], stream: true });
    const headers = { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(`${gateway.weir.url}/v1/chat/completions`, { method: 'POST', headers, agent: false }, resolve).on('error', reject).end(body);
    });
    open.push(response.pause());
    return response;
  }

  it('gets a fast stream of a hundred megabytes whole, while Weir keeps little of it in memory', async () => {
    let sent = 0;
    gateway.simulator.enqueue(
      new Reply(async ({ response, write }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (; sent < EVENT_COUNT; sent += 1) await write(EVENT);
        await write(DONE_EVENT);
        response.end();
      }),
    );
    const before = await residentBytes();
    const response = await ask();
    const heldBack = await whenStill(() => sent);
    // What is on the way stands in the buffers of two connections and of the gateway, not in memory without end.
    expect(heldBack).toBeLessThan(EVENT_COUNT / 2);
    expect((await residentBytes()) - before).toBeLessThan(48 * MEGABYTE);
    // Other callers are not held up by it.
    expect((await gateway.weir.post('/v1/chat/completions', gateway.key, { model: model.name, messages: [{ role: 'user', content: 'x' }] })).status).toBe(200);
    const hash = createHash('sha256');
    let read = 0;
    let largest = 0;
    for await (const piece of response as AsyncIterable<Buffer>) {
      hash.update(piece);
      const looks = Math.floor(read / (5 * MEGABYTE));
      read += piece.length;
      if (Math.floor(read / (5 * MEGABYTE)) > looks) largest = Math.max(largest, await residentBytes());
    }
    const expected = createHash('sha256');
    for (let index = 0; index < EVENT_COUNT; index += 1) expected.update(EVENT);
    expect(hash.digest('hex')).toBe(expected.update(DONE_EVENT).digest('hex'));
    expect(largest - before).toBeLessThan(64 * MEGABYTE);
  });

  it('leaves in the middle: the upstream is stopped, though its bytes were held back', async () => {
    gateway.simulator.enqueue(respond.stream(...Array.from({ length: EVENT_COUNT }, () => EVENT), DONE_EVENT));
    const response = await ask();
    const [call] = gateway.simulator.calls;
    response.destroy();
    await gateway.simulator.waitForAbort(call);
  });
});
