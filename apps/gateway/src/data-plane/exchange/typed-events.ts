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
  ping: ': keep-alive\n\n',
};

/** OpenAI's speech, pictures and transcriptions: the last event says `done` or `completed`, and the usage. */
function toWorkEvents(ends: readonly string[], format: WireFormat): TypedEvents {
  return {
    toMeaning(type) {
      if (ends.includes(type)) return 'end';
      return type === 'error' || type.endsWith('.error') || type.endsWith('.failed') ? 'error' : 'text';
    },
    readUsage: (event, type) => (ends.includes(type) ? readFormatUsage(format, readMember(event, 'usage')) : null),
    ping: ': keep-alive\n\n',
  };
}

const speechEvents = toWorkEvents(['speech.audio.done'], 'openai-speech');
const imageEvents = toWorkEvents(['image_generation.completed', 'image_edit.completed'], 'openai-images');
const transcriptEvents = toWorkEvents(['transcript.text.done'], 'openai-transcriptions');

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

