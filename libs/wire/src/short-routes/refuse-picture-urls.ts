import { isJsonObject, JsonObject, toRefusal } from '../dialects/json-object';
import { readImageData } from '../images/read-image-data';

const DATA_URI = /^data:[a-z0-9.+-]+\/[a-z0-9.+-]+(?:;[a-z0-9-]+=[^;,]*){0,16};base64,/i;
/** Members of a message's part that hold a picture, a film or a sound, in the words of vLLM and its like. */
const MEDIA_MEMBERS: readonly string[] = ['image', 'video', 'audio', 'image_url', 'video_url', 'audio_url', 'file_url', 'url'];

/** A list of pictures in an object is as deep as it gets. */
const MAX_DEPTH = 4;

/**
 * Refuses URLs in the messages of a chat request for a model of one's own: its server would fetch them
 * from inside the operator's network, and `file://` from its own disk. Data URIs pass; pictures among
 * them are checked against their own first bytes.
 * @param request a chat request in OpenAI's dialect
 * @throws WeirError invalid_request that names the field
 */
export function refusePictureUrls(request: JsonObject): void {
  request.findObjects('messages')?.forEach((message) => {
    const content = message.find('content');
    if (!Array.isArray(content)) return;
    content.forEach((part: unknown, index) => {
      if (isJsonObject(part)) checkPart(JsonObject.of(part, `${message.pathOf('content')}[${index}]`, 'caller'));
    });
  });
}

/**
 * The same for inputs that are told as objects: what is embedded (SGLang takes `{text, image}`) and what is
 * reranked (vLLM takes `{content: […]}` with the parts of a message). A document's `url` says where it is from.
 * @param name the list's member; anything else is no list of objects
 * @throws WeirError invalid_request that names the field
 */
export function refuseInputUrls(request: JsonObject, name: string): void {
  const items = request.find(name);
  if (!Array.isArray(items)) return;
  items.forEach((item: unknown, index) => {
    if (isJsonObject(item)) checkInput(JsonObject.of(item, `${request.pathOf(name)}[${index}]`, 'caller'));
  });
}

function checkInput(input: JsonObject): void {
  checkPart(input, ['url']);
  const content = input.find('content');
  const parts: readonly unknown[] = Array.isArray(content) ? content : [content];
  parts.forEach((part, index) => {
    if (isJsonObject(part)) checkPart(JsonObject.of(part, `${input.pathOf('content')}[${index}]`, 'caller'));
  });
}

function checkPart(part: JsonObject, passing: readonly string[] = []): void {
  for (const name of part.names) {
    if ((!MEDIA_MEMBERS.includes(name) && !name.endsWith('_url')) || passing.includes(name)) continue;
    for (const { url, field } of toUrls(part.find(name), part.pathOf(name))) checkUrl(url, field, name.startsWith('image'));
  }
}

/** A URL stands alone, in a list, or in an object as `url` or beside other members. */
function toUrls(value: unknown, field: string, depth = 0): { url: string; field: string }[] {
  if (depth > MAX_DEPTH) throw toRefusal(field, 'is nested too deeply');
  if (typeof value === 'string') return [{ url: value, field }];
  if (Array.isArray(value)) return value.flatMap((item, index) => toUrls(item, `${field}[${index}]`, depth + 1));
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => (name === 'url' || name.endsWith('_url') ? toUrls(item, `${field}.${name}`, depth + 1) : []));
}

function checkUrl(url: string, field: string, isImage: boolean): void {
  if (isImage) readImageData(url, field);
  else if (!DATA_URI.test(url)) throw toRefusal(field, 'must be a data URI: nothing is fetched from a URL');
}
