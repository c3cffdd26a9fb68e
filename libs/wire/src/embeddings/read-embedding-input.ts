import { isJsonObject, JsonObject, toRefusal } from '../dialects/json-object';
import { readImageData } from '../images/read-image-data';
import { type EmbeddingInput } from './embedding-request';

export interface PictureInput {
  readonly image: ReturnType<typeof readImageData>;
}

/** A token's id in any vocabulary there is. */
const MAX_TOKEN_ID = 0xffff_ffff;

/**
 * One input of an embeddings request: a text, the ids of its tokens, `{text}`, or `{image}` with a data
 * URI or base64 (Jina's shape). Empty ones are refused: providers do, each in other words.
 * @param field as the caller calls it
 * @throws WeirError invalid_request
 */
export function readEmbeddingInput(value: unknown, field: string): EmbeddingInput | PictureInput {
  if (typeof value === 'string') return readText(value, field);
  if (Array.isArray(value)) return readTokens(value, field);
  if (!isJsonObject(value)) throw toRefusal(field, 'must be a string, an array of token ids, or an object with text or image');
  const item = JsonObject.of(value, field, 'caller');
  const other = item.names.find((name) => name !== 'text' && name !== 'image');
  if (other !== undefined || item.has('text') === item.has('image')) throw toRefusal(field, 'must have either text or image');
  return item.has('text') ? readText(item.getText('text'), item.pathOf('text')) : { image: readImageData(item.getText('image'), item.pathOf('image')) };
}

function readText(text: string, field: string): string {
  if (text === '') throw toRefusal(field, 'must not be empty');
  return text;
}

function readTokens(tokens: readonly unknown[], field: string): number[] {
  if (tokens.length === 0) throw toRefusal(field, 'must not be empty');
  return tokens.map((token) => {
    if (typeof token === 'number' && Number.isInteger(token) && token >= 0 && token <= MAX_TOKEN_ID) return token;
    throw toRefusal(field, 'must hold token ids: whole numbers from 0');
  });
}
