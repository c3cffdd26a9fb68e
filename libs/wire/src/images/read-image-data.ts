import { type MediaSource } from '../dialects';
import { toRefusal } from '../dialects/json-object';
import { findMediaType, readBase64, readMediaUrl } from '../dialects/media';

type ImageData = Extract<MediaSource, { type: 'base64' }>;

/** What a GPU service can open, and of which Weir knows the first bytes. */
const IMAGE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/**
 * Reads a picture for a GPU service: a data URI, or base64 alone. URLs are refused, those of the web
 * too: the service would fetch them from inside the operator's network.
 * @param field as the caller calls it
 * @throws WeirError invalid_request
 */
export function readImageData(value: string, field: string): ImageData {
  if (SCHEME.test(value) && !/^data:/i.test(value)) {
    throw toRefusal(field, 'must be a data URI or base64: pictures are not fetched from a URL');
  }
  const source = SCHEME.test(value) ? readMediaUrl(value, field) : readBareBase64(value, field);
  if (source.type !== 'base64' || !IMAGE_TYPES.includes(source.mediaType)) {
    throw toRefusal(field, 'must be a PNG, JPEG, GIF or WebP picture');
  }
  // A RIFF file begins like a WebP picture, and may hold sound.
  if (source.mediaType === 'image/webp' && !isWebp(source.data)) throw toRefusal(field, 'is not of the type that it declares');
  return source;
}

function readBareBase64(data: string, field: string): MediaSource {
  const mediaType = findMediaType(data);
  if (mediaType === null) throw toRefusal(field, 'must be a data URI, or base64 of a PNG, JPEG, GIF or WebP picture');
  return readBase64(mediaType, data, field);
}

function isWebp(data: string): boolean {
  return Buffer.from(data.slice(0, 16), 'base64').toString('latin1', 8, 12) === 'WEBP';
}
