import { type ContentPart } from '../conversation';
import { type JsonObject } from '../json-object';
import { readBase64, readMediaUrl } from '../media';
import { findCamelObject } from './to-camel-object';

/** Files at Google itself: `https://generativelanguage.googleapis.com/v1beta/files/…`. */
const UPLOADED = /^https?:\/\/generativelanguage\.googleapis\.com\//i;
const IMAGE_NAME = /\.(png|jpe?g|gif|webp|heic|heif)$/i;
const PDF_NAME = /\.pdf$/i;

/**
 * Reads `inlineData` or `fileData` of a part; null when it has neither. Pictures, PDF and texts;
 * sound, films and uploaded files are refused.
 * @param part in camelCase
 * @throws WeirError invalid_request
 */
export function readGeminiMedia(part: JsonObject): ContentPart | null {
  const inline = findCamelObject(part, 'inlineData');
  if (inline !== null) return readInline(part, inline);
  const file = findCamelObject(part, 'fileData');
  return file === null ? null : readFile(part, file);
}

function readInline(part: JsonObject, inline: JsonObject): ContentPart {
  const kind = toKind(inline.getText('mimeType'));
  if (kind === null) throw toForeignType(inline);
  const source = readBase64(toBareType(inline.getText('mimeType')), toStandardBase64(inline.getText('data')), inline.pathOf('data'));
  return kind === 'image' ? { type: 'image', source, detail: null, field: part.path } : { type: 'file', source, name: inline.findText('displayName'), field: part.path };
}

function readFile(part: JsonObject, file: JsonObject): ContentPart {
  const url = file.getText('fileUri');
  if (UPLOADED.test(url)) throw file.fault('fileUri', 'cannot be translated for this model: an uploaded file is known to its own provider only');
  const source = readMediaUrl(url, file.pathOf('fileUri'));
  const mimeType = file.findText('mimeType');
  const kind = mimeType === null ? toKindOfName(url) : toKind(mimeType);
  if (kind === null) throw mimeType === null ? file.fault('mimeType', 'is required') : toForeignType(file);
  return kind === 'image' ? { type: 'image', source, detail: null, field: part.path } : { type: 'file', source, name: file.findText('displayName'), field: part.path };
}

function toKind(mimeType: string): 'image' | 'file' | null {
  const type = toBareType(mimeType);
  if (type.startsWith('image/')) return 'image';
  return type === 'application/pdf' || type.startsWith('text/') ? 'file' : null;
}

/** Without `;charset=…`. */
function toBareType(mimeType: string): string {
  return mimeType.split(';')[0].trim().toLowerCase();
}

function toKindOfName(url: string): 'image' | 'file' | null {
  const [name] = url.split(/[?#]/);
  if (IMAGE_NAME.test(name)) return 'image';
  return PDF_NAME.test(name) ? 'file' : null;
}

/** Google takes both alphabets; its Python client writes the one of URLs. */
function toStandardBase64(data: string): string {
  if (!data.includes('-') && !data.includes('_')) return data;
  const standard = data.replaceAll('-', '+').replaceAll('_', '/');
  return standard.includes('=') ? standard : standard.padEnd(Math.ceil(standard.length / 4) * 4, '=');
}

function toForeignType(holder: JsonObject): Error {
  return holder.fault('mimeType', 'must be of a picture, a PDF or a text: others cannot be translated for this model');
}
