import { type AnswerPart, type ConversationAnswer, type ToolCallPart } from '../conversation';
import { JsonObject } from '../json-object';
import { toMadeId } from '../to-portable-id';
import { readReasoning } from './reasoning-details';
import { readChatUsage } from './read-usage';
import { readFinishReason } from './stop-reason';

/**
 * Reads an answer of an upstream that speaks OpenAI's chat dialect. The first choice is the answer.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError upstream_error
 */
export function readChatAnswer(body: unknown): ConversationAnswer {
  const answer = JsonObject.of(body, '', 'upstream');
  const choice = answer.findObjects('choices')?.[0];
  if (choice === undefined) throw answer.fault('choices', 'must hold an answer');
  const message = choice.getObject('message');
  const id = answer.findText('id') ?? '';
  const calls = (message.findObjects('tool_calls') ?? []).map((call, index) => readToolCall(call, `${id}:${index}`));
  const text = message.findText('content') ?? '';
  const refusal = message.findText('refusal') ?? '';
  const parts: AnswerPart[] = [...readReasoning(message)];
  if (text !== '') parts.push({ type: 'text', text });
  if (refusal !== '') parts.push({ type: 'refusal', text: refusal });
  return {
    id,
    model: answer.findText('model') ?? '',
    parts: [...parts, ...calls],
    stopReason: readFinishReason(choice.findText('finish_reason'), calls.length > 0, refusal !== ''),
    stopSequence: null,
    usage: readChatUsage(answer.find('usage')),
  };
}

/** Some servers give the arguments as an object, and some give no id. */
function readToolCall(call: JsonObject, seed: string): ToolCallPart {
  const called = call.getObject('function');
  const given = called.find('arguments');
  const argumentsJson = given === null || typeof given === 'string' ? (given ?? '') : JSON.stringify(given);
  const id = call.findText('id') ?? '';
  return { type: 'tool_call', id: id === '' ? toMadeId(seed) : id, name: called.getText('name'), argumentsJson: argumentsJson.trim() === '' ? '{}' : argumentsJson };
}
