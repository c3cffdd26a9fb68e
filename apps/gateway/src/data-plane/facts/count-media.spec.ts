import { JsonScanner } from '@weir/wire';
import { countMedia } from './count-media';

function count(body: unknown): [images: number, files: number] {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const scanner = new JsonScanner();
  if (!scanner.scan(bytes, 0, bytes.length, { strictKeys: true })) throw new Error('no JSON');
  const { imageCount, fileCount } = countMedia(scanner, bytes);
  return [imageCount, fileCount];
}

const parts = (...content: object[]) => ({ messages: [{ role: 'user', content }] });
const source = (mediaType: string) => ({ type: 'base64', media_type: mediaType, data: 'x' });

describe('countMedia', () => {
  it.each([
    ['text alone', parts({ type: 'text', text: 'a "source" of light' }), [0, 0]],
    ['a picture', parts({ type: 'image', source: source('image/png') }), [1, 0]],
    ['pictures elsewhere', parts({ type: 'image', source: { type: 'url', url: 'https://x' } }, { type: 'image', source: { type: 'file', file_id: 'f' } }), [2, 0]],
    ['a document', parts({ type: 'document', source: source('application/pdf') }), [0, 1]],
    ['a document that says it is a picture', parts({ type: 'document', source: source('image/png') }), [0, 1]],
    ['a picture that says it is a document', parts({ type: 'image', source: source('application/pdf') }), [0, 1]],
    ['a picture in a tool’s result', parts({ type: 'tool_result', content: [{ type: 'image', source: source('image/webp') }] }), [1, 0]],
    ['a picture in a document', parts({ type: 'document', source: { type: 'content', content: [{ type: 'image', source: source('image/png') }] } }), [1, 1]],
    ['Google’s', { contents: [{ parts: [{ inlineData: { mimeType: 'image/jpeg' } }, { inline_data: { mime_type: 'audio/wav' } }, { fileData: { mimeType: 'video/mp4', fileUri: 'x' } }, { file_data: {} }] }] }, [1, 3]],
    ['a type in other letters', { contents: [{ inlineData: { mimeType: 'IMAGE/PNG' } }] }, [0, 1]],
    ['a source that is a text', { metadata: { source: 'web' } }, [0, 0]],
    ['names written with escapes', '{"contents":[{"\\u0069nlineData":{"mimeType":"image/png"}},{"f\\u0069leData":{"mimeType":"\\u0061pplication/pdf"}}]}', [1, 1]],
  ])('%s', (_what, body, expected) => {
    expect(count(body)).toEqual(expected);
  });

  it('however deep', () => {
    expect(count(`${'{"a":['.repeat(60)}{"type":"image","source":{"media_type":"image/png"}}${']}'.repeat(60)}`)).toEqual([1, 0]);
  });
});
