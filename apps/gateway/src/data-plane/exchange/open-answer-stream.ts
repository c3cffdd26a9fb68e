import { type WireFormat } from '@weir/wire';
import { RawRelay } from '../proxy/raw-relay';
import { openUsageObserver } from '../proxy/usage-observer';
import { type AnswerStream } from './answer-stream';
import { ByteRelay } from './byte-relay';
import { CALLER_DIALECTS, isDialect } from './caller-dialects';
import { type ExchangeContext } from './exchange-context';
import { openPassingRelay } from './open-passing-relay';
import { TranslatedRelay } from './translated-relay';
import { UPSTREAM_DIALECTS } from './upstream-dialects';

const EVENT_STREAM = 'text/event-stream; charset=utf-8';
const SOUND = /^(?:audio\/[\w.+-]{1,60}|application\/octet-stream)$/;

/**
 * What carries an answer to the caller while it still comes; null where it is to be collected first.
 * @param upstreamFormat what the upstream was asked in
 * @param mediaType of the answer, in lower case
 * @param begin writes the head of the answer
 */
export function openAnswerStream(call: ExchangeContext, upstreamFormat: WireFormat, mediaType: string, begin: (contentType: string) => void): AnswerStream | null {
  const { facts, response, definition, raw } = call;
  if (raw !== null) return new RawRelay(response, () => begin(mediaType), raw.format === null ? null : openUsageObserver(raw.format, mediaType));
  if (facts.isStream) return mediaType === 'text/event-stream' ? openEventStream(call, upstreamFormat, () => begin(EVENT_STREAM)) : null;
  if (definition.answers === 'bytes' && SOUND.test(mediaType)) return new ByteRelay(response, () => begin(mediaType));
  return null;
}

function openEventStream(call: ExchangeContext, upstreamFormat: WireFormat, begin: () => void): AnswerStream | null {
  const { facts, response } = call;
  if (upstreamFormat !== facts.format && facts.operation === 'chat') {
    if (!isDialect(upstreamFormat) || !isDialect(facts.format)) return null;
    const reader = UPSTREAM_DIALECTS[upstreamFormat]?.openReader(call.speech);
    return reader === undefined ? null : new TranslatedRelay(response, begin, reader, CALLER_DIALECTS[facts.format].openWriter(call.speech));
  }
  const relay = openPassingRelay(facts.format, facts.wantsStreamUsage, response, begin);
  relay.wantsTold = call.wantsTold;
  return relay;
}
