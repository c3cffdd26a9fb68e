import { type ConversationRequest, readAnthropicRequest, readChatRequest, readGeminiRequest, toGeminiModelTraits, writeAnthropicRequest, writeChatRequest, writeGeminiRequest } from '@weir/wire';
import { loadFixture, parseFixture } from '../fixtures/harness';

const place = { model: 'my-model', isStream: true };
const fixture = () => JSON.parse(loadFixture('gemini-request.reference.json').toString());
const read = (): ConversationRequest => readGeminiRequest(parseFixture('gemini-request.reference.json'), place);
const ask = (changes: Record<string, unknown>): ConversationRequest => readGeminiRequest({ contents: [{ parts: [{ text: 'Hello' }] }], ...changes }, place);
const config = (generationConfig: object): ConversationRequest => ask({ generationConfig });
const chat = (changes: object): ConversationRequest => readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hello' }], ...changes });
const toGemini = (request: ConversationRequest, model = 'gemini-3.1-pro') => JSON.parse(writeGeminiRequest(request, { model }));
const toAnthropic = (request: ConversationRequest) => JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 32_000 }));
const toChat = (request: ConversationRequest) => JSON.parse(writeChatRequest(request, { model: 'gpt-5.4' }));
const made = expect.stringMatching(/^call_[0-9a-f]{32}$/);

/** Every name that is Google's own in snake_case, as its Python users write it. */
function toSnake(value: unknown, isData = false): unknown {
  if (Array.isArray(value)) return value.map((item) => toSnake(item, isData));
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      isData ? name : name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      toSnake(item, isData || ['args', 'response', 'properties', 'parametersJsonSchema'].includes(name)),
    ]),
  );
}

