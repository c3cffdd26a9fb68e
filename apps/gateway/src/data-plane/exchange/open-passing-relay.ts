import { type ServerResponse } from 'node:http';
import { type WireFormat } from '@weir/wire';
import { ChatRelay } from './chat-relay';
import { type EventRelay } from './event-relay';
import { GeminiRelay } from './gemini-relay';
import { TypedEventRelay } from './typed-event-relay';
import { findTypedEvents } from './typed-events';

/** What passes a stream of a format to a caller who speaks it. */
export function openPassingRelay(format: WireFormat, wantsUsage: boolean, response: ServerResponse, begin: () => void): EventRelay {
  if (format === 'gemini') return new GeminiRelay(response, begin);
  const events = findTypedEvents(format);
  return events === null ? new ChatRelay(response, begin, wantsUsage) : new TypedEventRelay(response, begin, format, events);
}
