import { type JsonScanner, readAnthropicUsage, readFormatUsage, readResponsesEventUsage, toAnthropicUsage, toResponsesEventFacts, type WireFormat } from '@weir/wire';
import { type TypedEvents } from './typed-event-relay';

const ANTHROPIC_TEXT = new Set(['content_block_delta', 'content_block_start']);

/** https://docs.anthropic.com/en/api/messages-streaming */
const anthropicEvents: TypedEvents = {
  toMeaning(type) {
    if (ANTHROPIC_TEXT.has(type)) return 'text';
    if (type === 'message_start' || type === 'ping') return 'start';
    return type === 'message_stop' ? 'end' : type === 'error' ? 'error' : 'other';
  },
  readUsage(event, type, earlier) {
    if (type === 'message_start') return readAnthropicUsage(Reflect.get(toObject(readMember(event, 'message')), 'usage'));
    if (type !== 'message_delta') return null;
    // Cumulative, and says only what it corrects.
    return readAnthropicUsage(readMember(event, 'usage'), earlier === null ? null : toAnthropicUsage(earlier));
  },
  endsWithBody: false,
  ping: 'event: ping\ndata: {"type":"ping"}\n\n',
};

const RESPONSES_STARTS = new Set(['response.created', 'response.queued', 'response.in_progress']);

/** https://platform.openai.com/docs/api-reference/responses-streaming */
const responsesEvents: TypedEvents = {
  toMeaning(type) {
    const { end, hasText } = toResponsesEventFacts(type);
    if (end !== null) return end === 'well' ? 'end' : 'error';
    if (hasText) return 'text';
    return RESPONSES_STARTS.has(type) ? 'start' : 'other';
  },
  readUsage: (event, type) => (toResponsesEventFacts(type).end === null ? null : readResponsesEventUsage(readMember(event, 'response'))),
  endsWithBody: false,
  ping: ': keep-alive\n\n',
};

/** OpenAI's speech and transcriptions: the last event says `done`, and the usage. */
function toWorkEvents(end: string, format: WireFormat): TypedEvents {
  return {
    toMeaning: (type) => (type === end ? 'end' : isError(type) ? 'error' : 'text'),
    readUsage: (event, type) => (type === end ? readFormatUsage(format, readMember(event, 'usage')) : null),
    endsWithBody: false,
    ping: ': keep-alive\n\n',
  };
}

const speechEvents = toWorkEvents('speech.audio.done', 'openai-speech');
const transcriptEvents = toWorkEvents('transcript.text.done', 'openai-transcriptions');

const IMAGE_ENDS = ['image_generation.completed', 'image_edit.completed'];

/** OpenAI's pictures: each of them has a last event and a usage of its own. */
const imageEvents: TypedEvents = {
  toMeaning: (type) => (IMAGE_ENDS.includes(type) ? 'end' : isError(type) ? 'error' : 'text'),
  readUsage(event, type, earlier) {
    const usage = IMAGE_ENDS.includes(type) ? readFormatUsage('openai-images', readMember(event, 'usage')) : null;
    if (usage === null) return null;
    return {
      ...usage,
      inputTokens: usage.inputTokens + (earlier?.inputTokens ?? 0),
      cachedInputTokens: usage.cachedInputTokens + (earlier?.cachedInputTokens ?? 0),
      outputTokens: usage.outputTokens + (earlier?.outputTokens ?? 0),
      images: 1 + (earlier?.images ?? 0),
    };
  },
  endsWithBody: true,
  ping: ': keep-alive\n\n',
};

function isError(type: string): boolean {
  return type === 'error' || type.endsWith('.error') || type.endsWith('.failed');
}

/** The rules of a format whose events name their types; null where it has none. */
export function findTypedEvents(format: WireFormat): TypedEvents | null {
  switch (format) {
    case 'anthropic':
      return anthropicEvents;
    case 'openai-responses':
      return responsesEvents;
    case 'openai-speech':
    case 'vllm-omni-speech':
    case 'index-tts-speech':
      return speechEvents;
    case 'openai-images':
    case 'openai-image-edits':
      return imageEvents;
    case 'openai-transcriptions':
      return transcriptEvents;
    default:
      return null;
  }
}

function readMember(event: JsonScanner, name: string): unknown {
  const member = event.findMember(name);
  return member === -1 ? undefined : event.parseMember(member);
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