describe('a Gemini request for Anthropic', () => {
  it("says all of it in Anthropic's words", () => {
    const body = toAnthropic(read());
    const [, { content: calls }] = body.messages;
    expect(body).toEqual({
      model: 'claude-opus-4-8',
      max_tokens: 4096,
      system: [{ type: 'text', text: 'You are a helpful assistant.' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is the weather where this was taken, and what time is it?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgoAAAANSUhEUgAA+/8=' } },
            { type: 'image', source: { type: 'url', url: 'https://example.com/boardwalk.jpg' } },
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' }, title: 'trip.pdf' },
            { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Ants are small.' } },
          ],
        },
        {
          role: 'assistant',
          // Gemini's signatures mean nothing to Anthropic.
          content: [
            { type: 'text', text: 'Let me look.' },
            { type: 'tool_use', id: made, name: 'get_weather', input: { location: 'Boston, MA', station: expect.any(Number) } },
            { type: 'tool_use', id: made, name: 'get_time', input: {} },
            { type: 'tool_use', id: made, name: 'get_weather', input: { location: 'Rome' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: calls.at(-2).id, content: [{ type: 'text', text: '14:05' }] },
            { type: 'tool_result', tool_use_id: calls.at(-3).id, content: [{ type: 'text', text: '{"temperature":15,"unit":"C"}' }] },
            { type: 'tool_result', tool_use_id: calls.at(-1).id, content: [{ type: 'text', text: 'no such station' }], is_error: true },
            { type: 'text', text: 'Thanks. In one sentence, please.' },
          ],
        },
      ],
      tools: [
        {
          name: 'get_weather',
          description: 'Get the current weather in a given location',
          input_schema: {
            type: 'object',
            properties: {
              unit: { type: ['string', 'null'], enum: ['C', 'F', null] },
              location: { type: 'string', description: 'The city' },
              days: { type: 'array', items: { type: 'integer', format: 'int32' }, minItems: 1 },
            },
            required: ['location'],
          },
        },
        { name: 'get_time', input_schema: { type: 'object', properties: {} } },
        { name: 'search', input_schema: { type: 'object', properties: { some_query: { type: 'string' } }, required: ['some_query'], additionalProperties: false } },
      ],
      tool_choice: { type: 'auto' },
      stop_sequences: ['END'],
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high', format: { type: 'json_schema', schema: { type: 'object', properties: { sentence: { type: 'string' } }, required: ['sentence'], additionalProperties: false } } },
      stream: true,
    });
    expect(Object.keys(body.tools[0].input_schema.properties)).toEqual(['unit', 'location', 'days']);
  });

  it('keeps numbers that JavaScript cannot hold', () => {
    expect(writeAnthropicRequest(read(), { model: 'claude-opus-4-8', defaultOutputCap: 1 })).toContain('"station":12345678901234567890}');
  });
});

describe('a Gemini request', () => {
  it('means the same in either spelling of JSON', () => {
    const snake = toSnake(parseFixture('gemini-request.reference.json'));
    expect(JSON.stringify(snake)).toContain('"function_declarations"');
    expect(JSON.stringify(readGeminiRequest(snake, place))).toBe(JSON.stringify(read()));
  });

  it("says all of it in OpenAI's words", () => {
    const { messages, ...rest } = toChat(read());
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool', 'tool', 'user']);
    expect(messages[2].tool_calls[0].function.arguments).toBe('{"location":"Boston, MA","station":12345678901234567890}');
    expect(rest).toMatchObject({
      max_completion_tokens: 4096, temperature: 0.7, top_p: 0.9, seed: 7, stop: ['END'], reasoning_effort: 'high', tool_choice: 'auto', stream: true,
      response_format: { type: 'json_schema', json_schema: { strict: true, schema: { additionalProperties: false } } },
    });
  });

  it('is nearly itself again after the way through the neutral form', () => {
    const body = toGemini(read());
    expect(body.systemInstruction).toEqual({ parts: [{ text: 'You are a helpful assistant.' }] });
    const [, thought, , , first] = fixture().contents[1].parts;
    expect(body.contents[1].parts.slice(0, 3)).toEqual([
      { text: 'Two tools are needed.', thought: true, thoughtSignature: thought.thoughtSignature },
      { text: 'Let me look.' },
      { functionCall: { ...first.functionCall, id: made }, thoughtSignature: first.thoughtSignature },
    ]);
    expect(body.contents[2].parts.map(({ functionResponse }: { functionResponse: { name: string; response: object } }) => [functionResponse.name, functionResponse.response])).toEqual([
      ['get_time', { output: '14:05' }],
      ['get_weather', { output: '{"temperature":15,"unit":"C"}' }],
      ['get_weather', { error: 'no such station' }],
    ]);
    expect(body.generationConfig).toEqual({
      temperature: 0.7, topP: 0.9, topK: 40, maxOutputTokens: 4096, stopSequences: ['END'], seed: 7, responseMimeType: 'application/json',
      responseJsonSchema: { type: 'object', properties: { sentence: { type: 'string' } }, required: ['sentence'], additionalProperties: false },
      thinkingConfig: { includeThoughts: true, thinkingLevel: 'HIGH' },
    });
  });

  it.each([
    [{ mode: 'ANY' }, 'required', 2],
    [{ mode: 'ANY', allowedFunctionNames: ['b'] }, { type: 'function', function: { name: 'b' } }, 1],
    [{ mode: 'ANY', allowedFunctionNames: ['a', 'b'] }, 'required', 2],
    [{ mode: 'VALIDATED', allowedFunctionNames: ['a'] }, 'auto', 1],
    [{ mode: 'NONE' }, 'none', 2],
    [{}, undefined, 2],
  ])('translates the choice %j', (functionCallingConfig, expected, count) => {
    const body = toChat(ask({ tools: [{ functionDeclarations: [{ name: 'a' }, { name: 'b' }] }], toolConfig: { functionCallingConfig } }));
    expect(body.tool_choice).toEqual(expected);
    expect(body.tools).toHaveLength(count);
  });

  it.each([
    [{ thinkingBudget: 0 }, 'none'],
    [{ thinkingBudget: -1 }, undefined],
    [{ thinkingBudget: 20_000 }, 'xhigh'],
    [{ thinkingLevel: 'minimal' }, 'minimal'],
    [{ includeThoughts: true }, undefined],
  ])('translates thinking %j', (thinkingConfig, expected) => {
    expect(toChat(config({ thinkingConfig })).reasoning_effort).toBe(expected);
  });

  it('asks to be shown thinking only where it says so', () => {
    expect(ask({}).wantsThoughts).toBe(false);
    expect(config({ thinkingConfig: { includeThoughts: true } }).wantsThoughts).toBe(true);
  });

  it('demands a schema from OpenAI only where OpenAI can guarantee it', () => {
    const optional = { type: 'OBJECT', properties: { a: { type: 'STRING' }, b: { type: 'ARRAY', items: { type: 'OBJECT', properties: { c: { type: 'NUMBER' } } } } }, required: ['a', 'b'] };
    const format = toChat(config({ responseMimeType: 'application/json', responseSchema: optional })).response_format;
    expect(format.json_schema.strict).toBeUndefined();
    expect(format.json_schema.schema.properties.b.items.additionalProperties).toBe(false);
    expect(toChat(config({ responseMimeType: 'application/json' })).response_format).toEqual({ type: 'json_object' });
    expect(toChat(config({ responseFormat: [{ text: { mimeType: 'APPLICATION_JSON', schema: { type: 'object' } } }] })).response_format.json_schema.schema).toEqual({ type: 'object' });
    expect(toChat(config({ responseMimeType: 'text/plain' })).response_format).toBeUndefined();
  });

  it('leaves data in schemas alone', () => {
    const parameters = { type: 'OBJECT', properties: { any_of: { type: 'STRING', default: { min_items: 'STRING' } } }, any_of: [{ type: 'OBJECT' }], nullable: true };
    const [{ function: { parameters: schema } }] = toChat(ask({ tools: [{ function_declarations: [{ name: 'a', parameters }] }] })).tools;
    expect(schema).toEqual({ type: 'object', properties: { any_of: { type: 'string', default: { min_items: 'STRING' } } }, anyOf: [{ type: 'object' }, { type: 'null' }] });
  });

  it('joins the pieces of a streamed answer that a client sends back one by one', () => {
    const model = (...parts: object[]) => ({ role: 'model', parts });
    const { turns } = ask({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }, model({ text: 'He', thought: true }), model({ text: 'llo', thought: true }), model({ text: 'a' }), model({ text: 'b' }), model({ text: '' })] });
    expect(turns[1].parts).toEqual([{ type: 'reasoning', text: 'Hello', signature: null, redactedData: null }, { type: 'text', text: 'ab' }]);
  });

  it('takes base64 of both alphabets', () => {
    const { turns } = ask({ contents: [{ parts: [{ inline_data: { mime_type: 'image/png', data: 'iVBORw0KGgo-_w' } }] }] });
    expect(turns[0].parts).toMatchObject([{ source: { data: 'iVBORw0KGgo+/w==' } }]);
  });

  it('gives calls without ids the same ids in every request', () => {
    const ids = (contents: unknown[]) => readGeminiRequest({ contents }, place).turns.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool_call' ? [part.id] : [])));
    const { contents } = fixture();
    const short = ids(contents.slice(0, 2));
    expect(new Set(short).size).toBe(3);
    expect(ids([...contents, { role: 'model', parts: [{ functionCall: { name: 'x' } }] }]).slice(0, 3)).toEqual(short);
  });
});

