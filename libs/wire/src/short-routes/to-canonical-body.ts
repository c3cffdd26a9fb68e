import { JsonObject, toUnknownMember } from '../dialects/json-object';
import { toDataUri } from '../dialects/media';
import { readEmbeddingInput } from '../embeddings/read-embedding-input';
import { readImageData } from '../images/read-image-data';
import { readImagesRequest } from '../images/read-images-request';
import { readMeshRequest } from '../meshes/read-mesh-request';
import { readRerankRequest } from '../rerank/read-rerank-request';
import { refusePictureUrls } from './refuse-picture-urls';
import { type ShortRoute } from './short-routes';

export interface ShortRouteDefaults {
  /** `DEFAULT_EMBED`. */
  readonly embedModel: string;
}

const DEFAULT_CAPTION_PROMPT = 'Describe this picture.';
const DEFAULT_IMAGE_SIZE = '1024x1024';
/** OpenAI's limit. */
const MAX_EMBEDDING_INPUTS = 2048;

/**
 * The body of a short route, said in the format of the long one (`ShortRoute.format`); the answer is
 * the long one's too. URLs of pictures are refused: the GPU service would fetch them.
 * @throws WeirError invalid_request that names the caller's field
 */
export function toCanonicalBody(route: ShortRoute, body: unknown, defaults: ShortRouteDefaults): Record<string, unknown> {
  const request = JsonObject.of(body, '', 'caller');
  const model = toModel(route, request, defaults);
  switch (route.kind) {
    case 'embed-text':
      return toTextEmbeddings(request, model);
    case 'embed-image':
      return toImageEmbeddings(request, model);
    case 'rerank':
      readRerankRequest(body);
      return { ...request.members, model };
    case 'vlm-caption':
      return toCaption(request, model);
    case 'vlm-chat':
      if (request.findList('messages') === null) throw request.fault('messages', 'is required');
      refusePictureUrls(request);
      return { ...request.members, model };
    case 'generate-image':
      return toImages(request, model);
    case 'generate-3d':
      readMeshRequest(body);
      return { ...request.members, model };
  }
}

function toModel(route: ShortRoute, request: JsonObject, { embedModel }: ShortRouteDefaults): string {
  const named = route.mayNameModel ? request.findText('model') : null;
  return named === null || named === '' ? (route.model ?? embedModel) : named;
}

function toTextEmbeddings(request: JsonObject, model: string): Record<string, unknown> {
  refuseOthers(request, ['text', 'texts', 'input', 'inputs', 'model', ...EMBEDDING_MEMBERS]);
  const items = readItems(request, ['text', 'texts', 'input', 'inputs']);
  const input = items.map(({ value, field }) => {
    if (typeof value !== 'string') throw request.fault(field, 'must be a string');
    return readEmbeddingInput(value, field);
  });
  return { model, input, ...pick(request, EMBEDDING_MEMBERS) };
}

function toImageEmbeddings(request: JsonObject, model: string): Record<string, unknown> {
  refuseOthers(request, ['image', 'images', 'input', 'inputs', 'model', ...EMBEDDING_MEMBERS]);
  const items = readItems(request, ['image', 'images', 'input', 'inputs']);
  const input = items.map(({ value, field }) => {
    if (typeof value !== 'string') throw request.fault(field, 'must be a data URI or base64');
    return { image: toDataUri(readImageData(value, field)) };
  });
  return { model, input, ...pick(request, EMBEDDING_MEMBERS) };
}

const EMBEDDING_MEMBERS = ['dimensions', 'encoding_format', 'user'];

/** One item or a list of them, by whichever of the names the caller used. */
function readItems(request: JsonObject, names: readonly string[]): { value: unknown; field: string }[] {
  const [name, second] = names.filter((candidate) => request.has(candidate));
  if (name === undefined) throw request.fault(names[0], 'is required');
  if (second !== undefined) throw request.fault(second, `says the same as ${name}: send one of them`);
  const value = request.find(name);
  if (!Array.isArray(value)) return [{ value, field: name }];
  const list: readonly unknown[] = value;
  if (list.length === 0) throw request.fault(name, 'must not be empty');
  if (list.length > MAX_EMBEDDING_INPUTS) throw request.fault(name, `may have at most ${MAX_EMBEDDING_INPUTS} entries`);
  return list.map((item, index) => ({ value: item, field: `${name}[${index}]` }));
}

const CAPTION_MEMBERS = ['max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'seed', 'stream', 'stream_options', 'user'];

function toCaption(request: JsonObject, model: string): Record<string, unknown> {
  refuseOthers(request, ['model', 'image', 'prompt', ...CAPTION_MEMBERS]);
  const url = toDataUri(readImageData(request.getText('image'), 'image'));
  const prompt = request.findText('prompt');
  const text = prompt === null || prompt === '' ? DEFAULT_CAPTION_PROMPT : prompt;
  return {
    model,
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }, { type: 'text', text }] }],
    ...pick(request, CAPTION_MEMBERS),
  };
}

function pick(request: JsonObject, names: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) if (request.has(name)) picked[name] = request.find(name);
  return picked;
}

function toImages(request: JsonObject, model: string): Record<string, unknown> {
  const { width, height, steps, size, ...members } = request.members;
  const canonical: Record<string, unknown> = {
    ...members,
    model,
    size: toSize(request, size ?? null, width ?? height ?? null),
    ...(steps == null ? {} : { num_inference_steps: request.findInteger('steps', 1, 200) }),
  };
  readImagesRequest(canonical);
  return canonical;
}

/** `size`, or `width` and `height` as diffusion servers have them. */
function toSize(request: JsonObject, size: unknown, side: unknown): unknown {
  if (side === null) return size ?? DEFAULT_IMAGE_SIZE;
  if (size !== null) throw request.fault('size', 'says the same as width and height: send one of them');
  const width = request.findInteger('width', 64, 8192);
  const height = request.findInteger('height', 64, 8192);
  if (width === null || height === null) throw request.fault(width === null ? 'width' : 'height', 'is required');
  return `${width}x${height}`;
}

function refuseOthers(request: JsonObject, known: readonly string[]): void {
  const unknown = request.names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw toUnknownMember(unknown);
}
