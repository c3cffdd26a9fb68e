import { type MediaSource } from '../dialects';
import { JsonObject } from '../dialects/json-object';
import { readImageData } from '../images/read-image-data';
import { refuseReferences } from '../refuse-references';

/** One picture to make a mesh of, and how. Null: the caller did not say. */
export interface MeshRequest {
  readonly image: Extract<MediaSource, { type: 'base64' }>;
  readonly seed: number | null;
  /** Members that Weir does not know, as they came; none of them holds a URL or a path. */
  readonly options: Readonly<Record<string, unknown>>;
}

const MAX_SEED = 2 ** 31 - 1;
const KNOWN: readonly string[] = ['model', 'image', 'input_image', 'prompt', 'seed', 'output_format'];

/**
 * Reads a request for a mesh (`POST /v1/meshes`, as JSON): `image`, or `input_image` as SGLang calls it,
 * as a data URI or base64. `prompt` is dropped: meshes are made of pictures. Other members pass.
 * @throws WeirError invalid_request that names the field
 */
export function readMeshRequest(body: unknown): MeshRequest {
  const request = JsonObject.of(body, '', 'caller');
  const name = request.has('image') ? 'image' : 'input_image';
  if (!request.has(name)) throw request.fault('image', 'is required');
  if (name === 'image' && request.has('input_image')) throw request.fault('input_image', 'says the same as image: send one of them');
  request.findText('prompt');
  request.findChoice('output_format', ['glb']);
  const options = Object.fromEntries(Object.entries(request.members).filter(([member, value]) => !KNOWN.includes(member) && value !== null));
  for (const [member, value] of Object.entries(options)) refuseReferences(value, member);
  return { image: readImageData(request.getText(name), name), seed: request.findInteger('seed', 0, MAX_SEED), options };
}
