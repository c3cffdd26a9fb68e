import { toRefusal } from '../dialects/json-object';
import { DEFAULT_SPEECH_FORMAT, type SpeechFormat, toSpeechContentType } from './speech-format';
import { type SpeechRequest } from './read-speech-request';

/** What a speech server of one's own makes of OpenAI's request. */
export interface SpeechQuirks {
  /** Code points of one request. */
  readonly maxInputCharacters: number;
  /** The formats that it makes; the first where the caller does not say and mp3 is not among them. */
  readonly formats: readonly SpeechFormat[];
  /** Those that it sends while it speaks, as events or as bytes; empty where it speaks first. */
  readonly streamFormats: readonly SpeechFormat[];
  readonly takesSpeed: boolean;
  readonly takesInstructions: boolean;
  readonly requiresVoice: boolean;
}

export interface UpstreamSpeech {
  readonly body: object;
  readonly format: SpeechFormat;
  /** Of the answer. */
  readonly contentType: string;
}

/**
 * Says a speech request to a server of one's own. The format is always said: servers have other
 * defaults than OpenAI. What the server would overlook is refused.
 * @param upstreamVoice the server's name for the caller's voice; null to hand on the caller's word
 * @throws WeirError invalid_request that names the field
 */
export function toUpstreamSpeech(request: SpeechRequest, quirks: SpeechQuirks, upstreamModel: string, upstreamVoice: string | null): UpstreamSpeech {
  const format = toFormat(request, quirks);
  const voice = upstreamVoice ?? request.voice;
  if (voice === null && quirks.requiresVoice) throw toRefusal('voice', 'is required');
  if (!quirks.takesSpeed && request.speed !== 1) throw toRefusal('speed', 'cannot be changed for this model');
  if (!quirks.takesInstructions && request.instructions !== null) throw toRefusal('instructions', 'are not taken by this model');
  if (request.characters > quirks.maxInputCharacters) throw toRefusal('input', `may have at most ${quirks.maxInputCharacters} characters`);
  return {
    body: {
      ...withoutStream(request.others),
      model: upstreamModel,
      input: request.input,
      ...(voice === null ? {} : { voice }),
      response_format: format,
      ...(request.speed === 1 ? {} : { speed: request.speed }),
      ...(request.instructions === null ? {} : { instructions: request.instructions }),
      ...toStreaming(request, quirks, format),
    },
    format,
    contentType: request.isEvents ? 'text/event-stream' : toSpeechContentType(format),
  };
}

function toFormat({ format }: SpeechRequest, { formats }: SpeechQuirks): SpeechFormat {
  if (format === null) return formats.includes(DEFAULT_SPEECH_FORMAT) ? DEFAULT_SPEECH_FORMAT : formats[0];
  if (!formats.includes(format)) throw toRefusal('response_format', `must be one of these for this model: ${formats.join(', ')}`);
  return format;
}

/**
 * Bytes are asked for as they come wherever the server has that; OpenAI's `stream_format: "audio"` goes
 * without saying, and is refused by servers in formats that they cannot stream.
 */
function toStreaming({ isEvents, speed }: SpeechRequest, { streamFormats }: SpeechQuirks, format: SpeechFormat): object {
  const canStream = streamFormats.includes(format);
  if (canStream && isEvents) return { stream_format: 'sse' };
  // Older servers change the speed only of sound that is finished.
  if (!isEvents) return canStream && speed === 1 ? { stream_format: 'audio' } : {};
  throw streamFormats.length === 0
    ? toRefusal('stream_format', 'may not be sse for this model')
    : toRefusal('response_format', `must be one of these for stream_format sse: ${streamFormats.join(', ')}`);
}

/** Said by `stream_format` instead. */
function withoutStream(others: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(others).filter(([name]) => name !== 'stream'));
}
