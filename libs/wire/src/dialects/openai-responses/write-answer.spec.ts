import OpenAI from 'openai';
import { type Response } from 'openai/resources/responses/responses';
import { WeirError, zeroUsage } from '@weir/kernel';
import {
  type ConversationAnswer,
  parseExactJson,
  readAnthropicAnswer,
  readChatAnswer,
  readResponsesRequest,
  readResponsesUsage,
  type StopReason,
  toConversationError,
  toResponsesEchoJson,
  writeAnthropicRequest,
  writeResponsesAnswer,
  writeResponsesError,
  writeResponsesErrorEvent,
} from '@weir/wire';
import { parseFixture } from '../fixtures/harness';

/** All members that the client's types demand: tsc fails when a new version demands another. */
type Required<Type> = { [Name in keyof Type]-?: undefined extends Type[Name] ? never : Name }[keyof Type];
const REQUIRED: Readonly<Record<Exclude<Required<Response>, 'output_text'>, true>> = {
  id: true, access_programs: true, created_at: true, error: true, incomplete_details: true, instructions: true, metadata: true, model: true,
  object: true, output: true, parallel_tool_calls: true, temperature: true, tool_choice: true, tools: true, top_p: true,
};

const options = { model: 'my-model', createdSeconds: 1_741_476_777, requestId: 'req_1', echoJson: toResponsesEchoJson({ model: 'my-model', input: 'Hi' }) };
const write = (answer: ConversationAnswer, changes = {}) => JSON.parse(writeResponsesAnswer(answer, { ...options, ...changes }));
const answer = (changes: Partial<ConversationAnswer> = {}): ConversationAnswer => ({ id: 'msg_1', model: 'm', parts: [{ type: 'text', text: 'Hi' }], stopReason: 'end', stopSequence: null, usage: null, ...changes });

describe('an answer for a caller of Responses', () => {
  const given = readAnthropicAnswer(parseFixture('anthropic-answer.reference.json'));
  const echoJson = toResponsesEchoJson(parseFixture('responses-request.reference.json'));
  const response = write(given, { echoJson });

  it('says all of it', () => {
    const [, key] = /^resp_([0-9a-f]{40})$/.exec(response.id) ?? [];
    expect(response).toMatchObject({
      object: 'response',
      created_at: 1_741_476_777,
      status: 'completed',
      error: null,
      incomplete_details: null,
      model: 'my-model',
      // Anthropic's input excludes the cache: 21 + 188 + 1000.
      usage: { input_tokens: 1209, input_tokens_details: { cached_tokens: 1000, cache_write_tokens: 188 }, output_tokens: 393, output_tokens_details: { reasoning_tokens: 120 }, total_tokens: 1602 },
    });
    expect(response.output).toEqual([
      { id: `rs_${key}0000`, type: 'reasoning', summary: [{ type: 'summary_text', text: 'The user greets.' }], encrypted_content: 'weir.signature:EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
      { id: `msg_${key}0001`, type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'Hello! ', annotations: [], logprobs: [] }] },
      { id: `msg_${key}0002`, type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'How are you?', annotations: [], logprobs: [] }] },
      { id: `fc_${key}0003`, type: 'function_call', status: 'completed', call_id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', name: 'get_stock_price', arguments: '{"ticker":"^GSPC","account":12345678901234567890}' },
      { id: `fc_${key}0004`, type: 'function_call', status: 'completed', call_id: 'toolu_01A09q90qw90lq917835lq9', name: 'get_time', arguments: '{}' },
    ]);
  });

  it("has every member that OpenAI's client demands, and those of OpenAI's own answer", () => {
    expect(Object.keys(response)).toEqual(expect.arrayContaining(Object.keys(REQUIRED)));
    const { service_tier: _, user: __, ...own } = parseFixture('responses-answer.reference.json') as Record<string, unknown>;
    expect(Object.keys(response)).toEqual(expect.arrayContaining(Object.keys(own)));
  });

  it('repeats the request as it was, but says that nothing is stored', () => {
    expect(response).toMatchObject({
      instructions: 'You are a helpful assistant.',
      max_output_tokens: 4096,
      metadata: { trip: 'boston' },
      parallel_tool_calls: false,
      reasoning: { effort: 'high', summary: 'auto' },
      safety_identifier: 'user-42',
      store: false,
      temperature: 1.2,
      text: { format: { type: 'json_schema', name: 'weather', strict: true }, verbosity: 'low' },
      tool_choice: 'auto',
      tools: [{ type: 'function', name: 'get_weather', strict: true }, { type: 'function', name: 'get_time', parameters: null, strict: false }],
      top_p: 0.9,
      truncation: 'disabled',
    });
    expect(writeResponsesAnswer(given, { ...options, echoJson })).toContain('"maximum":12345678901234567890');
  });

  it('repeats what OpenAI takes for what was not said', () => {
    expect(write(answer())).toMatchObject({ instructions: null, metadata: {}, parallel_tool_calls: true, temperature: null, text: { format: { type: 'text' } }, tool_choice: 'auto', tools: [], store: false });
    expect(write(answer())).not.toHaveProperty('user');
  });

  it('comes back whole when the caller sends the items again: thinking, signature and all', () => {
    const request = readResponsesRequest({ model: 'm', input: [{ role: 'user', content: 'Hi' }, ...response.output, { type: 'function_call_output', call_id: 'toolu_01A09q90qw90lq917835lq9', output: '14:05' }] });
    expect(request.turns[1].parts).toEqual(given.parts);
    const sent = JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 1 }));
    expect(sent.messages[1].content[0]).toEqual({ type: 'thinking', thinking: 'The user greets.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' });
  });

  it.each<[StopReason, string, object | null]>([
    ['end', 'completed', null],
    ['stop_sequence', 'completed', null],
    ['tool_calls', 'completed', null],
    ['pause', 'completed', null],
    ['output_cap', 'incomplete', { reason: 'max_output_tokens' }],
    ['context_window', 'incomplete', { reason: 'max_output_tokens' }],
    ['refusal', 'incomplete', { reason: 'content_filter' }],
  ])('ends with %s as %s', (stopReason, status, incomplete_details) => {
    const said = write(answer({ stopReason, parts: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] }));
    expect(said).toMatchObject({ status, incomplete_details });
    expect(said.output.map((item: { status: string }) => item.status)).toEqual(['completed', status]);
  });

  it('tells a refusal as the part that OpenAI has for it', () => {
    const said = write(readChatAnswer(parseFixture('chat-refusal.reference.json')));
    expect(said).toMatchObject({ status: 'completed', incomplete_details: null, output: [{ type: 'message', status: 'completed', content: [{ type: 'refusal', refusal: "I'm sorry, I cannot assist with that request." }] }] });
  });

  it('gives calls ids of their own where a server did not, the same each time', () => {
    const call = { type: 'tool_call', id: 'call_0', name: 'f', argumentsJson: '{}' } as const;
    const ids = () => write(answer({ parts: [call, call, call] })).output.map(({ call_id }: { call_id: string }) => call_id);
    expect(ids()[0]).toBe('call_0');
    expect(new Set(ids()).size).toBe(3);
    expect(ids()).toEqual(ids());
  });

  it('has names of its own for answers that came without one', () => {
    const idOf = (id: string, requestId: string): string => write(answer({ id }), { requestId }).id;
    expect(idOf('', 'req_1')).not.toBe(idOf('', 'req_2'));
    expect(idOf('msg_1', 'req_1')).toBe(idOf('msg_1', 'req_2'));
  });

  it('says a usage of zero where none is known: clients take an end without it for none', () => {
    expect(write(answer()).usage).toMatchObject({ input_tokens: 0, output_tokens: 0, total_tokens: 0 });
  });

  it("is parsed by OpenAI's own client, structured output and arguments too", async () => {
    const parts = [{ type: 'text', text: '{"sentence":"It is warm."}' }, { type: 'tool_call', id: 'c', name: 'get_weather', argumentsJson: '{"location":"Paris"}' }] as const;
    const body = writeResponsesAnswer(answer({ parts, stopReason: 'tool_calls', usage: { ...zeroUsage(), inputTokens: 7, outputTokens: 3 } }), { ...options, echoJson });
    const client = new OpenAI({ apiKey: 'k', fetch: async () => new Response(body, { headers: { 'content-type': 'application/json' } }) });
    const { text, tools } = parseFixture('responses-request.reference.json') as { text: object; tools: OpenAI.Responses.FunctionTool[] };
    const parsed = await client.responses.parse({ model: 'm', input: 'x', text: text, tools });
    expect(parsed.output_text).toBe('{"sentence":"It is warm."}');
    expect(parsed.output_parsed).toEqual({ sentence: 'It is warm.' });
    expect(parsed.output[1]).toMatchObject({ type: 'function_call', parsed_arguments: { location: 'Paris' } });
    expect(parsed.usage?.total_tokens).toBe(10);
  });
});

