import { readReference, respond, type SimulatedProvider, type SimulatorCall, speak } from '@weir/testing';
import { toHeard } from '../support/dialect-matrix/heard';
import { addProviderModel, connect, connectNative, PAIRS, PROVIDERS, toCostNanos, toSpokenFormat } from '../support/dialect-matrix/matrix';
import { DIALECT_NAMES, type DialectName, type Question, type SdkAnswer, type Told, TOOLS, type ToldUsage, type ToolResult, WEATHER_SCHEMA } from '../support/dialect-matrix/told';
import { TestGateway } from '../support/test-gateway';

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const IMAGE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SCHEMA = { type: 'object', properties: { sentence: { type: 'string' } }, required: ['sentence'], additionalProperties: false };
const TEXT = 'Grüß Gott 👋 — "quoted", \\ and a line\nbreak';

let gateway: TestGateway;
/** What the provider said in each call, for its usage row. */
const calls: { readonly what: string; readonly requestId: string | null; readonly usage: ToldUsage }[] = [];

const toName = (provider: SimulatedProvider): string => `matrix-${provider}`;

beforeAll(async () => {
  gateway = await TestGateway.start();
  for (const provider of PROVIDERS) await addProviderModel(gateway, toName(provider), provider);
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.simulator.reset());

/** Asks through Weir what the vendor's own client asks the provider itself, and expects the same answer. */
async function askBoth(dialect: DialectName, provider: SimulatedProvider, question: Question): Promise<{ answer: SdkAnswer; native: SdkAnswer; sent: SimulatorCall }> {
  const { client, model } = connectNative(gateway, dialect, provider);
  const { before: _before, ...first } = question;
  // The answer does not depend on the question; the history would be another dialect's.
  const native = await client.ask(model, first);
  const answer = await connect(dialect, gateway.weir.url, gateway.key).ask(toName(provider), question);
  const sent = gateway.simulator.calls.at(-1);
  if (sent === undefined) throw new Error('nothing reached the provider');
  expect(answer.told).toEqual(toTold(native.told, dialect, provider));
  calls.push({ what: `${dialect} ${provider} ${question.text}`, requestId: answer.headers.get('x-request-id'), usage: native.told.usage });
  return { answer, native, sent };
}

/** Google's dialect has no word for what is written to the cache, and its client drops why an answer was refused. */
function toTold(told: Told, dialect: DialectName, provider: SimulatedProvider): Told {
  if (dialect === 'gemini') return { ...told, refusal: '', usage: { ...told.usage, written: 0 } };
  return provider === 'gemini' && told.stop === 'refusal' ? { ...told, refusal: 'This could do harm.' } : told;
}

describe.each(PAIRS)("%s's official client in front of %s", (dialect, provider) => {
  describe.each([
    ['whole', false],
    ['streamed', true],
  ])('%s', (_what, isStream) => {
    it('gets the text, its end and its usage', async () => {
      gateway.simulator.default(speak.scene('text'));
      const { answer, sent } = await askBoth(dialect, provider, { text: TEXT, isStream, outputCap: 2000 });
      expect(answer.told).toMatchObject({ text: TEXT, stop: 'end', usage: { input: expect.any(Number), cached: expect.any(Number) } });
      expect(answer.told.usage.cached).toBeGreaterThan(0);
      expect(answer.told.usage.reasoning).toBeGreaterThan(0);
      expect(toHeard(toSpokenFormat(dialect, provider), sent)).toMatchObject({ userTexts: [TEXT], outputCap: 2000, isStream, thinks: false, tools: [], schema: null });
      expect(Object.fromEntries(answer.headers)).toMatchObject({ 'x-request-id': expect.stringMatching(REQUEST_ID), 'x-weir-attempts': '1', 'x-weir-upstream': expect.stringContaining('upstream') });
    });

    it('calls tools in parallel, one without arguments, and sends pictures, results and signatures back', async () => {
      const format = toSpokenFormat(dialect, provider);
      const question: Question = { text: 'What is the weather there?', isStream, instructions: 'Be brief.', image: IMAGE, hasTools: true, thinks: true, outputCap: 8000 };
      gateway.simulator.default(speak.scene('tools'));
      const { answer, native, sent } = await askBoth(dialect, provider, question);
      const first = {
        instructions: 'Be brief.',
        userTexts: [question.text],
        images: [IMAGE],
        calls: [],
        results: [],
        tools: [
          [TOOLS[0].name, WEATHER_SCHEMA],
          [TOOLS[1].name, null],
        ],
        schema: null,
        outputCap: 8000,
        isStream,
        thinks: true,
      };
      expect(toHeard(format, sent)).toEqual(first);
      expect(answer.told.stop).toBe('tools');
      const results = toResults(answer);
      gateway.simulator.default(speak.scene('text'));
      const second = await askBoth(dialect, provider, { ...question, before: { answer, results } });
      const expected = { ...first, calls: answer.told.calls, results: results.map(({ name, text }) => [name, text]) };
      expect(toHeard(format, second.sent)).toEqual(expected);
      expect(toSignatures(format, second.sent.json)).toEqual(toSignatures(format, toSameHistory(format, native)));
    });

    it('is told that the cap of the output cut the text off', async () => {
      gateway.simulator.default(speak.scene('cut_off'));
      const { answer } = await askBoth(dialect, provider, { text: 'long', isStream, outputCap: 45 });
      expect(answer.told).toMatchObject({ text: TEXT, stop: 'length' });
    });

    it('is told of a refusal, in words', async () => {
      gateway.simulator.default(speak.scene('refusal'));
      const { answer } = await askBoth(dialect, provider, { text: 'no', isStream });
      expect(answer.told.stop).toBe('refusal');
      if (dialect !== 'gemini') expect(answer.told.refusal).not.toBe('');
    });
  });

  it('asks for an answer of a schema', async () => {
    gateway.simulator.default(speak.scene('text'));
    const { sent } = await askBoth(dialect, provider, { text: 'as JSON', isStream: false, schema: SCHEMA });
    expect(toHeard(toSpokenFormat(dialect, provider), sent).schema).toEqual(SCHEMA);
  });
});

describe.each(DIALECT_NAMES)("a conversation of %s's client that moves from one provider to another", (dialect) => {
  const moves = PROVIDERS.flatMap((from) => PROVIDERS.filter((to) => to !== from).map((to) => [from, to] as const));

  it.each(moves)('goes on, from %s to %s, without what only the first can verify', async (from, to) => {
    const client = connect(dialect, gateway.weir.url, gateway.key);
    const question: Question = { text: 'What is the weather?', isStream: true, hasTools: true, thinks: true, outputCap: 8000 };
    gateway.simulator.default(speak.scene('tools'));
    const answer = await client.ask(toName(from), question);
    gateway.simulator.default(speak.scene('text'));
    // The simulated providers refuse what the real ones would: signatures of others, calls without results.
    const second = await client.ask(toName(to), { ...question, before: { answer, results: toResults(answer) } });
    expect(second.told.stop).toBe('end');
    const sent = gateway.simulator.calls[1];
    expect(toHeard(toSpokenFormat(dialect, to), sent)).toMatchObject({ userTexts: [question.text], calls: answer.told.calls, results: toResults(answer).map(({ name, text }) => [name, text]) });
  });
});

describe.each(DIALECT_NAMES.filter((dialect) => dialect !== 'gemini'))("a prompt of %s's client that Gemini blocks", (dialect) => {
  it.each([true, false])('is a refusal (stream: %p)', async (isStream) => {
    const event = readReference('libs/wire/src/dialects/fixtures/gemini-blocked.reference.sse');
    gateway.simulator.default(isStream ? respond.stream(event) : respond.pieces('application/json', event.subarray('data: '.length)));
    const { told } = await connect(dialect, gateway.weir.url, gateway.key).ask(toName('gemini'), { text: 'Hello', isStream });
    expect(told).toMatchObject({ text: '', stop: 'refusal', usage: { input: 8, output: 0 } });
  });
});

it('has the tokens and the cost of each of these calls in its row', async () => {
  expect(calls.length).toBeGreaterThan(0);
  // The last one's row comes last; then all are there.
  await gateway.rows(calls[calls.length - 1].requestId);
  const sql = `SELECT request_id, status, estimated, input_tokens::int AS input, cached_input_tokens::int AS cached, output_tokens::int AS output,
    coalesce((units->>'cache_write_tokens')::int, 0) AS written, coalesce((units->>'reasoning_tokens')::int, 0) AS reasoning, cost_nanos::float8 AS cost FROM usage_records`;
  const rows = new Map((await gateway.database.query<{ request_id: string }>(sql)).map(({ request_id, ...row }) => [request_id, row]));
  const found = calls.map(({ what, requestId }) => ({ what, ...rows.get(requestId ?? '') }));
  expect(found).toEqual(calls.map(({ what, usage }) => ({ what, status: 'succeeded', estimated: false, ...usage, cost: toCostNanos(usage) })));
});

/** One result for each call, in the order of the calls. */
function toResults({ told, callIds }: SdkAnswer): ToolResult[] {
  return told.calls.map(({ name }, index) => ({ callId: callIds[index], name, text: `result ${index}` }));
}

// What is compared is the provider's own words, whatever they are.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Loose = any;

/** The request with which the vendor's own client would send its answer back. */
function toSameHistory(format: string, { replay }: SdkAnswer): Loose {
  switch (format) {
    case 'anthropic':
      return { messages: [{ role: 'assistant', content: replay }] };
    case 'gemini':
      return { contents: [replay] };
    default:
      return { input: replay };
  }
}

/** Signed thinking in a request, and what it stands on. */
function toSignatures(format: string, body: Loose): unknown[] {
  switch (format) {
    case 'anthropic':
      return body.messages.flatMap(({ role, content }: Loose) => (role === 'assistant' ? content.filter(({ type }: Loose) => type.endsWith('thinking')) : []));
    case 'gemini':
      return body.contents.flatMap(({ role, parts }: Loose) => (role === 'model' ? parts.flatMap(toSignature) : []));
    case 'openai-responses':
      return body.input.flatMap(({ type, encrypted_content }: Loose) => (type === 'reasoning' ? [encrypted_content] : []));
    default:
      return [];
  }
}

function toSignature({ thoughtSignature, thought, functionCall }: Loose): unknown[] {
  return thoughtSignature === undefined ? [] : [[functionCall?.name ?? (thought === true ? 'thought' : 'text'), thoughtSignature]];
}
