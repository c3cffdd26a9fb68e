import { type ConversationAnswer, type ReasoningPart } from '../conversation';
import { toReasoningDetails } from './reasoning-details';
import { toChatUsage } from './read-usage';
import { toFinishReason } from './stop-reason';

export interface ChatAnswerOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** OpenAI's `created`: seconds since 1970. */
  readonly createdSeconds: number;
}

/** Writes an answer for a caller that speaks OpenAI's chat dialect, as JSON text. */
export function writeChatAnswer(answer: ConversationAnswer, { model, createdSeconds }: ChatAnswerOptions): string {
  return JSON.stringify({
    id: answer.id,
    object: 'chat.completion',
    created: createdSeconds,
    model,
    choices: [{ index: 0, message: toMessage(answer), logprobs: null, finish_reason: toFinishReason(answer.stopReason) }],
    ...(answer.usage === null ? {} : { usage: toChatUsage(answer.usage) }),
  });
}

function toMessage({ parts }: ConversationAnswer): object {
  const texts = parts.filter((part) => part.type === 'text');
  const refusal = parts.flatMap((part) => (part.type === 'refusal' ? [part.text] : [])).join('');
  const reasoning = parts.filter((part): part is ReasoningPart => part.type === 'reasoning');
  const calls = parts.filter((part) => part.type === 'tool_call');
  const thought = reasoning.map(({ text }) => text).join('');
  return {
    role: 'assistant',
    // Null beside tool calls and refusals, as OpenAI has it; clients take the length of it otherwise.
    content: texts.length === 0 && (calls.length > 0 || refusal !== '') ? null : texts.map(({ text }) => text).join(''),
    refusal: refusal === '' ? null : refusal,
    ...(thought === '' ? {} : { reasoning: thought }),
    ...(reasoning.length === 0 ? {} : { reasoning_details: toReasoningDetails(reasoning) }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ id, name, argumentsJson }) => ({ id, type: 'function', function: { name, arguments: argumentsJson } })) }),
  };
}
