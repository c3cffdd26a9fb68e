import { type ReasoningPart } from '../conversation';
import { type JsonObject } from '../json-object';

/**
 * Thinking is an item of type `reasoning` here: `summary`, a text to read, and `encrypted_content`,
 * which clients keep and send back unread. So a provider's signature, or thinking that only its
 * provider can read, travels in `encrypted_content`, behind a mark that tells which of both it is. What
 * has no mark is OpenAI's own, and says nothing to anybody else.
 */
const SIGNATURE_MARK = 'weir.signature:';
const REDACTED_MARK = 'weir.redacted:';

export function toEncryptedContent({ signature, redactedData }: Pick<ReasoningPart, 'signature' | 'redactedData'>): string | null {
  if (redactedData !== null) return REDACTED_MARK + redactedData;
  return signature === null ? null : SIGNATURE_MARK + signature;
}

/** Whether an item of a caller's was made by Weir, out of what another provider signed. */
export function isWeirsReasoning({ type, encrypted_content: encrypted }: Readonly<Record<string, unknown>>): boolean {
  return type === 'reasoning' && typeof encrypted === 'string' && (encrypted.startsWith(SIGNATURE_MARK) || encrypted.startsWith(REDACTED_MARK));
}

/** The thinking of an item that a caller sends back; none where nothing of it can be used. */
export function readReasoningItem(item: JsonObject): readonly ReasoningPart[] {
  const encrypted = item.findText('encrypted_content') ?? '';
  if (encrypted.startsWith(REDACTED_MARK)) {
    return [{ type: 'reasoning', text: '', signature: null, redactedData: encrypted.slice(REDACTED_MARK.length) }];
  }
  const text = readTexts(item, 'content') || readTexts(item, 'summary');
  const signature = encrypted.startsWith(SIGNATURE_MARK) ? encrypted.slice(SIGNATURE_MARK.length) : null;
  return text === '' && signature === null ? [] : [{ type: 'reasoning', text, signature, redactedData: null }];
}

/** What Weir signs is one text; OpenAI's summaries are paragraphs. */
function readTexts(item: JsonObject, name: string): string {
  return (item.findObjects(name) ?? []).map((part) => part.getText('text')).join('\n\n');
}
