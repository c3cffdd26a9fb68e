import { type WireFormat } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { ChatRelay } from './chat-relay';
import { type EventRelay } from './event-relay';
import { GeminiRelay } from './gemini-relay';
import { TypedEventRelay } from './typed-event-relay';
import { findTypedEvents } from './typed-events';

/** What passes a stream of a format to a caller who speaks it. */
export function openPassingRelay(format: WireFormat, wantsUsage: boolean, response: AnswerSink, begin: () => void): EventRelay {
  if (format === 'gemini') return new GeminiRelay(response, begin);
  const events = findTypedEvents(format);
  return events === null ? new ChatRelay(response, begin, wantsUsage) : new TypedEventRelay(response, begin, format, events);
}
