import { type Readable } from 'node:stream';
import { type Voice } from './voice';

/** Divisible by three, so that no padding stands inside: 64 KB of base64 at a time. */
const PIECE_BYTES = 48 * 1024;

/** A speech request that carries its voice's recording, written piece by piece. */
export interface ReferenceBody {
  readonly contentLength: number;
  /**
   * The body's bytes, at most 64 KB at a time.
   * @param content the recording, from its beginning; once for each try
   * @throws Error when it has not exactly as many bytes as the voice
   */
  write(content: Readable): AsyncGenerator<Buffer>;
}

/**
 * Puts a voice into a speech request of vLLM-Omni's Qwen3-TTS
 * (https://docs.vllm.ai/projects/vllm-omni/en/stable/serving/speech_api/): the recording as a data
 * URI in `ref_audio`, and `ref_text`, or `x_vector_only_mode` where nobody said what is spoken. The
 * service keeps nothing, so it may restart and forget.
 * @param request a JSON object without `voice`, `task_type`, `ref_audio`, `ref_text` and `x_vector_only_mode`
 */
export function toReferenceBody(request: object, voice: Pick<Voice, 'mediaType' | 'bytes' | 'refText'>): ReferenceBody {
  const spoken = voice.refText === null ? { x_vector_only_mode: true } : { ref_text: voice.refText };
  const json = JSON.stringify({ ...request, task_type: 'Base', ...spoken, ref_audio: `data:${voice.mediaType};base64,` });
  // Cut before the last quote and brace: the recording goes between.
  const head = Buffer.from(json.slice(0, -2));
  const tail = Buffer.from('"}');
  return {
    contentLength: head.length + 4 * Math.ceil(voice.bytes / 3) + tail.length,
    async *write(content) {
      yield head;
      yield* toBase64(content, voice.bytes);
      yield tail;
    },
  };
}

async function* toBase64(content: Readable, expectedBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Its length was promised in the request's head: more of it would be read as another request.
    if (bytes > expectedBytes) break;
    const joined = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = joined.length - (joined.length % 3);
    for (let offset = 0; offset < whole; offset += PIECE_BYTES) {
      yield Buffer.from(joined.toString('base64', offset, Math.min(offset + PIECE_BYTES, whole)), 'latin1');
    }
    rest = joined.subarray(whole);
  }
  if (bytes !== expectedBytes) throw new Error(`a voice of ${expectedBytes} bytes came with ${bytes}`);
  if (rest.length > 0) yield Buffer.from(rest.toString('base64'), 'latin1');
}
