import { type ConversationRequest, readAnthropicRequest, readChatRequest, toAnthropicModelTraits, writeAnthropicRequest, writeChatRequest } from '@weir/wire';
import { parseFixture } from './fixtures/harness';

const chatRequest = (changes: Record<string, unknown> = {}): ConversationRequest =>
  readChatRequest({ ...(parseFixture('chat-request.reference.json') as object), ...changes });
const anthropicRequest = (changes: Record<string, unknown> = {}): ConversationRequest =>
  readAnthropicRequest({ ...(parseFixture('anthropic-request.reference.json') as object), ...changes });
const toAnthropic = (request: ConversationRequest, model = 'claude-opus-4-8') => JSON.parse(writeAnthropicRequest(request, { model, defaultOutputCap: 32_000 }));
const toChat = (request: ConversationRequest, options = {}) => JSON.parse(writeChatRequest(request, { model: 'gpt-5.4', ...options }));
const ask = (changes: Record<string, unknown>) => readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hello' }], ...changes });

describe('a chat request for Anthropic', () => {
  it('says all of it in Anthropic\'s words', () => {
    const body = toAnthropic(chatRequest());
    expect(body).toEqual({
      model: 'claude-opus-4-8',
      max_tokens: 4096,
      system: [{ type: 'text', text: 'You are a helpful assistant.' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is the weather where this was taken, and what time is it?' },
            { type: 'image', source: { type: 'url', url: 'https://example.com/boardwalk.jpg' } },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: expect.stringMatching(/^iVBOR/) } },
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' }, title: 'trip.pdf' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Two tools are needed.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
            { type: 'tool_use', id: 'call_abc123', name: 'get_weather', input: { location: 'Boston, MA', station: expect.any(Number) } },
            { type: 'tool_use', id: expect.stringMatching(/^call_[0-9a-f]{32}$/), name: 'get_time', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_abc123', content: [{ type: 'text', text: '15 degrees' }] },
            { type: 'tool_result', tool_use_id: body.messages[1].content[2].id, content: [{ type: 'text', text: '14:05' }] },
            { type: 'text', text: 'Thanks. In one sentence, please.' },
          ],
        },
      ],
      tools: [
        { name: 'get_weather', description: 'Get the current weather in a given location', strict: true, input_schema: expect.objectContaining({ type: 'object' }) },
        { name: 'get_time', input_schema: { type: 'object', properties: {} } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      stop_sequences: ['END'],
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high', format: { type: 'json_schema', schema: expect.objectContaining({ required: ['sentence'] }) } },
      metadata: { user_id: 'user-42' },
      stream: true,
    });
  });

  it('keeps numbers that JavaScript cannot hold', () => {
    expect(writeAnthropicRequest(chatRequest(), { model: 'claude-opus-4-8', defaultOutputCap: 1 })).toContain('"station":12345678901234567890}');
  });

  it('takes the default cap where the caller set none, and max_completion_tokens before max_tokens', () => {
    expect(toAnthropic(ask({})).max_tokens).toBe(32_000);
    expect(toAnthropic(ask({ max_tokens: 5, max_completion_tokens: 7 })).max_tokens).toBe(7);
    expect(toAnthropic(ask({ max_tokens: 5, max_completion_tokens: null })).max_tokens).toBe(5);
  });

  it.each([
    ['required', { type: 'any' }],
    ['auto', { type: 'auto' }],
    ['none', { type: 'none' }],
    [{ type: 'function', function: { name: 'a' } }, { type: 'tool', name: 'a' }],
  ])('translates tool_choice %j', (tool_choice, expected) => {
    const tools = ['a', 'b'].map((name) => ({ type: 'function', function: { name } }));
    expect(toAnthropic(ask({ tools, tool_choice })).tool_choice).toEqual(expected);
    const isNone = tool_choice === 'none';
    expect(toAnthropic(ask({ tools, tool_choice, parallel_tool_calls: false })).tool_choice).toEqual(isNone ? expected : { ...expected, disable_parallel_tool_use: true });
  });

  it('leaves out tools that allowed_tools does not allow', () => {
    const tools = ['a', 'b', 'c'].map((name) => ({ type: 'function', function: { name } }));
    const allowed_tools = { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] };
    const body = toAnthropic(ask({ tools, tool_choice: { type: 'allowed_tools', allowed_tools } }));
    expect(body.tools.map(({ name }: { name: string }) => name)).toEqual(['b']);
    expect(body.tool_choice).toEqual({ type: 'any' });
  });

  it('sends sampling only to models that take it, at most one kind, and at most 1', () => {
    const sampling = ({ temperature, top_p, top_k }: Record<string, unknown>) => ({ temperature, top_p, top_k });
    const asked = ask({ temperature: 1.5, top_p: 0.9, top_k: 40 });
    expect(sampling(toAnthropic(asked, 'claude-opus-4-6'))).toEqual({ temperature: 1, top_p: undefined, top_k: 40 });
    expect(sampling(toAnthropic(ask({ top_p: 0.9 }), 'claude-haiku-4-5'))).toEqual({ temperature: undefined, top_p: 0.9, top_k: undefined });
    expect(sampling(toAnthropic(asked, 'claude-opus-4-7'))).toEqual({ temperature: undefined, top_p: undefined, top_k: undefined });
  });

  it('translates the effort by what the model takes', () => {
    const thinkingOf = (effort: string, model: string, changes = {}) => {
      const { thinking, output_config } = toAnthropic(ask({ reasoning_effort: effort, ...changes }), model);
      return [thinking, output_config?.effort];
    };
    expect(thinkingOf('xhigh', 'claude-opus-4-8')).toEqual([{ type: 'adaptive' }, 'xhigh']);
    expect(thinkingOf('xhigh', 'claude-sonnet-4-6')).toEqual([{ type: 'adaptive' }, 'high']);
    expect(thinkingOf('minimal', 'claude-opus-5')).toEqual([{ type: 'adaptive' }, 'low']);
    expect(thinkingOf('medium', 'claude-haiku-4-5')).toEqual([{ type: 'enabled', budget_tokens: 8192 }, undefined]);
    expect(thinkingOf('max', 'claude-haiku-4-5', { max_tokens: 2000 })).toEqual([{ type: 'enabled', budget_tokens: 1600 }, undefined]);
    expect(thinkingOf('max', 'claude-haiku-4-5', { max_tokens: 1000 })).toEqual([undefined, undefined]);
    expect(thinkingOf('high', 'claude-3-5-haiku-latest')).toEqual([undefined, undefined]);
    expect(thinkingOf('none', 'claude-opus-4-8')).toEqual([undefined, undefined]);
    expect(thinkingOf('none', 'claude-opus-5')).toEqual([{ type: 'disabled' }, undefined]);
    expect(thinkingOf('none', 'claude-fable-5')).toEqual([undefined, 'low']);
  });

  it('does not think beside a forced tool, nor with a budget where the thinking of the loop is lost', () => {
    const tools = [{ type: 'function', function: { name: 'a' } }];
    expect(toAnthropic(ask({ reasoning_effort: 'high', tools, tool_choice: 'required' })).thinking).toBeUndefined();
    const loop = (details: object) => [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'a', arguments: '{}' } }], ...details },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
    ];
    const signed = { reasoning_details: [{ type: 'reasoning.text', text: 'T', signature: 'S' }] };
    expect(toAnthropic(ask({ reasoning_effort: 'low', tools, messages: loop({}) }), 'claude-sonnet-4-5').thinking).toBeUndefined();
    expect(toAnthropic(ask({ reasoning_effort: 'low', tools, messages: loop(signed) }), 'claude-sonnet-4-5').thinking).toEqual({ type: 'enabled', budget_tokens: 2048 });
  });

  it('joins pieces of thinking that a client collected, and drops what is not signed', () => {
    const replay = (details: object[]) =>
      toAnthropic(ask({ messages: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hi', reasoning_details: details }, { role: 'user', content: 'x' }] })).messages[1].content;
    expect(
      replay([
        { type: 'reasoning.text', text: 'a', index: 0 },
        { type: 'reasoning.text', text: 'b', index: 0 },
        { type: 'reasoning.text', signature: 'S', index: 0 },
        { type: 'reasoning.encrypted', data: 'D', index: 1 },
        { type: 'reasoning.text', text: 'unsigned', index: 2 },
      ]),
    ).toEqual([
      { type: 'thinking', thinking: 'ab', signature: 'S' },
      { type: 'redacted_thinking', data: 'D' },
      { type: 'text', text: 'Hi' },
    ]);
  });

  it("drops what Gemini signed, which Anthropic would refuse, and thinks although it stands in front", () => {
    const tools = [{ type: 'function', function: { name: 'a' } }];
    const own = { type: 'reasoning.text', text: 'T', signature: 'S', index: 1 };
    const foreign = [{ type: 'reasoning.text', text: 'G', signature: 'gemini.thought:QUJD', index: 0 }, { type: 'reasoning.encrypted', data: 'gemini.call.0:QUJD', index: 2 }];
    const replay = (details: object[]) => {
      const turn = { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'a', arguments: '{}' } }], reasoning_details: details };
      return toAnthropic(ask({ reasoning_effort: 'low', tools, messages: [{ role: 'user', content: 'Hello' }, turn, { role: 'tool', tool_call_id: 'c', content: 'x' }] }), 'claude-sonnet-4-5');
    };
    const mixed = replay([foreign[0], own, foreign[1]]);
    expect(mixed.messages[1].content).toEqual([{ type: 'thinking', thinking: 'T', signature: 'S' }, { type: 'tool_use', id: 'c', name: 'a', input: {} }]);
    expect(mixed.thinking).toEqual({ type: 'enabled', budget_tokens: 2048 });
    const other = replay(foreign);
    expect(other.messages[1].content).toEqual([{ type: 'tool_use', id: 'c', name: 'a', input: {} }]);
    expect(other.thinking).toBeUndefined();
  });

  it('keeps later instructions in their place where the model takes that, else puts them first', () => {
    const asked = ask({ messages: [{ role: 'system', content: 'One' }, { role: 'user', content: 'Hello' }, { role: 'developer', content: 'Two' }, { role: 'user', content: '' }] });
    expect(toAnthropic(asked)).toMatchObject({ system: [{ text: 'One' }], messages: [{ role: 'user' }, { role: 'system', content: [{ text: 'Two' }] }] });
    expect(toAnthropic(asked, 'claude-opus-4-5')).toMatchObject({ system: [{ text: 'One' }, { text: 'Two' }], messages: [{ role: 'user' }] });
  });
});