describe('a chat request for Gemini', () => {
  it("says all of it in Google's words", () => {
    const request = readChatRequest({ ...(parseFixture('chat-request.reference.json') as object), parallel_tool_calls: undefined });
    const body = toGemini(request);
    expect(body).toMatchObject({
      systemInstruction: { parts: [{ text: 'You are a helpful assistant.' }] },
      contents: [
        {
          role: 'user',
          parts: [
            { text: 'What is the weather where this was taken, and what time is it?' },
            { fileData: { mimeType: 'image/jpeg', fileUri: 'https://example.com/boardwalk.jpg' } },
            { inlineData: { mimeType: 'image/png', data: expect.stringMatching(/^iVBOR/) } },
            { inlineData: { mimeType: 'application/pdf', data: 'JVBERi0xLjQK' } },
          ],
        },
        {
          role: 'model',
          // Anthropic's signature means nothing to Google.
          parts: [
            { functionCall: { id: 'call_abc123', name: 'get_weather', args: { location: 'Boston, MA', station: expect.any(Number) } }, thoughtSignature: 'skip_thought_signature_validator' },
            { functionCall: { id: expect.any(String), name: 'get_time', args: {} } },
          ],
        },
        { role: 'user', parts: [{ functionResponse: { id: 'call_abc123', name: 'get_weather', response: { output: '15 degrees' } } }, { functionResponse: { name: 'get_time', response: { output: '14:05' } } }] },
        { role: 'user', parts: [{ text: 'Thanks. In one sentence, please.' }] },
      ],
      tools: [{ functionDeclarations: [{ name: 'get_weather', parametersJsonSchema: { type: 'object', required: ['location', 'station'] } }, { name: 'get_time' }] }],
      toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } },
      generationConfig: { maxOutputTokens: 4096, stopSequences: ['END'], responseMimeType: 'application/json', responseJsonSchema: { required: ['sentence'] }, thinkingConfig: { thinkingLevel: 'HIGH', includeThoughts: true } },
    });
    expect(body.contents[1].parts).toHaveLength(2);
    expect(body.contents[1].parts[1]).not.toHaveProperty('thoughtSignature');
    expect(body.tools[0].functionDeclarations[1]).not.toHaveProperty('parametersJsonSchema');
    expect(Object.keys(body)).toEqual(['systemInstruction', 'contents', 'tools', 'toolConfig', 'generationConfig']);
    expect(writeGeminiRequest(request, { model: 'gemini-3.1-pro' })).toContain('"station":12345678901234567890}');
  });

  it('has no signature for models that verify none', () => {
    const request = readChatRequest(parseFixture('chat-request.reference.json'));
    expect(writeGeminiRequest(request, { model: 'gemini-2.5-flash' })).not.toContain('thoughtSignature');
  });

  it.each([
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }],
    ['gemini-2.5-pro', 'none', { thinkingBudget: 128 }],
    ['gemini-2.5-pro', 'max', { thinkingBudget: 32_768, includeThoughts: true }],
    ['gemini-2.5-flash', 'max', { thinkingBudget: 24_576, includeThoughts: true }],
    ['gemini-3-flash-preview', 'none', { thinkingLevel: 'MINIMAL' }],
    ['gemini-3.1-pro', 'none', { thinkingLevel: 'LOW' }],
    ['gemini-3-pro-preview', 'medium', { thinkingLevel: 'LOW', includeThoughts: true }],
    ['gemini-4-argon', 'xhigh', { thinkingLevel: 'HIGH', includeThoughts: true }],
    ['gemini-2.0-flash', 'high', undefined],
  ])('asks %s to think %s', (model, reasoning_effort, expected) => {
    expect(toGemini(chat({ reasoning_effort }), model).generationConfig?.thinkingConfig).toEqual(expected);
  });

  it.each([
    ['required', { mode: 'ANY' }],
    ['none', { mode: 'NONE' }],
    ['auto', { mode: 'AUTO' }],
    [undefined, undefined],
    [{ type: 'function', function: { name: 'a' } }, { mode: 'ANY', allowedFunctionNames: ['a'] }],
  ])('translates tool_choice %j', (tool_choice, expected) => {
    expect(toGemini(chat({ tools: [{ type: 'function', function: { name: 'a' } }], tool_choice })).toolConfig?.functionCallingConfig).toEqual(expected);
  });

  it('keeps seeds within what Google takes', () => {
    expect(toGemini(chat({ seed: 2 ** 40 + 5 })).generationConfig.seed).toBe(5);
  });
});

