import { OPERATION_DEFINITIONS, type OperationDefinition } from '../../operations';
import { readOpenAiFacts } from './read-openai-facts';
import { type RequestFacts } from './request-facts';

const NO_DEFAULTS = { embedModel: 'e', rerankModel: 'r' };
const [chat, completions, embeddings] = ['chat', 'completions', 'embeddings'].map((name) => getDefinition(name));

function getDefinition(name: string): OperationDefinition {
  const definition = OPERATION_DEFINITIONS.find(({ format }) => format === `openai-${name}`);
  if (definition === undefined) throw new Error(`no operation ${name}`);
  return definition;
}

function parse(members: string, deployment: string | null = null): string {
  return readOpenAiFacts(Buffer.from(`{${members},"messages":[{"role":"user","content":"x"}]}`), chat, { model: deployment, isStream: null, defaults: NO_DEFAULTS }).model;
}

describe("a model's name", () => {
  it.each(['gpt-5.5', 'azure/gpt-4o', 'a..b', 'ä/模型', '.hidden'])('may be %s', (model) => {
    expect(parse(`"model":"${model}"`)).toBe(model);
  });

  it.each(['azure/\\ud800', 'azure/..', '.', '../x', 'a/./b', 'a\\\\..\\\\b'])('that would break the path it stands in is not found: %s', (model) => {
    expect(() => parse(`"model":"${model}"`)).toThrow(expect.objectContaining({ code: 'model_not_found', param: 'model' }));
  });

  it('in the path is held to the same', () => {
    expect(() => parse('"n":1', 'm'.repeat(300))).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'model' }));
    expect(() => parse('"n":1', '..')).toThrow(expect.objectContaining({ code: 'model_not_found' }));
    expect(parse('"n":1', 'gpt-4o')).toBe('gpt-4o');
  });
});

describe('a key that a server may take for another', () => {
  it.each([
    ['"model":"a","Model":"b"', 'model'],
    ['"model":"a","MODEL":"b"', 'model'],
    ['"model":"a","\\u004dodel":"b"', 'model'],
    ['"model":"a","ſtream":true', 'stream'],
    ['"model":"a","stream":true,"Stream_Options":{}', 'stream_options'],
    ['"model":"a","Prompt":["x","y"]', 'prompt'],
    ['"model":"a","stream":true,"stream_options":{"include_usage":true,"Include_Usage":false}', 'stream_options.include_usage'],
    ['"model":"a","stream":true,"stream_options":{"include_uſage":false}', 'stream_options.include_usage'],
  ])('is refused: %s', (members, param) => {
    expect(() => parse(members)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('is refused where the path names the model', () => {
    expect(() => parse('"Model":"b"', 'a')).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'model' }));
  });

  it('is none when it is the same one, written with escapes', () => {
    expect(parse('"mod\\u0065l":"a"')).toBe('a');
  });
});

function toFacts(name: string, value: unknown): RequestFacts {
  return readOpenAiFacts(Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], [name]: value })), chat, { model: null, isStream: null, defaults: NO_DEFAULTS });
}

describe('a member that names other models', () => {
  it.each(['models', 'fallbacks'])('%s is refused: neither the list of the key nor the price would know them', (name) => {
    expect(() => toFacts(name, ['dearer'])).toThrow(expect.objectContaining({ code: 'invalid_request', param: name }));
  });
});

describe('what the price of tokens does not cover', () => {
  it.each<[string, unknown]>([['service_tier', 'priority'], ['web_search_options', {}], ['search_parameters', {}], ['plugins', []], ['audio', {}], ['n_predict', 9], ['max_new_tokens', 9], ['max_output_tokens', 9]])(
    '%s is noticed',
    (name, value) => {
      expect(toFacts(name, value).unpricedMember).toBe(name);
    },
  );

  it.each<[string, unknown]>([['service_tier', 'auto'], ['service_tier', null], ['service_tier', 'flex'], ['audio', null]])('%s: %j is the usual', (name, value) => {
    expect(toFacts(name, value).unpricedMember).toBeNull();
  });
});

describe('an output cap', () => {
  const members = '"model":"m","prompt":"x"';
  const messages = '"messages":[{"role":"user","content":"x"}]';

  it.each([
    ['"max_tokens":0', 'max_tokens'],
    ['"max_completion_tokens":0', 'max_completion_tokens'],
    ['"max_completion_tokens":0,"max_tokens":5', 'max_completion_tokens'],
  ])('of a chat that a server may take for none is refused: %s', (cap, param) => {
    expect(() => readOpenAiFacts(Buffer.from(`{"model":"m",${cap},${messages}}`), chat, { model: null, isStream: null, defaults: NO_DEFAULTS })).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('of a completion is max_tokens, of which 0 means something, and nothing else', () => {
    expect(readOpenAiFacts(Buffer.from(`{${members},"max_tokens":0,"max_completion_tokens":null}`), completions, { model: null, isStream: null, defaults: NO_DEFAULTS }).outputCap).toBe(0);
    expect(() => readOpenAiFacts(Buffer.from(`{${members},"max_completion_tokens":1}`), completions, { model: null, isStream: null, defaults: NO_DEFAULTS })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'max_completion_tokens' }),
    );
  });
});

describe('the language in a request', () => {
  const textBytesOf = (definition: OperationDefinition, members: string) => readOpenAiFacts(Buffer.from(`{"model":"m",${members}}`), definition, { model: null, isStream: null, defaults: NO_DEFAULTS }).textBytes;

  it('is also the ids of tokens, or whoever sends them would be charged for no input where none is reported', () => {
    expect(textBytesOf(embeddings, '"input":[1, 22,333]')).toBe(3 * 4);
    expect(textBytesOf(embeddings, '"input":[[1,2],[3],[100257]]')).toBe(4 * 4);
    expect(textBytesOf(completions, '"prompt":[[1,2],[3,4]],"text":"x"')).toBe(4 * 4 + 1);
    expect(textBytesOf(completions, '"prompt":["12 34","5"]')).toBe(6);
    expect(textBytesOf(completions, '"prompt":"12 34"')).toBe(5);
  });

  it('knows how many prompts there are', () => {
    const promptsOf = (prompt: string) => readOpenAiFacts(Buffer.from(`{"model":"m","prompt":${prompt}}`), completions, { model: null, isStream: null, defaults: NO_DEFAULTS }).promptCount;
    expect(['"text"', '["one"]', '["one","two"]', '[1,2,3]', '[[1],[2],[3]]'].map(promptsOf)).toEqual([1, 1, 2, 1, 3]);
  });
});
