import { SseEventTooLargeError, SseReader, type SseSink } from '@weir/wire';

interface Seen {
  data: string;
  type: string | null;
  raw: string | null;
}

class Recorder implements SseSink {
  readonly events: Seen[] = [];
  comments = 0;
  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void {
    this.events.push({
      data: bytes.toString('utf8', dataStart, dataEnd),
      type,
      raw: rawStart === -1 ? null : bytes.toString('utf8', rawStart, rawEnd),
    });
  }
  onComment(): void {
    this.comments += 1;
  }
}

function read(chunks: readonly (string | Buffer)[], maxEventBytes = 1 << 20): Recorder {
  const recorder = new Recorder();
  const reader = new SseReader(recorder, maxEventBytes);
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return recorder;
}

const dataOf = (recorder: Recorder): string[] => recorder.events.map((event) => event.data);

describe('SseReader', () => {
  it('hands canonical events on in place', () => {
    const { events } = read(['data: {"a":1}\n\ndata: [DONE]\n\n']);
    expect(events).toEqual([
      { data: '{"a":1}', type: null, raw: 'data: {"a":1}\n\n' },
      { data: '[DONE]', type: null, raw: 'data: [DONE]\n\n' },
    ]);
  });

  it.each([
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n'],
    ['CR', 'data: a\r\rdata: b\r\r'],
    ['a byte order mark', '\ufeffdata: a\n\ndata: b\n\n'],
    ['no space behind the colon', 'data:a\n\ndata:b\n\n'],
    ['comments between and inside', ': hello\n\n: x\ndata: a\n\n:\n\ndata: b\n: y\n\n'],
    ['id and retry fields', 'id: 1\nretry: 5\ndata: a\n\nid: 2\ndata: b\n\n'],
    ['no blank line at the end', 'data: a\n\ndata: b\n'],
    ['no line end at the end', 'data: a\n\ndata: b'],
    ['empty lines everywhere', '\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n'],
    ['events whose data is empty', 'data:\n\ndata: a\n\nevent: ping\ndata: \n\ndata: b\n\n'],
    ['an event without data', 'event: ping\n\ndata: a\n\nevent: ping\n\ndata: b\n\n'],
  ])('bears %s, cut into any two pieces or single bytes', (_, text) => {
    const bytes = Buffer.from(text);
    expect(dataOf(read([bytes]))).toEqual(['a', 'b']);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(dataOf(read([bytes.subarray(0, cut), bytes.subarray(cut)]))).toEqual(['a', 'b']);
    }
    expect(dataOf(read([...bytes].map((byte) => Buffer.from([byte]))))).toEqual(['a', 'b']);
  });

  it('puts characters together that a chunk border cut', () => {
    const bytes = Buffer.from('data: grüße 🌊\n\n');
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(dataOf(read([bytes.subarray(0, cut), bytes.subarray(cut)]))).toEqual(['grüße 🌊']);
    }
  });

  it('joins data of several lines with line feeds and never calls that canonical', () => {
    const { events } = read(['data: a\ndata: b\ndata:\n\n']);
    expect(events).toEqual([{ data: 'a\nb\n', type: null, raw: null }]);
  });

  it('gives the event type, and reads an error field as an event of type error', () => {
    const { events } = read(['event: message_start\ndata: {}\n\nerror: {"message":"full"}\n\n']);
    expect(events).toEqual([
      { data: '{}', type: 'message_start', raw: null },
      { data: '{"message":"full"}', type: 'error', raw: null },
    ]);
  });

  it('never calls an event canonical that it put together or that has more than its data line', () => {
    const recorder = read(['data: a', '\n\n', 'data:b\n\n', ': c\ndata: d\n\n', 'data: e\r\n\n']);
    expect(recorder.events.map((event) => event.raw)).toEqual([null, null, null, null]);
  });

  it('reports comments as signs of life', () => {
    expect(read([': keep-alive\n\n: again\n\n']).comments).toBe(2);
  });

  it('stops at an event beyond its limit, in one line or in many', () => {
    expect(() => read(['data: ' + 'x'.repeat(2000)], 1000)).toThrow(SseEventTooLargeError);
    expect(() => read(Array.from({ length: 300 }, () => 'data: xxxx\n'), 1000)).toThrow(SseEventTooLargeError);
  });

  it('stops at an event of lines without a byte and without an end', () => {
    expect(() => read(Array.from({ length: 300 }, () => 'data:\n'), 1000)).toThrow(SseEventTooLargeError);
  });
});
