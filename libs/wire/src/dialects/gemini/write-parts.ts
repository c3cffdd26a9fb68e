import { isJsonObject } from '../json-object';
import { parseExactJson } from '../parse-exact-json';

/** A part of a content, as far as Weir writes any. */
export interface GeminiPart {
  text?: string;
  thought?: true;
  thoughtSignature?: string;
  inlineData?: { mimeType: string; data: string };
  fileData?: { mimeType?: string; fileUri: string };
  functionCall?: { id: string; name: string; args: unknown };
  functionResponse?: { id: string; name: string; response: object; parts?: GeminiPart[] };
}

/** Gemini has arguments as an object. A model of another provider may write none; the caller's program sees it, and can say so. */
export function toArguments(json: string): unknown {
  try {
    const parsed = parseExactJson(json);
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Told below.
  }
  return { INVALID_JSON: json };
}
