import { JsonObject } from '../dialects/json-object';

/** OpenAI's limits (https://platform.openai.com/docs/api-reference/images). */
export const MAX_IMAGES = 10;
export const MAX_IMAGE_PROMPT_CHARACTERS = 32_000;
/** A picture of this width and height is larger than any model makes. */
const MAX_IMAGE_SIDE = 8192;
const SIZE = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/;

/** What is known of pictures before they are made. */
export interface ImagesFacts {
  /** How many pictures are asked for. */
  readonly images: number;
  /** In pixels; null for `auto`, or when the caller did not say. */
  readonly size: { readonly width: number; readonly height: number } | null;
  readonly responseFormat: 'url' | 'b64_json' | null;
  readonly isStream: boolean;
}

/**
 * Checks a caller's request for pictures (`POST /v1/images/generations`). Members that are not known
 * pass: servers have many of their own.
 * @throws WeirError invalid_request that names the field
 */
export function readImagesRequest(body: unknown): ImagesFacts {
  const request = JsonObject.of(body, '', 'caller');
  const prompt = request.getText('prompt');
  if (prompt.trim() === '') throw request.fault('prompt', 'must not be empty');
  if (prompt.length > MAX_IMAGE_PROMPT_CHARACTERS) throw request.fault('prompt', `may have at most ${MAX_IMAGE_PROMPT_CHARACTERS} characters`);
  request.findInteger('partial_images', 0, 3);
  return {
    images: request.findInteger('n', 1, MAX_IMAGES) ?? 1,
    size: readSize(request),
    responseFormat: request.findChoice('response_format', ['url', 'b64_json']),
    isStream: request.findFlag('stream') ?? false,
  };
}

function readSize(request: JsonObject): ImagesFacts['size'] {
  const text = request.findText('size');
  if (text === null || text === 'auto') return null;
  const match = SIZE.exec(text);
  const [width, height] = match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
  if (width === 0 || width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE) {
    throw request.fault('size', `must be auto, or width and height in pixels up to ${MAX_IMAGE_SIDE}: 1024x1024`);
  }
  return { width, height };
}
