import { type AnswerPart, type ConversationAnswer, type ReasoningPart } from '../conversation';
import { toGeminiFinishReason } from './finish-reason';
import { toGeminiUsage } from './read-usage';
import { findOwnSignature, FOREIGN_CALL_SIGNATURE, toSealedSignature } from './signatures';
import { toModelParts } from './write-contents';
import { type GeminiPart } from './write-parts';

export interface GeminiAnswerOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** ConversationRequest.wantsThoughts. Without the caller's wish, thinking is sent only as far as it must come back: sealed. */
  readonly wantsThoughts?: boolean;
}

/** Writes an answer for a caller that speaks Gemini's dialect, as JSON text. */
export function writeGeminiAnswer(answer: ConversationAnswer, { model, wantsThoughts = true }: GeminiAnswerOptions): string {
  const refusal = answer.parts.flatMap((part) => (part.type === 'refusal' ? [part.text] : [])).join('');
  const parts = toAnswerParts(answer.parts, wantsThoughts);
  return JSON.stringify({
    candidates: [
      {
        // Clients drop a turn that has no part.
        content: { parts: parts.length === 0 ? [{ text: '' }] : parts, role: 'model' },
        finishReason: toGeminiFinishReason(answer.stopReason),
        ...(refusal === '' ? {} : { finishMessage: refusal }),
        index: 0,
      },
    ],
    ...(answer.usage === null ? {} : { usageMetadata: toGeminiUsage(answer.usage) }),
    modelVersion: model,
    responseId: answer.id,
  });
}

/** As a request's turn is written, with other providers' thinking besides. */
function toAnswerParts(parts: readonly AnswerPart[], wantsThoughts: boolean): GeminiPart[] {
  const written: GeminiPart[] = [];
  let run: AnswerPart[] = [];
  const finishRun = (): void => {
    written.push(...toModelParts(run, false));
    run = [];
  };
  for (const part of parts) {
    if (part.type === 'refusal') continue;
    if (part.type !== 'reasoning' || findOwnSignature(part) !== null) run.push(part);
    else {
      finishRun();
      written.push(...toThoughtParts(part, wantsThoughts));
    }
  }
  finishRun();
  const firstCall = written.find(({ functionCall }) => functionCall !== undefined);
  // Its caller may send it to Gemini itself next, in bytes that pass.
  if (firstCall !== undefined) firstCall.thoughtSignature ??= FOREIGN_CALL_SIGNATURE;
  return wantsThoughts ? written : written.map((part) => (part.thought === true && part.text !== undefined ? { ...part, text: '' } : part));
}

/** Thinking that another provider signed; what nobody signed is only to be seen. */
export function toThoughtParts({ text, signature, redactedData }: ReasoningPart, wantsThoughts: boolean): GeminiPart[] {
  if (redactedData !== null) return [{ thought: true, thoughtSignature: toSealedSignature({ redactedData }) }];
  if (!wantsThoughts) return signature === null ? [] : [{ text: '', thought: true, thoughtSignature: toSealedSignature({ text, signature }) }];
  if (signature === null) return text === '' ? [] : [{ text, thought: true }];
  return [{ text, thought: true, thoughtSignature: toSealedSignature({ signature, textLength: text.length }) }];
}
