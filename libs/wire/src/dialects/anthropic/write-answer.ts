import { zeroUsage } from '@weir/kernel';
import { type AnswerPart, type ConversationAnswer } from '../conversation';
import { isJsonObject } from '../json-object';
import { parseExactJson } from '../parse-exact-json';
import { toPortableId } from '../to-portable-id';
import { toAnthropicUsage } from './read-usage';
import { toAnthropicStopReason, toStopDetails } from './stop-reason';

export interface AnthropicAnswerOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
}

/** Writes an answer for a caller that speaks Anthropic's dialect, as JSON text. */
export function writeAnthropicAnswer(answer: ConversationAnswer, { model }: AnthropicAnswerOptions): string {
  const refusal = answer.parts.flatMap((part) => (part.type === 'refusal' ? [part.text] : [])).join('');
  return JSON.stringify({
    id: answer.id,
    type: 'message',
    role: 'assistant',
    model,
    content: answer.parts.flatMap(toBlocks),
    stop_reason: toAnthropicStopReason(answer.stopReason),
    stop_sequence: answer.stopSequence,
    stop_details: toStopDetails(answer.stopReason, refusal),
    usage: toAnthropicUsage(answer.usage ?? zeroUsage()),
  });
}

function toBlocks(part: AnswerPart): object[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, citations: null }];
    case 'refusal':
      return [];
    case 'reasoning':
      if (part.redactedData !== null) return [{ type: 'redacted_thinking', data: part.redactedData }];
      return [{ type: 'thinking', thinking: part.text, signature: part.signature ?? '' }];
    case 'tool_call':
      return [{ type: 'tool_use', id: toPortableId(part.id), name: part.name, input: toInput(part.argumentsJson) }];
  }
}

/** A model of another provider may write what is no JSON object; the caller's program sees it, and can say so. */
function toInput(json: string): unknown {
  try {
    const input = parseExactJson(json);
    if (isJsonObject(input)) return input;
  } catch {
    // Told below.
  }
  return { INVALID_JSON: json };
}
