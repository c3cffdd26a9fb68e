import { OPERATION_DEFINITIONS } from '../../operations';
import { type RequestFacts } from './request-facts';

const DEFAULTS = { embedModel: 'e', rerankModel: 'r' };

function read(format: string, body: unknown, place: { model: string | null; isStream: boolean | null } = { model: format === 'gemini' ? 'gemini-3' : null, isStream: null }): RequestFacts {
  const definition = OPERATION_DEFINITIONS.find((one) => one.format === format);
  if (definition === undefined) throw new Error(`no operation ${format}`);
  return definition.readFacts(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), definition, { ...place, defaults: DEFAULTS });
}

const BASIC: Readonly<Record<string, object>> = {
  anthropic: { model: 'claude', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] },
  'openai-responses': { model: 'gpt-5', input: 'Hi' },
  gemini: { contents: [{ parts: [{ text: 'Hi' }] }] },
};
const withFields = (format: string, fields: object): RequestFacts => read(format, { ...BASIC[format], ...fields });
const refusal = (param: string, code = 'invalid_request') => expect.objectContaining({ code, param });
/** A body whose members end as they are written. */
const written = (format: string, members: string): string => `${JSON.stringify(BASIC[format]).slice(0, -1)},${members}}`;

describe('what the price of tokens does not cover', () => {
  it.each([
    ['anthropic', {}, null],
    ['anthropic', { mcp_servers: [{}] }, 'mcp_servers'],
    ['anthropic', { container: 'c' }, 'container'],
    ['anthropic', { container: null }, null],
    ['anthropic', { inference_geo: 'us' }, 'inference_geo'],
    ['anthropic', { speed: 'fast' }, 'speed'],
    ['anthropic', { service_tier: 'standard_only' }, null],
    ['anthropic', { service_tier: 'priority' }, 'service_tier'],
    ['anthropic', { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }, null],
    ['anthropic', { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '5m' } }] }, null],
    ['anthropic', { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }] }, 'cache_control.ttl'],
    ['anthropic', { messages: [{ role: 'user', content: [{ type: 'tool_result', content: [{ cache_control: { ttl: '24h' } }] }] }] }, 'cache_control.ttl'],
    // A word of the user's is no cache mark.
    ['anthropic', { messages: [{ role: 'user', content: '1h' }], metadata: { ttl: '1h' } }, null],
    ['anthropic', { tools: [{ name: 'a', input_schema: {} }, { type: 'custom', name: 'b' }, { type: null, name: 'c' }] }, null],
    ['anthropic', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools'],
    ['openai-responses', {}, null],
    ['openai-responses', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['openai-responses', { conversation: 'conv_1' }, 'conversation'],
    ['openai-responses', { prompt: { id: 'pmpt_1' } }, 'prompt'],
    ['openai-responses', { previous_response_id: null, prompt: null }, null],
    ['openai-responses', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input'],
    ['openai-responses', { input: [{ id: 'msg_1' }] }, 'input'],
    ['openai-responses', { input: [{ role: 'user', content: 'item_reference', id: 'msg_1' }] }, null],
    ['openai-responses', { service_tier: 'flex' }, null],
    ['openai-responses', { service_tier: 'priority' }, 'service_tier'],
    ['openai-responses', { tools: [{ type: 'function', name: 'a' }, { type: 'custom', name: 'b' }] }, null],
    ['openai-responses', { tools: null }, null],
    ['openai-responses', { tools: [{ type: 'web_search' }] }, 'tools'],
    ['openai-responses', { tools: [{ type: 'mcp' }] }, 'tools'],
    ['openai-responses', { tools: [null] }, 'tools'],
    ['openai-responses', { tools: {} }, 'tools'],
    ['gemini', {}, null],
    ['gemini', { cachedContent: 'cachedContents/1' }, 'cachedContent'],
    ['gemini', { cached_content: 'cachedContents/1' }, 'cached_content'],
    ['gemini', { serviceTier: 'FLEX' }, null],
    ['gemini', { service_tier: 'priority' }, 'serviceTier'],
    ['gemini', { generationConfig: { responseModalities: ['TEXT'] } }, null],
    ['gemini', { generationConfig: { responseModalities: ['TEXT', 'IMAGE'] } }, 'generationConfig.responseModalities'],
    ['gemini', { generation_config: { response_modalities: ['AUDIO'] } }, 'generationConfig.responseModalities'],
    ['gemini', { tools: [{ functionDeclarations: [] }, { function_declarations: [] }] }, null],
    ['gemini', { tools: null }, null],
    ['gemini', { tools: [{ googleSearch: {} }] }, 'tools'],
    ['gemini', { tools: [{ functionDeclarations: [], codeExecution: {} }] }, 'tools'],
    ['gemini', { tools: {} }, 'tools'],
  ])('%s %j: %s', (format, fields, expected) => {
    expect(withFields(format, fields).unpricedMember).toBe(expected);
  });

  it.each([
    ['anthropic', '"syst\\u0065m":[{"c\\u0061che_control":{"t\\u0074l":"1\\u0068"}}]', 'cache_control.ttl'],
    ['anthropic', '"sp\\u0065ed":"fast"', 'speed'],
    ['anthropic', '"tools":[{"typ\\u0065":"web_search_20250305"}]', 'tools'],
    ['openai-responses', '"tools":[{"type":"web\\u005fsearch"}]', 'tools'],
    ['openai-responses', '"previous_response\\u005fid":"r"', 'previous_response_id'],
    ['gemini', '"cached\\u0043ontent":"c"', 'cachedContent'],
    ['gemini', '"tools":[{"google\\u0053earch":{}}]', 'tools'],
  ])('%s, written with escapes, too: %s', (format, members, expected) => {
    expect(read(format, written(format, members)).unpricedMember).toBe(expected);
  });

  it('in an item that is named with escapes', () => {
    expect(read('openai-responses', '{"model":"m","input":[{"\\u0074ype":"item\\u005freference","\\u0069d":"x"}]}').unpricedMember).toBe('input');
  });
});

