import { Readable } from 'node:stream';
import { MultipartEncoder, type OutgoingPart } from './multipart-encoder';

const sample = (content: string, bytes = content.length): OutgoingPart => ({
  kind: 'file',
  name: 'file',
  filename: 'a"\r\nb.wav',
  mediaType: 'audio/wav',
  bytes,
  open: () => Readable.from([Buffer.from(content)], { objectMode: false }),
});

async function read(encoder: MultipartEncoder): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of encoder.body()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('MultipartEncoder', () => {
  it('writes a form byte for byte, with nothing that could end a head', async () => {
    const encoder = new MultipartEncoder([{ kind: 'text', name: 'model', value: 'whisper-1' }, sample('RIFF')], 'edge');
    expect(encoder.contentType).toBe('multipart/form-data; boundary=edge');
    expect(await read(encoder)).toBe(
      '--edge\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n' +
        '--edge\r\ncontent-disposition: form-data; name="file"; filename="a%22%0D%0Ab.wav"\r\ncontent-type: audio/wav\r\n\r\nRIFF\r\n' +
        '--edge--\r\n',
    );
  });

  it('knows its length before, and writes the same again for a retry', async () => {
    const encoder = new MultipartEncoder([sample('RIFF…'.repeat(10), Buffer.byteLength('RIFF…'.repeat(10))), { kind: 'text', name: 'prompt', value: 'naïve' }]);
    const first = await read(encoder);
    expect(Buffer.byteLength(first)).toBe(encoder.contentLength);
    expect(await read(encoder)).toBe(first);
    const empty = new MultipartEncoder([]);
    expect(Buffer.byteLength(await read(empty))).toBe(empty.contentLength);
  });

  it('is read back by the platform as it was meant', async () => {
    const encoder = new MultipartEncoder([{ kind: 'text', name: 'model', value: 'whisper-1' }, sample('RIFF')]);
    const form = await new Response(await read(encoder), { headers: { 'content-type': encoder.contentType } }).formData();
    expect([form.get('model'), await (form.get('file') as File).text()]).toEqual(['whisper-1', 'RIFF']);
  });

  it.each([['shorter', 5], ['longer', 3]])('breaks off where a file is %s than was promised', async (_what, bytes) => {
    await expect(read(new MultipartEncoder([sample('RIFF', bytes)]))).rejects.toThrow(`a file of ${bytes} bytes`);
  });
});
