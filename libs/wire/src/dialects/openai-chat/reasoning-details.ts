import { type ReasoningPart } from '../conversation';
import { type JsonObject } from '../json-object';

/**
 * OpenAI's chat dialect has no words for thinking. The member `reasoning_details`, an array of
 * `{type: "reasoning.text", text, signature, index}` and `{type: "reasoning.encrypted", data, index}`,
 * is OpenRouter's; clients send it back with the message, and so signatures survive the way through
 * the caller. `reasoning` (vLLM, OpenRouter) and `reasoning_content` (DeepSeek, older vLLM) are text only.
 */
export interface ReasoningDetail {
  readonly type: 'reasoning.text' | 'reasoning.encrypted';
  readonly text?: string;
  readonly signature?: string;
  readonly data?: string;
  readonly index: number;
}

export function toReasoningDetails(parts: readonly ReasoningPart[]): ReasoningDetail[] {
  return parts.map(({ text, signature, redactedData }, index) => {
    if (redactedData !== null) return { type: 'reasoning.encrypted', data: redactedData, index };
    return { type: 'reasoning.text', text, ...(signature === null ? {} : { signature }), index };
  });
}

/** The thinking in a message, whichever member holds it. */
export function readReasoning(message: JsonObject): readonly ReasoningPart[] {
  const details = message.findObjects('reasoning_details') ?? [];
  if (details.length > 0) return readDetails(details);
  const text = message.findText('reasoning') ?? message.findText('reasoning_content') ?? '';
  return text === '' ? [] : [{ type: 'reasoning', text, signature: null, redactedData: null }];
}

/**
 * Entries with the same index are pieces of one: clients that collect a stream send them back as they
 * came. Entries of other types are dropped.
 */
function readDetails(details: readonly JsonObject[]): readonly ReasoningPart[] {
  const parts: ReasoningPart[] = [];
  let lastIndex: number | null = null;
  for (const detail of details) {
    const index = detail.findInteger('index', 0, 1_000_000);
    const type = detail.findText('type');
    if (type === 'reasoning.encrypted') {
      parts.push({ type: 'reasoning', text: '', signature: null, redactedData: detail.getText('data') });
      lastIndex = null;
    } else if (type === 'reasoning.text') {
      const text = detail.findText('text') ?? '';
      const signature = detail.findText('signature') || null;
      const open = index !== null && index === lastIndex ? parts.pop() : undefined;
      parts.push({ type: 'reasoning', text: (open?.text ?? '') + text, signature: signature ?? open?.signature ?? null, redactedData: null });
      lastIndex = index;
    }
  }
  return parts;
}
