import { parseCount, type UsageUnits, zeroUsage } from '@weir/kernel';
import { isJsonObject } from './dialects/json-object';
import { readChatUsage } from './dialects/openai-chat/read-usage';
import { readInputOutputTokens } from './read-input-output-tokens';
import { readRerankTokens } from './rerank/read-rerank-answer';
import { type WireFormat } from './wire-format';

/** A day of sound: longer is a lie. */
const MAX_MEDIA_SECONDS = 86_400;

/**
 * Reads the `usage` of an answer in a format that is not chat's. What the answer itself shows is not
 * in it: pictures are counted by readImagesUsage, documents by toRerankFacts, characters by
 * readSpeechRequest. Null when it is absent, or says what cannot be, and for formats that have none.
 */
export function readFormatUsage(format: WireFormat, usage: unknown): UsageUnits | null {
  switch (format) {
    case 'openai-completions':
    case 'openai-embeddings':
    case 'openai-moderations':
    case 'siglip2-embed':
      return readChatUsage(usage);
    case 'rerank':
      return readRerankUsage(usage);
    case 'openai-speech':
    case 'vllm-omni-speech':
    case 'index-tts-speech':
    case 'vllm-omni-images':
    case 'openai-images':
    case 'openai-image-edits':
      return readInputOutputTokens(usage);
    case 'openai-transcriptions':
    case 'openai-translations':
      return readTranscriptionUsage(usage);
    case 'raw':
    case 'anthropic-count-tokens':
    case 'gemini-embed':
    case 'gemini-embed-batch':
    case 'tei-embed':
    case 'tei-rerank':
    case 'meshes':
    case 'trellis':
    // Chat has readers of its own: its usage comes in streams and differs by dialect.
    case 'openai-chat':
    case 'openai-responses':
    case 'anthropic':
    case 'gemini':
      return null;
  }
}

function readRerankUsage(usage: unknown): UsageUnits | null {
  const inputTokens = readRerankTokens({ usage });
  if (inputTokens === null) return null;
  const units = zeroUsage();
  units.inputTokens = inputTokens;
  units.requests = 1;
  return units;
}

/** `{type: "tokens", …}`, or `{type: "duration", seconds}` of whisper-1 and most servers. */
function readTranscriptionUsage(usage: unknown): UsageUnits | null {
  if (!isJsonObject(usage)) return null;
  if (usage.type !== 'duration') return readInputOutputTokens(usage);
  const { seconds } = usage;
  if (typeof seconds !== 'number' || seconds > MAX_MEDIA_SECONDS) return null;
  const mediaMs = parseCount(Math.ceil(seconds * 1000));
  if (mediaMs === null) return null;
  const units = zeroUsage();
  units.mediaMs = mediaMs;
  units.requests = 1;
  return units;
}
