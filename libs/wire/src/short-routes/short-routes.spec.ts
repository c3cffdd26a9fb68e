import { WeirError } from '@weir/kernel';
import { findBodyConversion, SHORT_ROUTES, toCanonicalBody } from '@weir/wire';

const SECRET = 'my secret prompt';
const PNG = 'iVBORw0KGgo=';
const URI = `data:image/png;base64,${PNG}`;
const defaults = { embedModel: 'embed_text_bge' };
const call = (path: string, body: unknown) => toCanonicalBody(SHORT_ROUTES[path], body, defaults);

function errorOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a short route says in the format of the long one', () => {
  const message = (content: unknown) => ({ messages: [{ role: 'user', content }] });
  it.each<[string, unknown, object]>([
    ['/embed/text', { text: 'a' }, { model: 'embed_text_bge', input: ['a'] }],
    ['/embed/text', { texts: ['a', 'b'], model: 'mine', encoding_format: 'base64', dimensions: 5 }, { model: 'mine', input: ['a', 'b'], encoding_format: 'base64', dimensions: 5 }],
    ['/embed/text/bge', { input: 'a', model: 'BAAI/bge-m3' }, { model: 'embed_text_bge', input: ['a'] }],
    ['/embed/text/qwen3-4b', { inputs: ['a'] }, { model: 'embed_4b', input: ['a'] }],
    ['/embed/text/qwen3-8b', { text: 'a', texts: null }, { model: 'embed_8b', input: ['a'] }],
    ['/embed/image', { image: URI }, { model: 'siglip2', input: [{ image: URI }] }],
    ['/embed/image', { images: [PNG, URI], model: 'clip' }, { model: 'clip', input: [{ image: URI }, { image: URI }] }],
    ['/rerank/qwen3-4b', { query: 'q', texts: ['a'], top_k: 1 }, { model: 'rerank_4b', query: 'q', texts: ['a'], top_k: 1 }],
    ['/rerank/qwen3-8b', { model: 'x', query: 'q', documents: ['a'] }, { model: 'rerank_8b', query: 'q', documents: ['a'] }],
    ['/vlm/caption', { image: PNG }, { model: 'vlm', ...message([{ type: 'image_url', image_url: { url: URI } }, { type: 'text', text: 'Describe this picture.' }]) }],
    ['/vlm/caption', { image: URI, prompt: SECRET, max_tokens: 5 }, { model: 'vlm', max_tokens: 5, ...message([{ type: 'image_url', image_url: { url: URI } }, { type: 'text', text: SECRET }]) }],
    ['/vlm/chat', message('https://example.com is a page'), { model: 'vlm', ...message('https://example.com is a page') }],
    ['/vlm/chat', { ...message([{ type: 'image_url', image_url: { url: URI, detail: 'low' } }]), stream: true }, { model: 'vlm', stream: true, ...message([{ type: 'image_url', image_url: { url: URI, detail: 'low' } }]) }],
    ['/generate/image', { prompt: 'a' }, { model: 'z-image', prompt: 'a', size: '1024x1024' }],
    ['/generate/image', { prompt: 'a', width: 512, height: 768, steps: 9, seed: 5, n: 2 }, { model: 'z-image', prompt: 'a', size: '512x768', num_inference_steps: 9, seed: 5, n: 2 }],
    ['/generate/3d', { image: URI, seed: 5, texture_size: 1024 }, { model: 'trellis', image: URI, seed: 5, texture_size: 1024 }],
  ])('%s %j', (path, body, expected) => {
    expect(call(path, body)).toEqual(expected);
  });

  it('and what it says is understood there', () => {
    const body = call('/embed/image', { images: [PNG] });
    expect(findBodyConversion('openai-embeddings', 'siglip2-embed')?.toUpstream(body, 'up')).toMatchObject({ modality: 'image', input: [URI] });
    expect(findBodyConversion('rerank', 'tei-rerank')?.toUpstream(call('/rerank/qwen3-4b', { query: 'q', texts: ['a'] }), 'up')).toMatchObject({ texts: ['a'] });
  });
});

