import { parseCount, type UsageUnits, zeroUsage } from '@weir/kernel';
import { isJsonObject } from '../dialects/json-object';
import { readInputOutputTokens } from '../read-input-output-tokens';

/**
 * What a whole answer with pictures used: the pictures in it, and tokens where they are told
 * (`usage {input_tokens, output_tokens, input_tokens_details}` of OpenAI's gpt-image models).
 * Null when it holds no pictures, or a `usage` that cannot be.
 */
export function readImagesUsage(answer: unknown): UsageUnits | null {
  if (!isJsonObject(answer) || !Array.isArray(answer.data)) return null;
  const images = parseCount(answer.data.length);
  const usage = answer.usage == null ? toCall() : readInputOutputTokens(answer.usage);
  if (usage === null || images === null || images === 0) return null;
  return { ...usage, images };
}

/**
 * What one event of a stream of pictures says: one picture and its tokens for `image_generation.completed`
 * and `image_edit.completed`, null for all others. The events of a stream are added up: each is one picture.
 */
export function readImageEventUsage(event: unknown): UsageUnits | null {
  if (!isJsonObject(event) || (event.type !== 'image_generation.completed' && event.type !== 'image_edit.completed')) return null;
  const usage = event.usage == null ? toCall() : readInputOutputTokens(event.usage);
  return usage === null ? null : { ...usage, images: 1 };
}

function toCall(): UsageUnits {
  const units = zeroUsage();
  units.requests = 1;
  return units;
}
