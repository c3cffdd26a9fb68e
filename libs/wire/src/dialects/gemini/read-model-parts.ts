import { type AnswerPart, type ReasoningPart } from '../conversation';
import { type JsonObject } from '../json-object';
import { FOREIGN_CALL_SIGNATURE, openSealedSignature, toOwnSignature, type SealedThinking, toSignaturePart } from './signatures';

export interface ModelPartOptions {
  /** An id for a call that has none: Google's older models give none. */
  readonly toCallId: (callNumber: number) => string;
  /** What to make of a part that is not known: a refusal for a caller, nothing for an upstream. */
  readonly onUnknown: (part: JsonObject) => void;
}

/**
 * Reads the parts of a model's turn, of an answer or of a caller's history. Thoughts, and texts, that
 * follow each other without a signature are pieces of one: clients send a streamed answer back as it
 * came. A signature is kept at its place (signatures.ts).
 * @param parts in camelCase
 * @throws WeirError
 */
export function readModelParts(parts: readonly JsonObject[], options: ModelPartOptions): AnswerPart[] {
  const collector = new PartCollector(options);
  for (const part of parts) collector.add(part);
  return collector.parts;
}

class PartCollector {
  readonly parts: AnswerPart[] = [];
  private callCount = 0;
  /** The last part has no signature, so that the next piece of its kind belongs to it. */
  private isOpen = false;

  constructor(private readonly options: ModelPartOptions) {}

  add(part: JsonObject): void {
    const signature = part.findText('thoughtSignature') ?? '';
    if (part.has('functionCall')) this.addCall(part, signature);
    else if (part.findFlag('thought') === true) this.addThought(part.findText('text') ?? '', signature);
    else if (part.has('text')) this.addText(part.getText('text'), signature);
    else if (signature !== '' && part.names.every((name) => name === 'thoughtSignature' || name === 'thought')) this.addText('', signature);
    else this.options.onUnknown(part);
  }

  private addCall(part: JsonObject, signature: string): void {
    const call = part.getObject('functionCall');
    const number = this.callCount;
    this.callCount += 1;
    if (signature !== '' && signature !== FOREIGN_CALL_SIGNATURE) this.addSignature(number, signature);
    this.isOpen = false;
    this.parts.push({
      type: 'tool_call',
      id: call.findText('id') || this.options.toCallId(number),
      name: call.getText('name'),
      argumentsJson: JSON.stringify(call.findRecord('args') ?? {}),
    });
  }

  private addText(text: string, signature: string): void {
    if (signature !== '') {
      // Google wants a signed part back by itself, so it is joined with none.
      if (text !== '') this.parts.push({ type: 'text', text });
      this.addSignature(text === '' ? 'part' : 'text', signature);
      this.isOpen = false;
    } else if (text !== '') {
      const last = this.isOpen ? this.parts.at(-1) : undefined;
      if (last?.type === 'text') this.parts[this.parts.length - 1] = { type: 'text', text: last.text + text };
      else this.parts.push({ type: 'text', text });
      this.isOpen = true;
    }
  }

  private addThought(text: string, signature: string): void {
    const last = this.isOpen ? this.parts.at(-1) : undefined;
    const before = last?.type === 'reasoning' ? last.text : '';
    if (last?.type === 'reasoning') this.parts.pop();
    const sealed = signature === '' ? null : openSealedSignature(signature);
    if (sealed !== null) this.parts.push(...toSealedParts(before + text, sealed));
    else if (before + text + signature !== '') {
      this.parts.push({ type: 'reasoning', text: before + text, signature: signature === '' ? null : toOwnSignature('thought', signature), redactedData: null });
    }
    this.isOpen = signature === '';
  }

  private addSignature(place: 'text' | 'part' | number, signature: string): void {
    const sealed = openSealedSignature(signature);
    if (sealed === null) this.parts.push(toSignaturePart(place, signature));
    else this.parts.push(...toSealedParts('', sealed));
  }
}

/** Another provider's thinking, as it was. What stands before the signed text was never signed. */
function toSealedParts(shown: string, { signature, redactedData, text, textLength }: SealedThinking): ReasoningPart[] {
  const signedLength = redactedData !== undefined ? 0 : Math.min(textLength ?? shown.length, shown.length);
  const unsigned = shown.slice(0, shown.length - signedLength);
  return [
    ...(unsigned === '' ? [] : [{ type: 'reasoning', text: unsigned, signature: null, redactedData: null } as const]),
    redactedData !== undefined
      ? { type: 'reasoning', text: '', signature: null, redactedData }
      : { type: 'reasoning', text: text ?? shown.slice(shown.length - signedLength), signature: signature ?? null, redactedData: null },
  ];
}
