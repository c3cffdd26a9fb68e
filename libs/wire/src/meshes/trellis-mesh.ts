import { WeirError } from '@weir/kernel';
import { JsonObject, toUnknownMember } from '../dialects/json-object';
import { readMeshRequest } from './read-mesh-request';

/** A binary glTF says its name and its version first, then its whole length, little-endian. */
const GLB_HEADER_BYTES = 12;
const GLB_VERSION = 2;

/**
 * A caller's request for a mesh, for a TRELLIS service. There is no standard for these: the names are
 * those of the pipeline's own parameters, which the public servers use too; the picture is base64
 * without a `data:` in front. Members that the pipeline does not have are refused.
 * @throws WeirError invalid_request that names the caller's field
 */
export function toTrellisRequest(body: unknown): object {
  const { image, seed, options: members } = readMeshRequest(body);
  const options = JsonObject.of(members, '', 'caller');
  const unknown = options.names.find((name) => !TRELLIS_OPTIONS.includes(name));
  if (unknown !== undefined) throw toUnknownMember(unknown);
  options.findInteger('ss_sampling_steps', 1, 100);
  options.findInteger('slat_sampling_steps', 1, 100);
  options.findNumber('ss_guidance_strength', 0, 20);
  options.findNumber('slat_guidance_strength', 0, 20);
  options.findNumber('mesh_simplify', 0, 0.999);
  options.findInteger('texture_size', 256, 4096);
  options.findFlag('preprocess_image');
  return { image: image.data, ...(seed === null ? {} : { seed }), ...members };
}

const TRELLIS_OPTIONS: readonly string[] = [
  'ss_sampling_steps', 'ss_guidance_strength', 'slat_sampling_steps', 'slat_guidance_strength', 'mesh_simplify', 'texture_size', 'preprocess_image',
];

/**
 * Checks that an answer is one whole binary glTF: a service that answers HTML, half a file or nothing
 * must not become somebody's mesh.
 * @throws WeirError upstream_error
 */
export function checkGlb(bytes: Buffer): void {
  if (bytes.length < GLB_HEADER_BYTES || bytes.toString('latin1', 0, 4) !== 'glTF') throw toBrokenMesh('is no binary glTF');
  if (bytes.readUInt32LE(4) !== GLB_VERSION) throw toBrokenMesh('is a binary glTF of another version than 2');
  if (bytes.readUInt32LE(8) !== bytes.length) throw toBrokenMesh('is not as long as it says');
}

function toBrokenMesh(what: string): WeirError {
  return new WeirError('upstream_error', { detail: `the upstream's mesh: the answer ${what}` });
}
