import { type SpanAttributes } from '@weir/platform';
import { type RequestFacts } from '../facts/request-facts';

/** What the facts of a request hold. None of it is the caller's text. */
export function toRequestAttributes({ isStream, outputCap, choiceCount, operation }: Pick<RequestFacts, 'isStream' | 'outputCap' | 'choiceCount' | 'operation'>): SpanAttributes {
  const attributes: SpanAttributes = {};
  if (isStream) attributes['gen_ai.request.stream'] = true;
  if (outputCap !== null) attributes['gen_ai.request.max_tokens'] = outputCap;
  if (choiceCount !== 1) attributes['gen_ai.request.choice.count'] = choiceCount;
  if (operation === 'speech') attributes['gen_ai.output.type'] = 'speech';
  if (operation === 'images') attributes['gen_ai.output.type'] = 'image';
  return attributes;
}
