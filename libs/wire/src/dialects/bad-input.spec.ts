import { WeirError } from '@weir/kernel';
import { type ConversationRequest, parseExactJson, readAnthropicRequest, readChatRequest, writeAnthropicRequest, writeChatRequest } from '@weir/wire';

const SECRET = 'my secret prompt';
const user = { role: 'user', content: SECRET };
const png = 'iVBORw0KGgo=';
const chat = (changes: object): ConversationRequest => readChatRequest({ model: 'm', messages: [user], ...changes });
const anthropic = (changes: object): ConversationRequest => readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [user], ...changes });
const chatPart = (part: object) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: SECRET }, part] }] });
const anthropicBlock = (block: object, role = 'user') => ({ messages: [{ role, content: [{ type: 'text', text: SECRET }, block] }] });
const image = (url: string) => chatPart({ type: 'image_url', image_url: { url } });
const source = (fields: object, type = 'image') => anthropicBlock({ type, source: fields });
const call = (fields: object) => ({ messages: [user, { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: SECRET }, ...fields }] }] });

function refusalOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function expectRefusal(act: () => unknown, param: string | null): void {
  const error = refusalOf(act);
  expect([error.code, error.param]).toEqual(['invalid_request', param]);
  expect(`${error.message} ${error.detail ?? ''} ${error.param ?? ''}`).not.toContain(SECRET);
}

