import { type ContentPart } from '../conversation';
import { type JsonObject } from '../json-object';
import { findMediaType, readBase64, readMediaUrl } from '../media';

/**
 * Reads the content of a user's message or the output of a call: a text, or parts. Empty texts are
 * dropped. Members of a part that are not known (`prompt_cache_breakpoint`) are dropped.
 * @throws WeirError invalid_request
 */
export function readContent(holder: JsonObject, name: string): readonly ContentPart[] {
  const content = holder.find(name);
  if (content === null) throw holder.fault(name, 'is required');
  const parts: readonly ContentPart[] = typeof content === 'string' ? [{ type: 'text', text: content }] : (holder.findObjects(name) ?? []).map(readPart);
  return parts.filter((part) => part.type !== 'text' || part.text !== '');
}

function readPart(part: JsonObject): ContentPart {
  switch (part.findText('type')) {
    case 'input_text':
      return { type: 'text', text: part.getText('text') };
    case 'input_image':
      return readImage(part);
    case 'input_file':
      return readFile(part);
    default:
      throw part.fault('type', 'cannot be translated for this model');
  }
}

function readImage(part: JsonObject): ContentPart {
  assertNotUploaded(part);
  const detail = part.findChoice('detail', ['auto', 'low', 'high', 'original']);
  return { type: 'image', source: readMediaUrl(part.getText('image_url'), part.pathOf('image_url')), detail, field: part.path };
}

function readFile(part: JsonObject): ContentPart {
  assertNotUploaded(part);
  const name = part.findText('filename');
  const url = part.findText('file_url');
  if (url !== null) return { type: 'file', source: readMediaUrl(url, part.pathOf('file_url')), name, field: part.path };
  const data = part.getText('file_data');
  const field = part.pathOf('file_data');
  if (data.startsWith('data:')) return { type: 'file', source: readMediaUrl(data, field), name, field: part.path };
  const mediaType = findMediaType(data);
  if (mediaType === null) throw part.fault('file_data', 'must be a data URI, which says the type of the file');
  return { type: 'file', source: readBase64(mediaType, data, field), name, field: part.path };
}

function assertNotUploaded(part: JsonObject): void {
  if (part.has('file_id')) throw part.fault('file_id', 'cannot be translated for this model: an uploaded file is known to its own provider only');
}
