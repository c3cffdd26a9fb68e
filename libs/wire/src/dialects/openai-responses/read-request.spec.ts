import { WeirError } from '@weir/kernel';
import { type ConversationRequest, readResponsesRequest, writeAnthropicRequest, writeChatRequest } from '@weir/wire';
import { loadFixture, parseFixture } from '../fixtures/harness';

const SECRET = 'my secret prompt';
const PNG = 'iVBORw0KGgo=';
const user = { role: 'user', content: SECRET };
const read = (changes: object): ConversationRequest => readResponsesRequest({ model: 'm', input: [user], ...changes });
const readItems = (...items: object[]): ConversationRequest => read({ input: [user, ...items] });
const part = (fields: object, role = 'user') => ({ input: [{ role, content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text: SECRET }, fields] }] });
const item = (fields: object) => ({ input: [user, fields] });
const image = (image_url: unknown) => part({ type: 'input_image', image_url });
const call = (fields: object) => item({ type: 'function_call', call_id: 'c', name: 'f', arguments: '{}', ...fields });
const tool = { type: 'function', name: 'f', parameters: {} };
const toAnthropic = (request: ConversationRequest) => JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 5 }));
const toChat = (request: ConversationRequest) => JSON.parse(writeChatRequest(request, { model: 'gpt' }));

function refusalOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a Responses request', () => {
  const request = readResponsesRequest(parseFixture('responses-request.reference.json'));

  it("is said whole in Anthropic's words", () => {
    const body = toAnthropic(request);
    expect(body).toEqual({
      model: 'claude-opus-4-8',
      max_tokens: 4096,
      system: [{ type: 'text', text: 'You are a helpful assistant.' }, { type: 'text', text: 'Answer in English.' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is the weather where this was taken, and what time is it?' },
            { type: 'image', source: { type: 'url', url: 'https://example.com/boardwalk.jpg' } },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: expect.stringMatching(/^iVBOR/) } },
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' }, title: 'trip.pdf' },
            { type: 'document', source: { type: 'url', url: 'https://example.com/letter.pdf' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Two tools are needed.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
            { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3pzix/LafPsn4' },
            { type: 'text', text: 'Let me look.' },
            { type: 'tool_use', id: 'call_abc123', name: 'get_weather', input: { location: 'Boston, MA', station: expect.anything() } },
            { type: 'tool_use', id: expect.stringMatching(/^call_/), name: 'get_time', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_abc123', content: [{ type: 'text', text: '15 degrees' }] },
            { type: 'tool_result', tool_use_id: body.messages[1].content[4].id, content: [{ type: 'text', text: '14:05' }, { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: '/9j/4AAQSkZJRg==' } }] },
            { type: 'text', text: 'Thanks. In one sentence, please.' },
          ],
        },
      ],
      tools: [
        { name: 'get_weather', description: 'Get the current weather in a given location', input_schema: expect.objectContaining({ required: ['location', 'station'] }), strict: true },
        { name: 'get_time', input_schema: { type: 'object', properties: {} } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high', format: { type: 'json_schema', schema: expect.objectContaining({ required: ['sentence'] }) } },
      metadata: { user_id: 'user-42' },
      stream: true,
    });
  });

  it("is said whole in chat's words", () => {
    const { input } = JSON.parse(loadFixture('responses-request.reference.json').toString());
    input[1].content.splice(4, 1);
    const body = toChat(readResponsesRequest({ ...(parseFixture('responses-request.reference.json') as object), input }));
    expect(body).toMatchObject({
      model: 'gpt',
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'You are a helpful assistant.' }, { type: 'text', text: 'Answer in English.' }] },
        { role: 'user', content: [{ type: 'text' }, { type: 'image_url', image_url: { url: 'https://example.com/boardwalk.jpg', detail: 'low' } }, { type: 'image_url' }, { type: 'file', file: { filename: 'trip.pdf', file_data: 'data:application/pdf;base64,JVBERi0xLjQK' } }] },
        { role: 'assistant', content: 'Let me look.', tool_calls: [{ id: 'call_abc123' }, { function: { name: 'get_time', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'call_abc123', content: '15 degrees' },
        { role: 'tool', content: '14:05' },
        { role: 'user', content: [{ type: 'text' }, { type: 'image_url' }, { type: 'text', text: 'Thanks. In one sentence, please.' }] },
      ],
      tools: [{ type: 'function', function: { name: 'get_weather', strict: true } }, { type: 'function', function: { name: 'get_time', parameters: { type: 'object', properties: {} } } }],
      parallel_tool_calls: false,
      max_completion_tokens: 4096,
      temperature: 1.2,
      top_p: 0.9,
      response_format: { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema: expect.objectContaining({ required: ['sentence'] }) } },
      reasoning_effort: 'high',
      user: 'user-42',
      metadata: { trip: 'boston' },
    });
  });

  it('keeps the digits of numbers, in arguments and in schemas', () => {
    const written = writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 5 });
    expect(written).toContain('"station":12345678901234567890');
    expect(written).toContain('"maximum":12345678901234567890');
  });

  it('may be one text', () => {
    expect(read({ input: 'Hello', instructions: '' })).toMatchObject({ system: [], turns: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }], isStream: false, wantsStreamUsage: true });
  });

  it('makes one turn of the items of one answer, and of the results behind it', () => {
    const { turns } = readItems(
      { type: 'reasoning', id: 'rs', summary: [{ type: 'summary_text', text: 'Hm.' }] },
      { type: 'message', role: 'assistant', content: 'Hi' },
      { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
      { type: 'function_call', call_id: 'b', name: 'f', arguments: ' ' },
      { type: 'function_call_output', call_id: 'a', output: '' },
      { type: 'function_call_output', call_id: 'b', output: [{ type: 'input_text', text: 'x' }] },
      { role: 'user', content: 'And?' },
      { role: 'system', content: 'Now shout.' },
      { role: 'user', content: [{ type: 'input_text', text: '' }] },
    );
    expect(turns.map(({ role, parts }) => `${role}: ${parts.map(({ type }) => type).join(' ')}`)).toEqual([
      'user: text', 'assistant: reasoning text tool_call tool_call', 'user: tool_result tool_result text', 'system: text',
    ]);
  });

  it("uses nothing of thinking that is OpenAI's own but its words", () => {
    const replay = (fields: object) => readItems({ type: 'reasoning', id: 'rs', ...fields }).turns[1]?.parts;
    expect(replay({ summary: [], encrypted_content: 'gAAAAABnzNOp' })).toBeUndefined();
    expect(replay({ summary: [{ type: 'summary_text', text: 'a' }, { type: 'summary_text', text: 'b' }], encrypted_content: 'gAAAAABnzNOp' })).toEqual([{ type: 'reasoning', text: 'a\n\nb', signature: null, redactedData: null }]);
    expect(replay({ summary: [], content: [{ type: 'reasoning_text', text: 'all of it' }] })).toEqual([{ type: 'reasoning', text: 'all of it', signature: null, redactedData: null }]);
    expect(replay({ summary: [], encrypted_content: 'weir.signature:S' })).toEqual([{ type: 'reasoning', text: '', signature: 'S', redactedData: null }]);
  });

  it.each<[unknown, object | null, string[]]>([
    ['required', { type: 'required' }, ['a', 'b']],
    ['none', { type: 'none' }, ['a', 'b']],
    [null, null, ['a', 'b']],
    [{ type: 'function', name: 'b' }, { type: 'tool', name: 'b' }, ['a', 'b']],
    [{ type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'b' }] }, { type: 'required' }, ['b']],
    [{ type: 'allowed_tools', tools: [] }, { type: 'auto' }, []],
  ])('with tool_choice %j', (tool_choice, expected, names) => {
    const { toolChoice, tools } = read({ tools: [{ ...tool, name: 'a' }, { ...tool, name: 'b' }], tool_choice });
    expect([toolChoice, tools.map(({ name }) => name)]).toEqual([expected, names]);
  });

  it.each([
    [{ effort: 'none' }, { mode: 'off', effort: null, budgetTokens: null }],
    [{ effort: 'xhigh', summary: 'detailed', context: 'auto', mode: 'standard' }, { mode: 'on', effort: 'xhigh', budgetTokens: null }],
    [{ summary: 'auto' }, null],
    [null, null],
  ])('with reasoning %j', (reasoning, expected) => {
    expect(read({ reasoning }).reasoning).toEqual(expected);
  });

  it.each([
    [{ format: { type: 'text' } }, null],
    [{ format: { type: 'json_object' }, verbosity: 'high' }, { type: 'json_object' }],
    [{ format: { type: 'json_schema', name: 'n', schema: { a: 1 } } }, { type: 'json_schema', name: 'n', description: null, schema: { a: 1 }, isStrict: false }],
    [{}, null],
  ])('with text %j', (text, expected) => {
    expect(read({ text }).outputFormat).toEqual(expected);
  });

  it('is not refused for what asks for nothing, nor for what changes only where and how fast it is answered', () => {
    const asksNothing = { previous_response_id: null, conversation: null, prompt: null, background: false, truncation: 'disabled', context_management: [], access_programs: {}, moderation: null, top_logprobs: 0, unknown: null };
    const dropped = { store: true, service_tier: 'flex', max_tool_calls: 3, image: {}, prompt_cache_key: 'k', prompt_cache_options: {}, prompt_cache_retention: '24h', include: ['reasoning.encrypted_content', 'web_search_call.results'], stream_options: { include_obfuscation: true } };
    expect(toChat(read({ ...asksNothing, ...dropped }))).toEqual({ model: 'gpt', messages: [{ role: 'user', content: SECRET }] });
  });
});