describe('a chat request that cannot be translated is refused with its field, and without its words:', () => {
  it.each<[string, object, string | null]>([
    ['no model', { model: undefined }, 'model'],
    ['a model that is no text', { model: 5 }, 'model'],
    ['messages that are no array', { messages: SECRET }, 'messages'],
    ['no messages', { messages: [] }, 'messages'],
    ['nothing but empty messages', { messages: [{ role: 'user', content: '' }] }, 'messages'],
    ['a message that is no object', { messages: [SECRET] }, 'messages[0]'],
    ['a role that is not known', { messages: [{ role: SECRET, content: '' }] }, 'messages[0].role'],
    ['no role', { messages: [{ content: SECRET }] }, 'messages[0].role'],
    ['the role of old functions', { messages: [{ role: 'function', name: 'f', content: SECRET }] }, 'messages[0].role'],
    ['content that is a number', { messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    ['no content', { messages: [{ role: 'user' }] }, 'messages[0].content'],
    ['a part that is not known', chatPart({ type: SECRET }), 'messages[0].content[1].type'],
    ['sound', chatPart({ type: 'input_audio', input_audio: { data: SECRET, format: 'wav' } }), 'messages[0].content[1].type'],
    ['a picture in a system message', { messages: [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'https://a.b/c' } }] }] }, 'messages[0].content'],
    ['a picture from the disk', image('file:///etc/passwd'), 'messages[0].content[1].image_url.url'],
    ['a picture in a URL of script', image('javascript:alert(1)'), 'messages[0].content[1].image_url.url'],
    ['a data URI that is no base64', image('data:image/png,abc'), 'messages[0].content[1].image_url.url'],
    ['a data URI with other letters', image(`data:image/png;base64,${SECRET}`), 'messages[0].content[1].image_url.url'],
    ['a data URI that lies about its type', image(`data:image/jpeg;base64,${png}`), 'messages[0].content[1].image_url.url'],
    ['a data URI of nothing', image('data:image/png;base64,'), 'messages[0].content[1].image_url.url'],
    ['an uploaded file', chatPart({ type: 'file', file: { file_id: 'file-1' } }), 'messages[0].content[1].file.file_id'],
    ['a file of no type', chatPart({ type: 'file', file: { file_data: 'AAAA' } }), 'messages[0].content[1].file.file_data'],
    ['arguments that are no JSON', call({}), 'messages[1].tool_calls[0].function.arguments'],
    ['arguments that are no object', call({ function: { name: 'f', arguments: '[1]' } }), 'messages[1].tool_calls[0].function.arguments'],
    ['a call of a custom tool', call({ type: 'custom' }), 'messages[1].tool_calls[0].type'],
    ['a call without an id', call({ id: null, function: { name: 'f', arguments: '{}' } }), 'messages[1].tool_calls[0].id'],
    ['a result without a call', { messages: [user, { role: 'tool', content: SECRET }] }, 'messages[1].tool_call_id'],
    ['a custom tool', { tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'tools[0].type'],
    ['a tool without a name', { tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name'],
    ['a choice that is not known', { tool_choice: SECRET }, 'tool_choice'],
    ['two answers', { n: 2 }, 'n'],
    ['log probabilities', { logprobs: true }, 'logprobs'],
    ['a bias', { logit_bias: { 5: 1 } }, 'logit_bias'],
    ['sound as output', { modalities: ['text', 'audio'] }, 'modalities'],
    ['a search of the web', { web_search_options: {} }, 'web_search_options'],
    ['old functions', { functions: [{ name: 'f' }] }, 'functions'],
    ['a member that is not known', { frequenzy_penalty: 1 }, 'frequenzy_penalty'],
    ['a member whose name is a prompt', { [SECRET]: 1 }, null],
    ['a temperature out of bounds', { temperature: 2.1 }, 'temperature'],
    ['a temperature that is a text', { temperature: SECRET }, 'temperature'],
    ['a cap of nothing', { max_tokens: 0 }, 'max_tokens'],
    ['a cap with a fraction', { max_completion_tokens: 1.5 }, 'max_completion_tokens'],
    ['an effort that is not known', { reasoning_effort: SECRET }, 'reasoning_effort'],
    ['a format without a schema', { response_format: { type: 'json_schema', json_schema: { name: 'a' } } }, 'response_format.json_schema.schema'],
    ['a stop that is a number', { stop: 5 }, 'stop'],
    ['a stop with a number', { stop: ['a', 5] }, 'stop[1]'],
    ['stream that is a text', { stream: 'yes' }, 'stream'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => chat(changes), param);
  });

  it.each([[null], [5], ['text'], [[]]])('a body that is %j', (body) => {
    expectRefusal(() => readChatRequest(body), null);
    expectRefusal(() => readAnthropicRequest(body), null);
  });

  it.each<[string, object, string]>([
    ['a penalty', { frequency_penalty: 0.5 }, 'frequency_penalty'],
    ['another penalty', { presence_penalty: -0.5 }, 'presence_penalty'],
    ['any JSON', { response_format: { type: 'json_object' } }, 'response_format'],
    ['a stop of white space', { stop: ['\n'] }, 'stop'],
    ['only instructions', { messages: [{ role: 'system', content: SECRET }] }, 'messages'],
    ['a picture of another kind', image('data:image/tiff;base64,AAAA'), 'messages[0].content[1]'],
    ['a file of another kind', chatPart({ type: 'file', file: { file_data: 'data:application/zip;base64,AAAA' } }), 'messages[0].content[1]'],
  ])('%s (for Anthropic)', (_, changes, param) => {
    expectRefusal(() => writeAnthropicRequest(chat(changes), { model: 'claude-opus-4-8', defaultOutputCap: 5 }), param);
  });

  it('but not what asks for nothing', () => {
    const asksNothing = { n: 1, logprobs: false, top_logprobs: 0, logit_bias: {}, modalities: ['text'], audio: null, functions: null, unknown: null, frequency_penalty: 0, store: true, service_tier: 'flex', verbosity: 'low' };
    expect(JSON.parse(writeAnthropicRequest(chat(asksNothing), { model: 'claude-opus-4-8', defaultOutputCap: 5 }))).toEqual({
      model: 'claude-opus-4-8',
      max_tokens: 5,
      messages: [{ role: 'user', content: [{ type: 'text', text: SECRET }] }],
    });
  });
});

describe('an Anthropic request that cannot be translated is refused with its field, and without its words:', () => {
  it.each<[string, object, string | null]>([
    ['no cap', { max_tokens: undefined }, 'max_tokens'],
    ['a cap of nothing', { max_tokens: 0 }, 'max_tokens'],
    ['no messages', { messages: [] }, 'messages'],
    ['a role that is not known', { messages: [{ role: 'tool', content: SECRET }] }, 'messages[0].role'],
    ['instructions that are a number', { system: 5 }, 'system'],
    ['a picture as instructions', { system: [{ type: 'image' }] }, 'system[0].type'],
    ['a block that is not known', anthropicBlock({ type: SECRET }), 'messages[0].content[1].type'],
    ["a server's own tool result", anthropicBlock({ type: 'web_search_tool_result' }, 'assistant'), 'messages[0].content[1].type'],
    ['a tool call without an id', anthropicBlock({ type: 'tool_use', name: 'f', input: {} }, 'assistant'), 'messages[0].content[1].id'],
    ['arguments that are no object', anthropicBlock({ type: 'tool_use', id: 'a', name: 'f', input: SECRET }, 'assistant'), 'messages[0].content[1].input'],
    ['a tool call of the user', anthropicBlock({ type: 'tool_use', id: 'a', name: 'f', input: {} }), 'messages[0].content[1].type'],
    ['an uploaded picture', source({ type: 'file', file_id: 'f' }), 'messages[0].content[1].source.type'],
    ['a picture that lies about its type', source({ type: 'base64', media_type: 'image/gif', data: png }), 'messages[0].content[1].source.data'],
    ['a picture from the disk', source({ type: 'url', url: 'file:///etc/passwd' }), 'messages[0].content[1].source.url'],
    ['a document of blocks', source({ type: 'content', content: SECRET }, 'document'), 'messages[0].content[1].source.type'],
    ["one of Anthropic's tools", { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0].type'],
    ['a tool without a schema', { tools: [{ name: 'f' }] }, 'tools[0].input_schema'],
    ['a choice without a tool', { tool_choice: { type: 'tool' } }, 'tool_choice.name'],
    ['a choice that is not known', { tool_choice: { type: SECRET } }, 'tool_choice.type'],
    ['a container', { container: 'c' }, 'container'],
    ['a promise about where', { inference_geo: 'eu' }, 'inference_geo'],
    ['servers of tools', { mcp_servers: [{}] }, 'mcp_servers'],
    ['a member that is not known', { max_token: 5 }, 'max_token'],
    ['a temperature out of bounds', { temperature: 1.5 }, 'temperature'],
    ['an effort that is not known', { output_config: { effort: SECRET } }, 'output_config.effort'],
    ['thinking that is not known', { thinking: { type: SECRET } }, 'thinking.type'],
    ['a format without a schema', { output_config: { format: { type: 'json_schema' } } }, 'output_config.format.schema'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => anthropic(changes), param);
  });

  it.each<[string, object, string]>([
    ['more stops than four', { stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, 'stop_sequences'],
    ['a long name of a tool', { tools: [{ name: 'f'.repeat(65), input_schema: {} }] }, 'tools[0].name'],
    ['an answer that was begun', { messages: [user, { role: 'assistant', content: '{' }] }, 'messages'],
    ['a URL of a file', source({ type: 'url', url: 'https://a.b/c.pdf' }, 'document'), 'messages[0].content[1]'],
  ])('%s (for chat)', (_, changes, param) => {
    expectRefusal(() => writeChatRequest(anthropic(changes), { model: 'm' }), param);
  });
});

describe('parseExactJson', () => {
  it.each([
    '{"n":12345678901234567890}', '{"n":-12345678901234567890}', '[0.1234567890123456789]', '[1e400]', '[1E-400]', '["12345678901234567890"]', '[0.1,0.30000000000000004,1e+21,100000000000000000000]', '{"__proto__":1,"n":12345678901234567890}',
  ])('keeps every number of %s', (json) => {
    expect(JSON.stringify(parseExactJson(json))).toBe(json);
  });

  it('leaves numbers alone that JavaScript holds', () => {
    expect(parseExactJson('{"temperature":0.70,"n":1.0,"big":12345678901234567890}')).toMatchObject({ temperature: 0.7, n: 1 });
    expect(parseExactJson('[1.0000000000000000]')).toEqual([1]);
  });
});
