import { type UsageUnits } from '@weir/kernel';
import { isJsonObject } from '../dialects/json-object';
import { readInputOutputTokens } from '../read-input-output-tokens';

export type SpeechEvent =
  | { readonly type: 'delta' }
  /** The end. Usage is null where the server does not tell it. */
  | { readonly type: 'done'; readonly usage: UsageUnits | null }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'other' };

/** What the data of one event of `stream_format: "sse"` is. Servers call an error by any of these names. */
export function readSpeechEvent(event: unknown): SpeechEvent {
  if (!isJsonObject(event)) return { type: 'other' };
  if (event.error != null || event.type === 'error' || event.type === 'speech.audio.error') return { type: 'error', message: toMessage(event) };
  switch (event.type) {
    case 'speech.audio.delta':
      return { type: 'delta' };
    case 'speech.audio.done':
      return { type: 'done', usage: readInputOutputTokens(event.usage) };
    default:
      return { type: 'other' };
  }
}

function toMessage(event: Readonly<Record<string, unknown>>): string {
  const error = isJsonObject(event.error) ? event.error.message : (event.error ?? event.message);
  return typeof error === 'string' ? error : '';
}
