import { readMeshRequest, toTrellisRequest, type WireFormat } from '@weir/wire';

/**
 * The request for a mesh as an upstream takes it. SGLang's server knows the picture as `input_image`
 * only, and passes over members that it does not know.
 * @param body the caller's, in the format `meshes`
 * @throws WeirError invalid_request that names the caller's field
 */
export function toMeshBody(body: unknown, format: WireFormat, upstreamModel: string): object {
  if (format === 'trellis') return toTrellisRequest(body);
  const { image, seed, options } = readMeshRequest(body);
  return { ...options, model: upstreamModel, input_image: `data:${image.mediaType};base64,${image.data}`, ...(seed === null ? {} : { seed }), output_format: 'glb' };
}
