import { type PartStart } from '../conversation';
import { toMadeId } from '../to-portable-id';
import { toEncryptedContent } from './reasoning-item';

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** A part of an answer as an output item of its own. */
export interface OutputItem {
  readonly id: string;
  readonly index: number;
  readonly start: PartStart;
  /** The caller's name for the call; empty for what is no call. */
  readonly callId: string;
}

const ID_PREFIXES: Readonly<Record<PartStart['type'], string>> = { text: 'msg', refusal: 'msg', reasoning: 'rs', tool_call: 'fc' };

/** Makes the items of one answer. */
export class OutputItems {
  private readonly callIds = new Set<string>();

  constructor(private readonly key: string) {}

  create(index: number, start: PartStart): OutputItem {
    return { id: `${ID_PREFIXES[start.type]}_${this.key}${index.toString(16).padStart(4, '0')}`, index, start, callId: start.type === 'tool_call' ? this.toCallId(start.id, index) : '' };
  }

  /** Servers exist that give several calls one id; OpenAI's client breaks on it, and results would be mixed up. */
  private toCallId(id: string, index: number): string {
    const callId = this.callIds.has(id) ? toMadeId(`${id}:${index}`) : id;
    this.callIds.add(callId);
    return callId;
  }
}

/** A message's content part; `textJson` is the JSON text of its text. */
export function toContentJson(type: 'text' | 'refusal', textJson: string): string {
  return type === 'text' ? `{"type":"output_text","text":${textJson},"annotations":[],"logprobs":[]}` : `{"type":"refusal","refusal":${textJson}}`;
}

export function toSummaryJson(textJson: string): string {
  return `{"type":"summary_text","text":${textJson}}`;
}

/**
 * An item as JSON text.
 * @param contentJson what it holds, as JSON: a message's content part, a reasoning's summary part, or
 *   the text of a call's arguments; empty for a message or reasoning that holds nothing yet
 * @param signature of a reasoning
 */
export function toItemJson({ id, start, callId }: OutputItem, status: ItemStatus, contentJson: string, signature: string | null): string {
  switch (start.type) {
    case 'text':
    case 'refusal':
      return `{"id":"${id}","type":"message","status":"${status}","role":"assistant","content":[${contentJson}]}`;
    case 'reasoning': {
      const encrypted = JSON.stringify(toEncryptedContent({ signature, redactedData: start.redactedData }));
      // No status: sent back with one, OpenAI's own models have refused the item.
      return `{"id":"${id}","type":"reasoning","summary":[${contentJson}],"encrypted_content":${encrypted}}`;
    }
    case 'tool_call':
      return `{"id":"${id}","type":"function_call","status":"${status}","call_id":${JSON.stringify(callId)},"name":${JSON.stringify(start.name)},"arguments":${contentJson}}`;
  }
}
