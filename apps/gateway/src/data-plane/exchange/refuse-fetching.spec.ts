import { isOwnServer } from '@weir/providers';
import { chat } from '../../operations/chat';
import { embeddings } from '../../operations/embeddings';
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
  it('is refused where Infinity is told that its input is pictures', () => {
    expect(() => refuse(embeddings, { model: 'm', input: 'http://10.0.0.1/', modality: 'image' })).toThrow(expect.objectContaining({ param: 'modality' }));
    expect(() => refuse(embeddings, '{"model":"m","input":"http://10.0.0.1/","\\u006dodality":"image"}')).toThrow();
    refuse(embeddings, { model: 'm', input: 'http://10.0.0.1/', modality: 'text' });
  });
  it('passes what comes with the request', () => {
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