describe('an Anthropic request for chat', () => {
  it('says all of it in OpenAI\'s words', () => {
    expect(toChat(anthropicRequest())).toEqual({
      model: 'gpt-5.4',
      messages: [
        { role: 'system', content: 'You are a helpful assistant.' },
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: expect.stringMatching(/^data:image\/png;base64,iVBOR/) } },
            { type: 'image_url', image_url: { url: 'https://example.com/ant.jpg' } },
            { type: 'text', text: 'Ants are small.' },
            { type: 'text', text: "What is in these images, and what's the S&P 500 at today?" },
          ],
        },
        {
          role: 'assistant',
          content: 'Let me look.',
          tool_calls: [
            { id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', type: 'function', function: { name: 'get_stock_price', arguments: '{"ticker":"^GSPC"}' } },
            { id: 'toolu_01A09q90qw90lq917835lq9', type: 'function', function: { name: 'take_picture', arguments: '{}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', content: '259.75 USD' },
        { role: 'tool', tool_call_id: 'toolu_01A09q90qw90lq917835lq9', content: 'blurred' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Result of tool call toolu_01A09q90qw90lq917835lq9:' },
            { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,/9j/4AAQSkZJRg==' } },
            { type: 'text', text: 'And now?' },
          ],
        },
      ],
      tools: [
        { type: 'function', function: { name: 'get_stock_price', description: expect.any(String), parameters: expect.objectContaining({ required: ['ticker'] }) } },
        { type: 'function', function: { name: 'take_picture', parameters: { type: 'object', properties: {} } } },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
      max_completion_tokens: 1024,
      stop: ['END', 'STOP'],
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: expect.objectContaining({ required: ['answer'] }), strict: true } },
      reasoning_effort: 'high',
      user: '13803d75-b4b5-4c3e-b2a2-6f21399b021b',
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('sends thinking back only to a server that is said to take it', () => {
    const [, , assistant] = toChat(anthropicRequest(), { keepsReasoning: true }).messages;
    expect(assistant.reasoning_details).toEqual([
      { type: 'reasoning.text', text: 'The tool has the price.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h', index: 0 },
      { type: 'reasoning.encrypted', data: 'EmwKAhgBEgy3va3pzix/LafPsn4', index: 1 },
    ]);
  });

  it.each([
    [{ thinking: { type: 'disabled' } }, 'none'],
    [{ thinking: { type: 'adaptive' } }, undefined],
    [{ thinking: { type: 'adaptive' }, output_config: { effort: 'max' } }, 'max'],
    [{ thinking: undefined, output_config: { effort: 'low' } }, 'low'],
    [{ thinking: { type: 'enabled', budget_tokens: 1024 } }, 'minimal'],
  ])('translates thinking %j', (changes, expected) => {
    expect(toChat(anthropicRequest(changes)).reasoning_effort).toBe(expected);
  });

  it('sends efforts only as the model takes them', () => {
    const options = { reasoningEfforts: ['low', 'medium', 'high'] };
    expect(toChat(anthropicRequest({ output_config: { effort: 'max' } }), options).reasoning_effort).toBe('high');
    expect(toChat(anthropicRequest({ thinking: { type: 'disabled' } }), options).reasoning_effort).toBe('low');
    expect(toChat(anthropicRequest(), { reasoningEfforts: [] }).reasoning_effort).toBeUndefined();
  });

  it('speaks to older servers as they need it', () => {
    const body = toChat(anthropicRequest({ top_k: 5 }), { outputCapMember: 'max_tokens', systemRole: 'developer', takesTopK: true });
    expect(body).toMatchObject({ max_tokens: 1024, top_k: 5, messages: expect.arrayContaining([{ role: 'developer', content: 'You are a helpful assistant.' }]) });
    expect(body).not.toHaveProperty('max_completion_tokens');
  });

  it('leaves out what the server would refuse the whole request for', () => {
    const request = { ...anthropicRequest({ stream: true }), seed: 7 };
    expect(toChat(request)).toMatchObject({ seed: 7, user: expect.any(String), stream: true, stream_options: { include_usage: true } });
    const body = toChat(request, { refusedMembers: ['seed', 'user', 'metadata', 'stream_options'] });
    for (const name of ['seed', 'user', 'stream_options']) expect(body).not.toHaveProperty(name);
    expect(body).toMatchObject({ model: 'gpt-5.4', stream: true, messages: expect.any(Array) });
  });

  it('hashes a name of a user that is too long for OpenAI', () => {
    expect(toChat(anthropicRequest({ metadata: { user_id: `user_${'a'.repeat(150)}` } })).user).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says nothing of tools where there are none', () => {
    const body = toChat(anthropicRequest({ tools: [] }));
    for (const name of ['tools', 'tool_choice', 'parallel_tool_calls']) expect(body).not.toHaveProperty(name);
  });

  it('puts results of tools before everything else, in either dialect', () => {
    const content = [{ type: 'text', text: 'Here:' }, { type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' }];
    const request = anthropicRequest({ messages: [{ role: 'user', content }] });
    expect(toChat(request).messages.slice(1)).toEqual([{ role: 'tool', tool_call_id: 'toolu_1', content: 'x' }, { role: 'user', content: 'Here:' }]);
    expect(toAnthropic(request).messages[0].content.map(({ type }: { type: string }) => type)).toEqual(['tool_result', 'text']);
  });

  it('counts tokens without a cap', () => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
    expect(readAnthropicRequest(body, { needsOutputCap: false }).outputCap).toBeNull();
  });
});

describe('toAnthropicModelTraits', () => {
  it.each([
    ['claude-3-5-sonnet-20241022', 'none', true, 0],
    ['claude-3-7-sonnet-latest', 'budget', true, 0],
    ['claude-opus-4-20250514', 'budget', true, 0],
    ['claude-opus-4-1', 'budget', true, 0],
    ['claude-opus-4-5-20251101', 'budget', true, 3],
    ['claude-haiku-4-5-20251001', 'budget', true, 0],
    ['anthropic.claude-sonnet-4-6', 'adaptive', true, 4],
    ['claude-opus-4-7', 'adaptive', false, 5],
    ['claude-mythos-preview', 'adaptive', false, 5],
    ['claude-fable-5-2', 'adaptive', false, 5],
    ['claude-haiku-5-5', 'adaptive', false, 5],
    ['our-claude', 'adaptive', false, 5],
  ])('knows %s', (model, thinking, takesSampling, effortCount) => {
    const traits = toAnthropicModelTraits(model);
    expect([traits.thinking, traits.takesSampling, traits.efforts.length]).toEqual([thinking, takesSampling, effortCount]);
  });
});