describe('a Responses request that cannot be translated is refused with its field, and without its words:', () => {
  it.each<[string, object, string | null]>([
    ['no model', { model: undefined }, 'model'],
    ['no input', { input: undefined }, 'input'],
    ['an empty input', { input: '' }, 'input'],
    ['an input of nothing', { input: [{ role: 'user', content: '' }] }, 'input'],
    ['an input that is a number', { input: 5 }, 'input'],
    ['an item that is a text', { input: [SECRET] }, 'input[0]'],
    ['an item of no kind', { input: [{ content: SECRET }] }, 'input[0].type'],
    ['a kind of item that is not known', item({ type: SECRET }), 'input[1].type'],
    ['a reference', item({ type: 'item_reference', id: 'msg_1' }), 'input[1].type'],
    ['a reference that does not say so', item({ id: 'msg_1' }), 'input[1].type'],
    ["a call of one of OpenAI's tools", item({ type: 'web_search_call', id: 'ws', status: 'completed' }), 'input[1].type'],
    ['a call of a custom tool', item({ type: 'custom_tool_call', call_id: 'c', name: 'f', input: SECRET }), 'input[1].type'],
    ['a compaction', item({ type: 'compaction', encrypted_content: SECRET }), 'input[1].type'],
    ['a role that is not known', item({ role: 'tool', content: SECRET }), 'input[1].role'],
    ['a message of nobody', item({ type: 'message', content: SECRET }), 'input[1].role'],
    ['a message of nothing', item({ role: 'user' }), 'input[1].content'],
    ['content that is a number', item({ role: 'assistant', content: 5 }), 'input[1].content'],
    ['a part that is not known', part({ type: SECRET }), 'input[0].content[1].type'],
    ['a part in words of chat', part({ type: 'text', text: SECRET }), 'input[0].content[1].type'],
    ['sound', part({ type: 'input_audio', input_audio: { data: SECRET, format: 'wav' } }), 'input[0].content[1].type'],
    ['a picture of the assistant', part({ type: 'input_image', image_url: 'https://a.b/c' }, 'assistant'), 'input[0].content[1].type'],
    ['a picture in instructions', { input: [{ role: 'developer', content: [{ type: 'input_image', image_url: 'https://a.b/c' }] }] }, 'input[0].content'],
    ['a picture from the disk', image('file:///etc/passwd'), 'input[0].content[1].image_url'],
    ['a picture that lies about its type', image(`data:image/jpeg;base64,${PNG}`), 'input[0].content[1].image_url'],
    ['a picture of no source', image(null), 'input[0].content[1].image_url'],
    ['a picture in words of chat', image({ url: 'https://a.b/c' }), 'input[0].content[1].image_url'],
    ['an uploaded picture', part({ type: 'input_image', file_id: 'file-1' }), 'input[0].content[1].file_id'],
    ['an uploaded file', part({ type: 'input_file', file_id: 'file-1' }), 'input[0].content[1].file_id'],
    ['a file of no type', part({ type: 'input_file', file_data: 'AAAA' }), 'input[0].content[1].file_data'],
    ['a file from the disk', part({ type: 'input_file', file_url: 'file:///etc/passwd' }), 'input[0].content[1].file_url'],
    ['arguments that are no JSON', call({ arguments: SECRET }), 'input[1].arguments'],
    ['arguments that are no object', call({ arguments: '[1]' }), 'input[1].arguments'],
    ['a call without an id', call({ call_id: null }), 'input[1].call_id'],
    ['a result without a call', item({ type: 'function_call_output', output: SECRET }), 'input[1].call_id'],
    ['a result of nothing', item({ type: 'function_call_output', call_id: 'c' }), 'input[1].output'],
    ['thinking that is a text', item({ type: 'reasoning', id: 'rs', summary: SECRET }), 'input[1].summary'],
    ['a search of the web', { tools: [tool, { type: 'web_search' }] }, 'tools[1].type'],
    ['a search of files', { tools: [{ type: 'file_search', vector_store_ids: ['v'] }] }, 'tools[0].type'],
    ['a server of tools', { tools: [{ type: 'mcp', server_label: SECRET, server_url: 'https://a.b' }] }, 'tools[0].type'],
    ['a custom tool', { tools: [{ type: 'custom', name: 'f' }] }, 'tools[0].type'],
    ['a tool in words of chat', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools[0].name'],
    ['a choice that is not known', { tool_choice: SECRET }, 'tool_choice'],
    ["a choice of one of OpenAI's tools", { tool_choice: { type: 'web_search_preview' } }, 'tool_choice.type'],
    ['a choice of no tool', { tool_choice: { type: 'function' } }, 'tool_choice.name'],
    ["an allowed tool of OpenAI's", { tool_choice: { type: 'allowed_tools', tools: [{ type: 'mcp', server_label: SECRET }] } }, 'tool_choice.tools[0].type'],
    ['an earlier response', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['a conversation', { conversation: 'conv_1' }, 'conversation'],
    ['a stored prompt', { prompt: { id: 'pmpt_1' } }, 'prompt'],
    ['work in the background', { background: true }, 'background'],
    ['truncation', { truncation: 'auto' }, 'truncation'],
    ['compaction', { context_management: [{ type: 'compaction' }] }, 'context_management'],
    ['moderation', { moderation: { model: 'omni-moderation-latest' } }, 'moderation'],
    ['an access program', { access_programs: { cyber: 'daybreak_red' } }, 'access_programs'],
    ['log probabilities', { top_logprobs: 2 }, 'top_logprobs'],
    ['log probabilities, asked for elsewhere', { include: ['reasoning.encrypted_content', 'message.output_text.logprobs'] }, 'include[1]'],
    ['an addition that is not known', { include: [SECRET] }, 'include[0]'],
    ['a member that is not known', { max_tokens: 5 }, 'max_tokens'],
    ['a member whose name is a prompt', { [SECRET]: 1 }, null],
    ['a temperature out of bounds', { temperature: 2.1 }, 'temperature'],
    ['a cap of nothing', { max_output_tokens: 0 }, 'max_output_tokens'],
    ['an effort that is not known', { reasoning: { effort: SECRET } }, 'reasoning.effort'],
    ['a summary that is not known', { reasoning: { summary: SECRET } }, 'reasoning.summary'],
    ['a mode of its own', { reasoning: { mode: 'pro' } }, 'reasoning.mode'],
    ['a format without a schema', { text: { format: { type: 'json_schema', name: 'a' } } }, 'text.format.schema'],
    ['a format that is not known', { text: { format: { type: SECRET } } }, 'text.format.type'],
    ['a verbosity that is not known', { text: { verbosity: SECRET } }, 'text.verbosity'],
    ['stream that is a text', { stream: 'yes' }, 'stream'],
    ['options that are a flag', { stream_options: true }, 'stream_options'],
    ['metadata that is no text', { metadata: { a: 1 } }, 'metadata.a'],
  ])('%s', (_, changes, param) => {
    const error = refusalOf(() => read(changes));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(`${error.message} ${error.detail ?? ''} ${error.param ?? ''}`).not.toContain(SECRET);
  });

  it.each([[null], [5], ['text'], [[]]])('a body that is %j', (body) => {
    expect(refusalOf(() => readResponsesRequest(body)).code).toBe('invalid_request');
  });

  it.each<[string, object, string]>([
    ['any JSON', { text: { format: { type: 'json_object' } } }, 'text.format'],
    ['only instructions', { input: [{ role: 'system', content: SECRET }] }, 'input'],
    ['a picture of another kind', image('data:image/tiff;base64,AAAA'), 'input[0].content[1]'],
  ])('%s (for Anthropic)', (_, changes, param) => {
    expect(refusalOf(() => toAnthropic(read(changes))).param).toBe(param);
  });

  it.each<[string, object, string]>([
    ['a URL of a file', part({ type: 'input_file', file_url: 'https://a.b/c.pdf' }), 'input[0].content[1]'],
    ['a long name of a tool', { tools: [{ ...tool, name: 'f'.repeat(65) }] }, 'tools[0].name'],
    ['an answer that was begun', item({ role: 'assistant', content: '{' }), 'input'],
  ])('%s (for chat)', (_, changes, param) => {
    expect(refusalOf(() => toChat(read(changes))).param).toBe(param);
  });

  it('says what to do about state that is not kept', () => {
    expect(refusalOf(() => read({ previous_response_id: 'resp_1' })).message).toContain('send the whole conversation as input');
    expect(refusalOf(() => read(item({ type: 'item_reference', id: 'm' }))).message).toContain('store: false');
  });
});