describe('the output cap', () => {
  it.each([
    ['anthropic', { max_tokens: 7 }, 7],
    ['anthropic', { max_tokens: 0 }, 0],
    ['openai-responses', {}, null],
    ['openai-responses', { max_output_tokens: null }, null],
    ['openai-responses', { max_output_tokens: 9 }, 9],
    ['gemini', { generationConfig: { maxOutputTokens: 5 } }, 5],
    ['gemini', { generation_config: { max_output_tokens: 5 } }, 5],
    ['gemini', { generationConfig: { maxOutputTokens: 0 } }, null],
    ['gemini', { generationConfig: null }, null],
    ['gemini', {}, null],
  ])('%s %j: %s', (format, fields, expected) => {
    expect(withFields(format, fields).outputCap).toBe(expected);
  });

  it.each([
    ['anthropic', { max_tokens: -1 }, 'max_tokens'],
    ['anthropic', { max_tokens: '5' }, 'max_tokens'],
    ['anthropic', { max_tokens: null }, 'max_tokens'],
    ['openai-responses', { max_output_tokens: 0 }, 'max_output_tokens'],
    ['openai-responses', { max_output_tokens: 1.5 }, 'max_output_tokens'],
    ['openai-responses', { background: true }, 'background'],
    ['openai-responses', { background: 'true' }, 'background'],
    ['gemini', { generationConfig: { maxOutputTokens: -1 } }, 'generationConfig.maxOutputTokens'],
    ['gemini', { generationConfig: { maxOutputTokens: 5, max_output_tokens: 6 } }, 'generationConfig.max_output_tokens'],
    ['gemini', { generationConfig: {}, generation_config: {} }, 'generation_config'],
    ['gemini', { generationConfig: [] }, 'generationConfig'],
    ['gemini', { generationConfig: { candidateCount: 0 } }, 'generationConfig.candidateCount'],
  ])('%s %j is refused: %s', (format, fields, param) => {
    expect(() => withFields(format, fields)).toThrow(refusal(param));
  });

  it('choices are counted', () => {
    expect(withFields('gemini', { generationConfig: { candidateCount: 3 } }).choiceCount).toBe(3);
  });
});

describe('a cap that Weir sets for Gemini', () => {
  it.each([
    ['{"contents":[{}]}', { maxOutputTokens: 42 }],
    ['{"generationConfig":null,"contents":[{}]}', { maxOutputTokens: 42 }],
    ['{ "generationConfig" : { "temperature" : 0.5 } , "contents":[{}]}', { temperature: 0.5, maxOutputTokens: 42 }],
    ['{"contents":[{}],"generation_config":{"max_output_tokens":0,"top_p":1}}', { top_p: 1, maxOutputTokens: 42 }],
    ['{"contents":[{}],"generationConfig":{"maxOutputTokens":null}}', { maxOutputTokens: 42 }],
  ])('stands in its configuration: %s', (body, expected) => {
    const splice = read('gemini', body).capHolder?.toSplice(42);
    if (splice === undefined) throw new Error('no splice');
    const bytes = Buffer.from(body);
    const capped = JSON.parse(Buffer.concat([bytes.subarray(0, splice.start), Buffer.from(splice.text), bytes.subarray(splice.end)]).toString('utf8'));
    expect(capped.generationConfig ?? capped.generation_config).toEqual(expected);
    expect(capped.contents).toEqual([{}]);
  });
});

describe('who is asked', () => {
  it('is the body’s model, and the path’s for Gemini', () => {
    expect(withFields('anthropic', {}).model).toBe('claude');
    expect(withFields('openai-responses', {}).model).toBe('gpt-5');
    expect(read('gemini', BASIC.gemini, { model: 'gemini-3', isStream: true })).toMatchObject({ model: 'gemini-3', isStream: true });
  });

  it.each([
    ['anthropic', { Model: 'other' }, 'model'],
    ['anthropic', { Max_Tokens: 5 }, 'max_tokens'],
    ['anthropic', { STREAM: true }, 'stream'],
    ['openai-responses', { Background: true }, 'background'],
    ['openai-responses', { Max_Output_Tokens: 5 }, 'max_output_tokens'],
    ['gemini', { Contents: [] }, 'contents'],
    ['anthropic', { stream: 'yes' }, 'stream'],
    ['anthropic', { messages: 'x' }, 'messages'],
    ['gemini', { contents: {} }, 'contents'],
  ])('%s %j is refused: %s', (format, fields, param) => {
    expect(() => withFields(format, fields)).toThrow(refusal(param));
  });

  it('a key that is said twice is refused, plain and escaped', () => {
    expect(() => read('anthropic', written('anthropic', '"model":"b"'))).toThrow(refusal('model'));
    expect(() => read('anthropic', written('anthropic', '"m\\u006fdel":"b"'))).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => read('gemini', '{"contents":[{}],"generationConfig":{"maxOutputTokens":1,"maxOutput\\u0054okens":9}}')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('a count of tokens', () => {
  it('costs nothing, streams nothing and needs no cap', () => {
    const facts = read('anthropic-count-tokens', { model: 'claude', messages: [{ role: 'user', content: 'Hi' }], tools: [{ type: 'web_search_20250305' }] });
    expect(facts).toMatchObject({ outputCap: 0, isStream: false, unpricedMember: null, work: { worst: { inputTokens: 0, requests: 0 } } });
  });
});
