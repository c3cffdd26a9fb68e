import { type MediaSource } from './conversation';
import { toRefusal } from './json-object';

const DATA_URI = /^data:([a-z0-9.+-]+\/[a-z0-9.+-]+)((?:;[a-z0-9-]+=[^;,]*){0,16});base64,/i;
const WEB_URL = /^https?:\/\/[^\s/]/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** How base64 of each type begins. */
const BEGINNINGS: Readonly<Record<string, readonly string[]>> = {
  'image/png': ['iVBORw0KGgo'],
  'image/jpeg': ['/9j/'],
  'image/gif': ['R0lGODdh', 'R0lGODlh'],
  'image/webp': ['UklGR'],
  'application/pdf': ['JVBERi'],
};

/**
 * Reads a URL of a picture or file: `http(s)://…` or `data:…;base64,…`. Other schemes are refused:
 * `file://` would be read where the model runs.
 * @param field as the caller calls it
 * @throws WeirError invalid_request
 */
export function readMediaUrl(url: string, field: string): MediaSource {
  const match = DATA_URI.exec(url);
  if (match !== null) return readBase64(match[1].toLowerCase(), url.slice(match[0].length), field);
  if (WEB_URL.test(url)) return { type: 'url', url };
  throw toRefusal(field, 'must be an http or https URL, or a data URI in base64');
}

/**
 * Checks base64 of a declared type, by its beginning: a type that lies is refused here, with the
 * field's name, and not by a provider in words about another dialect.
 * @throws WeirError invalid_request
 */
export function readBase64(mediaType: string, data: string, field: string): MediaSource {
  if (data === '' || !BASE64.test(data)) throw toRefusal(field, 'must hold base64');
  // Some clients say so; no provider takes it.
  const type = mediaType === 'image/jpg' ? 'image/jpeg' : mediaType;
  const beginnings = Object.hasOwn(BEGINNINGS, type) ? BEGINNINGS[type] : null;
  if (beginnings !== null && !beginnings.some((beginning) => data.startsWith(beginning))) {
    throw toRefusal(field, 'is not of the type that it declares');
  }
  return { type: 'base64', mediaType: type, data };
}

/** The type of base64 that comes without one; null when it is not known. */
export function findMediaType(data: string): string | null {
  for (const [mediaType, beginnings] of Object.entries(BEGINNINGS)) {
    if (beginnings.some((beginning) => data.startsWith(beginning))) return mediaType;
  }
  return null;
}

export function toDataUri(source: { readonly mediaType: string; readonly data: string }): string {
  return `data:${source.mediaType};base64,${source.data}`;
}
