import { WeirError } from '@weir/kernel';
import { type AnswerPart, type ConversationAnswer } from '../conversation';
import { JsonObject } from '../json-object';
import { toMadeId } from '../to-portable-id';
import { readGeminiFinishReason, toBlockMessage } from './finish-reason';
import { readModelParts } from './read-model-parts';
import { readGeminiUsage } from './read-usage';

export interface GeminiAnswerReadOptions {
  /** For an answer without `responseId`: ids of calls are made of it, and must not repeat in a conversation. Weir's request id. */
  readonly fallbackId: string;
  /** Of the request. False: only the first call counts, as Gemini cannot be told so. Default: all count. */
  readonly isParallelToolUse?: boolean | null;
}

/**
 * Reads an answer of Google's `:generateContent`. The first candidate is the answer. Parts that are
 * not known (Weir asks for no tools of Google's) are dropped. A prompt that was blocked is a refusal.
 * @param body the parsed JSON (parseExactJson)
 * @throws WeirError upstream_error, also where the model wrote what Google could not read
 */
export function readGeminiAnswer(body: unknown, { fallbackId, isParallelToolUse }: GeminiAnswerReadOptions): ConversationAnswer {
  const answer = JsonObject.of(body, '', 'upstream');
  const id = answer.findText('responseId') || fallbackId;
  const head = { id, model: answer.findText('modelVersion') ?? '', stopSequence: null, usage: readGeminiUsage(answer.find('usageMetadata')) };
  const candidate = answer.findObjects('candidates')?.[0];
  if (candidate === undefined) return { ...head, parts: readBlock(answer), stopReason: 'refusal' };
  const content = candidate.findObject('content');
  const reason = candidate.findText('finishReason');
  if (content === null && reason === null) throw answer.fault('candidates', 'must hold an answer');
  const read = readModelParts(content?.findObjects('parts') ?? [], { toCallId: (number) => toMadeId(`${id}:${number}`), onUnknown: () => undefined });
  const parts = isParallelToolUse === false ? withOneCall(read) : read;
  const stopReason = readGeminiFinishReason(reason ?? 'STOP', parts.some(({ type }) => type === 'tool_call'));
  if (stopReason === 'malformed') throw new WeirError('upstream_error', { detail: `the upstream's answer: finishReason ${reason}` });
  const words = stopReason === 'refusal' ? (candidate.findText('finishMessage') ?? '') : '';
  return { ...head, parts: words === '' ? parts : [...parts, { type: 'refusal', text: words }], stopReason };
}

function readBlock(answer: JsonObject): readonly AnswerPart[] {
  const feedback = answer.findObject('promptFeedback');
  const reason = feedback?.findText('blockReason') ?? '';
  if (feedback === null || reason === '') throw answer.fault('candidates', 'must hold an answer');
  return [{ type: 'refusal', text: toBlockMessage(reason, feedback.findText('blockReasonMessage')) }];
}

/** Signatures are of the first call only, so that the rest can be left out. */
function withOneCall(parts: readonly AnswerPart[]): readonly AnswerPart[] {
  const first = parts.findIndex(({ type }) => type === 'tool_call');
  return parts.filter(({ type }, index) => type !== 'tool_call' || index === first);
}
