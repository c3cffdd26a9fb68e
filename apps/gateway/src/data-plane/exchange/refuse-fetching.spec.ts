import { isOwnServer } from '@weir/providers';
import { chat } from '../../operations/chat';
import { embeddings } from '../../operations/embeddings';
import { rerank } from '../../operations/rerank';
import { responses } from '../../operations/responses';
import { messages } from '../../operations/messages';
import { generateContent } from '../../operations/generate-content';
import { type OperationDefinition } from '../../operations';
import { CallerSpeech } from './caller-speech';
import { refuseFetching } from './refuse-fetching';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const place = { model: null, isStream: null, defaults: { embedModel: 'e', rerankModel: 'r' } };

function refuse(definition: OperationDefinition, body: object | string, model: string | null = null): void {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  refuseFetching(new CallerSpeech(definition.readFacts(bytes, definition, { ...place, model }), 'r', 0));
}
const say = (part: object) => ({ model: 'm', messages: [{ role: 'user', content: [part] }] });

describe('what a server of one\'s own would fetch', () => {
  it.each(['https://example.com/a.png', 'http://169.254.169.254/latest', 'file:///etc/passwd'])('is refused: %s', (url) => {
    expect(() => refuse(chat, say({ type: 'image_url', image_url: { url } }))).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'messages[0].content[0].image_url.url' }));
    expect(() => refuse(chat, say({ type: 'video_url', video_url: { url } }))).toThrow();
    expect(() => refuse(chat, JSON.stringify(say({ type: 'image_url', image_url: { url } })).replaceAll('image_url', 'image\\u005furl'))).toThrow();
    expect(() => refuse(embeddings, { input: 'x', ...say({ type: 'image_url', image_url: { url } }) })).toThrow();
  });
  it('is refused in every dialect, by the caller\'s own name for it', () => {
    expect(() => refuse(messages, { max_tokens: 5, ...say({ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }) })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => refuse(generateContent, { contents: [{ role: 'user', parts: [{ fileData: { mimeType: 'image/png', fileUri: 'https://example.com/a.png' } }] }] }, 'm')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
  it('is refused as a data URI of a million parameters, too', () => {
    const url = `data:image/png${';a=b'.repeat(2_000_000)};base64,${PNG}`;
    expect(() => refuse(chat, say({ type: 'video_url', video_url: { url } }))).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => refuse(chat, say({ type: 'image_url', image_url: { url } }))).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
  it('is refused where Infinity is told that its input is pictures', () => {
    expect(() => refuse(embeddings, { model: 'm', input: 'http://10.0.0.1/', modality: 'image' })).toThrow(expect.objectContaining({ param: 'modality' }));
    expect(() => refuse(embeddings, '{"model":"m","input":"http://10.0.0.1/","\\u006dodality":"image"}')).toThrow();
    refuse(embeddings, { model: 'm', input: 'http://10.0.0.1/', modality: 'text' });
  });
  it.each<[string, OperationDefinition, object, string]>([
    ['a picture to be embedded (SGLang)', embeddings, { input: [{ text: 'x', image: 'http://10.0.0.1/' }] }, 'input[0].image'],
    ['a part to be embedded', embeddings, { input: ['x', { type: 'image_url', image_url: { url: 'http://10.0.0.1/' } }] }, 'input[1].image_url.url'],
    ['a film to be embedded', embeddings, { input: [{ content: [{ type: 'video_url', video_url: { url: 'http://10.0.0.1/' } }] }] }, 'input[0].content[0].video_url.url'],
    ['a document with parts (vLLM)', rerank, { query: 'q', documents: ['x', { text: 'x', content: [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/' } }] }] }, 'documents[1].content[0].image_url.url'],
    ['a document with a picture (Jina)', rerank, { query: 'q', documents: [{ text: 'x', image: 'http://10.0.0.1/' }] }, 'documents[0].image'],
    ['a server of tools', responses, { input: 'x', tools: [{ type: 'mcp', server_label: 'x', server_url: 'http://10.0.0.1/' }] }, 'tools[0].server_url'],
    ['servers of tools (Anthropic)', messages, { max_tokens: 5, ...say({ type: 'text', text: 'x' }), mcp_servers: [{ type: 'url', url: 'http://10.0.0.1/', name: 'x' }] }, 'mcp_servers'],
  ])('is refused as %s', (_what, definition, body, param) => {
    const whole = { model: 'm', ...body };
    expect(() => refuse(definition, whole)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
    const escaped = JSON.stringify(whole).replaceAll('"image', '"\\u0069mage').replaceAll('"server_url', '"\\u0073erver_url').replaceAll('"mcp', '"\\u006dcp');
    expect(() => refuse(definition, escaped)).toThrow(expect.objectContaining({ param }));
  });
  it('passes what comes with the request', () => {
    refuse(embeddings, { model: 'm', input: [{ text: 'see https://example.com', image: `data:image/png;base64,${PNG}` }, 'http://10.0.0.1/ {'] });
    refuse(rerank, { model: 'm', query: 'q', documents: [{ text: 'https://example.com', url: 'https://example.com', title: 'x' }, 'y'] });
    refuse(responses, { model: 'm', input: 'x', tools: [{ type: 'function', name: 'open', parameters: { type: 'object', properties: { server_url: { type: 'string' } } } }] });
    refuse(chat, say({ type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }));
    refuse(chat, say({ type: 'text', text: 'look at https://example.com' }));
    refuse(messages, { max_tokens: 5, ...say({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } }) });
  });
});

it.each([
  ['tei', 'https://tei.example.com', {}, true],
  ['openai-compatible', 'https://10.1.2.3', {}, true],
  ['openai-compatible', 'http://gpu.example.com:8000', {}, true],
  ['openai-compatible', 'https://vllm', {}, true],
  ['openai-compatible', 'https://[fd12::1]', {}, true],
  ['openai-compatible', 'https://api.groq.com', {}, false],
  ['openai-compatible', 'https://llm.example.com', { preset: 'vllm' }, true],
  ['openai-compatible', 'http://127.0.0.1:1', { preset: 'groq' }, false],
  ['openai', 'http://127.0.0.1:1', {}, false],
] as const)('%s at %s %j is one\'s own: %s', (provider, origin, options, isOwn) => {
  expect(isOwnServer(provider, { origin, basePath: '', options })).toBe(isOwn);
});