describe('an Anthropic request for Gemini', () => {
  const request = readAnthropicRequest(parseFixture('anthropic-request.reference.json'));

  it('puts pictures into results where the model takes that, else behind them', () => {
    const image = { inlineData: { mimeType: 'image/jpeg', data: '/9j/4AAQSkZJRg==' } };
    const results = toGemini(request).contents[2].parts;
    expect(results[1].functionResponse).toMatchObject({ name: 'take_picture', response: { error: 'blurred' }, parts: [image] });
    const older = toGemini(request, 'gemini-2.5-pro').contents;
    expect(older[2].parts[1].functionResponse).not.toHaveProperty('parts');
    expect(older[3].parts).toEqual([{ text: expect.stringMatching(/^Result of tool call toolu_/) }, image, { text: 'And now?' }]);
  });

  it("sends none of Anthropic's signed thinking to Google", () => {
    expect(writeGeminiRequest(request, { model: 'gemini-3.1-pro' })).not.toMatch(/EqQBCgIYAhIM|EmwKAhgBEgy|The tool has the price/);
  });
});

describe('toGeminiModelTraits', () => {
  it.each([
    ['gemini-2.0-flash-001', 'none', false, true, 3],
    ['gemini-2.5-flash-lite', 'budget', false, true, 4],
    ['gemini-3-pro-preview', 'level', true, true, 2],
    ['gemini-3-flash-preview', 'level', true, true, 4],
    ['models/gemini-3.8-flash', 'level', true, true, 3],
    ['gemini-4-argon', 'level', true, false, 3],
    ['gemini-flash-latest', 'level', true, false, 3],
  ])('knows %s', (model, thinking, needsSignatures, takesPenalties, levelCount) => {
    const traits = toGeminiModelTraits(model);
    const levels = thinking === 'level' ? traits.levels.length : levelCount;
    expect([traits.thinking, traits.needsSignatures, traits.takesPenalties, levels]).toEqual([thinking, needsSignatures, takesPenalties, levelCount]);
  });
});

it('fixtures of streams have the line ends that Google sends', () => {
  expect(loadFixture('gemini-tools.reference.sse').toString()).toMatch(/\r\n\r\n$/);
});