describe('bad input to a short route is refused with its field, and without its words:', () => {
  const part = (content: object) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: SECRET }, content] }] });
  it.each<[string, string, unknown, string | null]>([
    ['a body that is a list', '/embed/text', [SECRET], null],
    ['no text', '/embed/text', {}, 'text'],
    ['two texts', '/embed/text', { text: SECRET, inputs: SECRET }, 'inputs'],
    ['an empty text', '/embed/text', { text: '' }, 'text'],
    ['an empty list', '/embed/text', { texts: [] }, 'texts'],
    ['an empty text in a list', '/embed/text', { texts: ['a', ''] }, 'texts[1]'],
    ['token ids', '/embed/text', { input: [1, 2] }, 'input[0]'],
    ['too many texts', '/embed/text', { texts: Array(2049).fill('x') }, 'texts'],
    ['a member that is not known', '/embed/text', { text: 'a', modality: 'image' }, 'modality'],
    ['a model that is no text', '/embed/text', { text: 'a', model: 5 }, 'model'],
    ['a URL', '/embed/image', { image: 'https://a.b/c.png' }, 'image'],
    ['a private URL in a list', '/embed/image', { images: [PNG, 'http://10.0.0.1/'] }, 'images[1]'],
    ['a file', '/embed/image', { image: 'file:///etc/passwd' }, 'image'],
    ['a data URI that lies about its type', '/embed/image', { image: `data:image/gif;base64,${PNG}` }, 'image'],
    ['a picture that is an object', '/embed/image', { image: { url: URI } }, 'image'],
    ['10,000 documents', '/rerank/qwen3-4b', { query: 'q', documents: Array(10_000).fill('x') }, 'documents'],
    ['no query', '/rerank/qwen3-8b', { documents: ['x'] }, 'query'],
    ['no picture to describe', '/vlm/caption', { prompt: SECRET }, 'image'],
    ['a URL to describe', '/vlm/caption', { image: 'https://a.b/c.png' }, 'image'],
    ['a prompt that is a list', '/vlm/caption', { image: PNG, prompt: [SECRET] }, 'prompt'],
    ['a member that is not known to captions', '/vlm/caption', { image: PNG, image_url: 'x' }, 'image_url'],
    ['no messages', '/vlm/chat', { model: 'vlm' }, 'messages'],
    ['messages that are a text', '/vlm/chat', { messages: SECRET }, 'messages'],
    ['a URL of a picture', '/vlm/chat', part({ type: 'image_url', image_url: { url: 'https://a.b/c.png' } }), 'messages[0].content[1].image_url.url'],
    ['a URL of a picture as a text', '/vlm/chat', part({ type: 'image_url', image_url: 'http://a.b/c.png' }), 'messages[0].content[1].image_url'],
    ['a picture from the disk', '/vlm/chat', part({ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }), 'messages[0].content[1].image_url.url'],
    ['a picture that lies about its type', '/vlm/chat', part({ type: 'image_url', image_url: { url: `data:image/webp;base64,${PNG}` } }), 'messages[0].content[1].image_url.url'],
    ['a URL of a film', '/vlm/chat', part({ type: 'video_url', video_url: { url: 'https://a.b/c.mp4' } }), 'messages[0].content[1].video_url.url'],
    ['a URL of a sound', '/vlm/chat', part({ type: 'audio_url', audio_url: { url: 'https://a.b/c.mp3' } }), 'messages[0].content[1].audio_url.url'],
    ['a list of frames of a film', '/vlm/chat', part({ type: 'video', video: [URI, 'file:///etc/passwd'] }), 'messages[0].content[1].video[1]'],
    ["a picture in Qwen's words", '/vlm/chat', part({ type: 'image', image: 'file:///etc/passwd' }), 'messages[0].content[1].image'],
    ['a URL behind another type', '/vlm/chat', part({ type: 'text', text: 'a', image_url: { url: 'https://a.b' } }), 'messages[0].content[1].image_url.url'],
    ['a URL in a member that nobody knows yet', '/vlm/chat', part({ type: 'scan', scan_url: 'https://a.b' }), 'messages[0].content[1].scan_url'],
    ['lists without end', '/vlm/chat', part({ type: 'image', image: [[[[[['x']]]]]] }), 'messages[0].content[1].image[0][0][0][0][0]'],
    ['no prompt', '/generate/image', { n: 1 }, 'prompt'],
    ['too many pictures', '/generate/image', { prompt: SECRET, n: 11 }, 'n'],
    ['a size twice', '/generate/image', { prompt: SECRET, size: '64x64', width: 64, height: 64 }, 'size'],
    ['half a size', '/generate/image', { prompt: SECRET, width: 64 }, 'height'],
    ['a width that is a text', '/generate/image', { prompt: SECRET, width: '64', height: 64 }, 'width'],
    ['no picture to make a mesh of', '/generate/3d', { seed: 1 }, 'image'],
    ['a URL to make a mesh of', '/generate/3d', { image: 'https://a.b/c.png' }, 'image'],
    ['two pictures to make a mesh of', '/generate/3d', { image: PNG, input_image: PNG }, 'input_image'],
    ['a URL among the options of a mesh', '/generate/3d', { image: PNG, callback: 'https://a.b' }, 'callback'],
  ])('%s: %s', (_, path, body, param) => {
    const error = errorOf(() => call(path, body));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(`${error.message} ${error.detail ?? ''}`).not.toContain(SECRET);
  });
});
