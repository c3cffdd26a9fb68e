/** A span as a collector reads it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'other';
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly hasFailed: boolean;
  readonly resource: Attributes;
}

export type Attributes = Readonly<Record<string, unknown>>;

/** Numbers of fields are those of https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto */
export function readOtlpSpans(body: Buffer): ReceivedSpan[] {
  return new Message(body).messages(1).flatMap((resourceSpans) => {
    const resource = toAttributes(resourceSpans.messages(1).flatMap((message) => message.messages(1)));
    return resourceSpans.messages(2).flatMap((scopeSpans) => scopeSpans.messages(2).map((span) => toSpan(span, resource)));
  });
}

const KINDS: Readonly<Record<number, ReceivedSpan['kind']>> = { 1: 'internal', 2: 'server', 3: 'client' };
const FAILED = 2n;

function toSpan(span: Message, resource: Attributes): ReceivedSpan {
  return {
    traceId: span.bytes(1).toString('hex'),
    spanId: span.bytes(2).toString('hex'),
    traceState: span.bytes(3).toString('utf8'),
    parentSpanId: span.bytes(4).toString('hex'),
    name: span.bytes(5).toString('utf8'),
    kind: KINDS[Number(span.number(6))] ?? 'other',
    startNanos: span.number(7),
    endNanos: span.number(8),
    attributes: toAttributes(span.messages(9)),
    events: span.messages(11).map((event) => ({ name: event.bytes(2).toString('utf8'), attributes: toAttributes(event.messages(3)) })),
    hasFailed: span.messages(15).some((status) => status.number(3) === FAILED),
    resource,
  };
}

function toAttributes(pairs: readonly Message[]): Attributes {
  return Object.fromEntries(pairs.map((pair) => [pair.bytes(1).toString('utf8'), toValue(pair.messages(2)[0])]));
}

function toValue(value: Message): unknown {
  if (value.has(1)) return value.bytes(1).toString('utf8');
  if (value.has(2)) return value.number(2) === 1n;
  if (value.has(3)) return Number(BigInt.asIntN(64, value.number(3)));
  if (value.has(4)) return toDouble(value.number(4));
  if (value.has(5)) return value.messages(5).flatMap((list) => list.messages(1).map(toValue));
  return undefined;
}

function toDouble(bits: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
}

/** A protobuf message, as far as it can be read without its schema: https://protobuf.dev/programming-guides/encoding/ */
class Message {
  readonly #fields = new Map<number, (Buffer | bigint)[]>();

  constructor(private readonly body: Buffer) {
    let at = 0;
    const readVarint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = this.body[at++];
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    const readBytes = (length: number): Buffer => this.body.subarray(at, (at += length));
    while (at < body.length) {
      const tag = Number(readVarint());
      const values = this.#fields.get(tag >> 3) ?? [];
      this.#fields.set(tag >> 3, values);
      switch (tag & 7) {
        case 0:
          values.push(readVarint());
          break;
        case 1:
          values.push(readBytes(8).readBigUInt64LE());
          break;
        case 2:
          values.push(readBytes(Number(readVarint())));
          break;
        case 5:
          values.push(BigInt(readBytes(4).readUInt32LE()));
          break;
        default:
          throw new Error(`this is no protobuf: wire type ${tag & 7}`);
      }
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  bytes(field: number): Buffer {
    const value = this.#fields.get(field)?.at(-1);
    return typeof value === 'bigint' || value === undefined ? Buffer.alloc(0) : value;
  }

  number(field: number): bigint {
    const value = this.#fields.get(field)?.at(-1);
    return typeof value === 'bigint' ? value : 0n;
  }

  messages(field: number): Message[] {
    return (this.#fields.get(field) ?? []).flatMap((value) => (typeof value === 'bigint' ? [] : [new Message(value)]));
  }
}
