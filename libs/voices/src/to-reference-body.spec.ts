import { Readable } from 'node:stream';
import { randomBytes } from 'node:crypto';
import { toReferenceBody } from './to-reference-body';

const SPEECH = { model: 'Qwen3-TTS', input: 'Say "hé\n"', response_format: 'pcm' };

function inPieces(content: Buffer, piece: number): Readable {
  return Readable.from(
    Array.from({ length: Math.ceil(content.length / piece) }, (_, index) => content.subarray(index * piece, (index + 1) * piece)),
    { objectMode: false },
  );
}

async function write(content: Buffer, piece: number, refText: string | null = 'What I said.', bytes = content.length) {
  const body = toReferenceBody(SPEECH, { mediaType: 'audio/wav', bytes, refText });
  const chunks: Buffer[] = [];
  for await (const chunk of body.write(inPieces(content, piece))) chunks.push(chunk);
  return { text: Buffer.concat(chunks).toString(), longest: Math.max(...chunks.map(({ length }) => length)), contentLength: body.contentLength };
}

describe('toReferenceBody', () => {
  it.each([1, 2, 3, 4, 1000, 65_536])('writes the recording as a data URI, whole, when it comes in pieces of %i bytes', async (piece) => {
    for (const length of [1, 2, 3, 100, 1001]) {
      const content = randomBytes(length);
      const { text, contentLength } = await write(content, piece);
      expect(Buffer.byteLength(text)).toBe(contentLength);
      expect(JSON.parse(text)).toEqual({ ...SPEECH, task_type: 'Base', ref_text: 'What I said.', ref_audio: `data:audio/wav;base64,${content.toString('base64')}` });
    }
  });

  it('holds no more than 64 KB of it', async () => {
    const { longest } = await write(randomBytes(1_000_000), 300_000);
    expect(longest).toBeLessThanOrEqual(64 * 1024);
  });

  it("speaks by the voice's sound alone where nobody wrote down what is said", async () => {
    const { text } = await write(Buffer.from('RIFF'), 4, null);
    expect(JSON.parse(text)).toMatchObject({ x_vector_only_mode: true });
    expect(text).not.toContain('ref_text');
  });

  it.each([['shorter', 5], ['longer', 3]])('breaks off where the recording is %s than was promised', async (_what, bytes) => {
    await expect(write(Buffer.from('RIFF'), 4, null, bytes)).rejects.toThrow(`a voice of ${bytes} bytes`);
  });
});