describe('an error for a caller of Responses', () => {
  const error = toConversationError(new WeirError('rate_limit_exceeded', { message: 'Slow down.', param: 'model' }));

  it("has OpenAI's shape", () => {
    expect(JSON.parse(writeResponsesError(error))).toEqual({ error: { message: 'Slow down.', type: 'requests', param: 'model', code: 'rate_limit_exceeded' } });
  });

  it('is an event, flat and nested, where no response could fail', () => {
    expect(writeResponsesErrorEvent(error, 3)).toBe(
      'event: error\ndata: {"type":"error","sequence_number":3,"code":"rate_limit_exceeded","message":"Slow down.","param":"model","error":{"type":"requests","code":"rate_limit_exceeded","message":"Slow down.","param":"model"}}\n\n',
    );
  });
});

describe('readResponsesUsage', () => {
  it("reads OpenAI's", () => {
    const { usage } = parseFixture('responses-answer.reference.json') as { usage: unknown };
    expect(readResponsesUsage(usage)).toEqual({ ...zeroUsage(), inputTokens: 1919, cachedInputTokens: 1024, cacheWriteTokens: 200, outputTokens: 110, reasoningTokens: 64, requests: 1 });
  });

  it.each([
    null, [], 5, {}, { input_tokens: -1 }, { input_tokens: 1.5 }, { input_tokens: '3' }, { input_tokens: 1, output_tokens: 1e12 },
    { input_tokens: 1, output_tokens: 1, input_tokens_details: { cached_tokens: 2 } },
    { input_tokens: 1, output_tokens: 1, output_tokens_details: { reasoning_tokens: 2 } },
  ])('does not believe %j', (usage) => {
    expect(readResponsesUsage(usage)).toBeNull();
  });

  it('cuts cache writes to what the input leaves', () => {
    expect(readResponsesUsage({ input_tokens: 10, input_tokens_details: { cached_tokens: 4, cache_write_tokens: 9 } })?.cacheWriteTokens).toBe(6);
  });

  it('does not read numbers that JavaScript cannot hold', () => {
    expect(readResponsesUsage(parseExactJson('{"input_tokens":12345678901234567890}'))).toBeNull();
  });
});
