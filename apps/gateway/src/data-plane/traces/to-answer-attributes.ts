import { type SpanAttributes } from '@weir/platform';
import { type ToldAnswer } from '../exchange/told-answer';
import { toFinishReason } from './to-finish-reason';
import { toShownWord } from './shown-text';

/** What an upstream says of its answer. Why it ended is known where it was told in another dialect. */
export function toAnswerAttributes(told: ToldAnswer | null): SpanAttributes {
  const attributes: SpanAttributes = {};
  if (told === null) return attributes;
  const id = told.id === null ? null : toShownWord(told.id);
  const model = toShownWord(told.model);
  if (id !== null) attributes['gen_ai.response.id'] = id;
  if (model !== null) attributes['gen_ai.response.model'] = model;
  if (told.stopReason !== null) attributes['gen_ai.response.finish_reasons'] = [toFinishReason(told.stopReason)];
  return attributes;
}
