import { parseDemoChatRequest, toDemoChatAnswer, toDemoChatChunks } from '@weir/providers';

export interface ChatEventOptions {
  readonly model?: string;
  /** What the usage says: an object as it stands, or null for a provider that sends none. */
  readonly usage?: object | null;
  /** On a chunk of its own with `choices: []` (OpenAI), or on the chunk with the finish reason. */
  readonly usageOn?: 'own-chunk' | 'finish-chunk';
  /** False leaves the `[DONE]` out. */
  readonly done?: boolean;
}

export const NEGATIVE_USAGE = { prompt_tokens: -5, completion_tokens: -1, total_tokens: -6 };
export const ABSURD_USAGE = { prompt_tokens: 9e18, completion_tokens: 1e300, total_tokens: 'many' };
export const DONE_EVENT = 'data: [DONE]\n\n';

const STAMP = { id: 'chatcmpl-scripted', createdSeconds: 1_763_600_000 };

const toRequest = (text: string, model: string) =>
  parseDemoChatRequest({ model, messages: [{ role: 'user', content: text }], stream: true, stream_options: { include_usage: true } });

export const toEvent = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/** A whole chat answer that says `text`. */
export function chatAnswer(text: string, model = 'gpt-simulated') {
  return toDemoChatAnswer(toRequest(text, model), STAMP);
}

/** The events of a chat stream that says `text`: role, a few characters each, finish reason, usage, `[DONE]`. */
export function chatEvents(text: string, options: ChatEventOptions = {}): string[] {
  const request = toRequest(text, options.model ?? 'gpt-simulated');
  const chunks: object[] = [...toDemoChatChunks(request, STAMP)];
  const usageChunk = chunks.pop();
  const usage = options.usage === undefined ? toDemoChatAnswer(request, STAMP).usage : options.usage;
  if (usage !== null) {
    if (options.usageOn === 'finish-chunk') chunks.push({ ...chunks.pop(), usage });
    else chunks.push({ ...usageChunk, usage });
  }
  const events = chunks.map(toEvent);
  return options.done === false ? events : [...events, DONE_EVENT];
}

/** As Azure streams: filter results first, without id and model, and a filter chunk without delta at the end. */
export function azureChatEvents(text: string, options: ChatEventOptions = {}): string[] {
  const safe = { hate: { filtered: false, severity: 'safe' } };
  const first = {
    choices: [],
    created: 0,
    id: '',
    model: '',
    object: '',
    prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
  };
  const filtered = {
    choices: [
      {
        index: 0,
        finish_reason: null,
        content_filter_results: safe,
        content_filter_offsets: { check_offset: 0, start_offset: 0, end_offset: text.length },
      },
    ],
    created: 0,
    id: '',
    model: '',
    object: '',
  };
  const events = chatEvents(text, options);
  return [toEvent(first), ...events.slice(0, 2), toEvent(filtered), ...events.slice(2)];
}

/** An error in the middle of a stream, as OpenAI sends it. */
export function errorEvent(message = 'The server had an error.', code: string | null = null): string {
  return toEvent({ error: { message, type: 'server_error', param: null, code } });
}
