import { WeirError } from '@weir/kernel';
import { checkGlb, readMeshRequest, toTrellisRequest } from '@weir/wire';

const PNG = 'iVBORw0KGgo=';
const URI = `data:image/png;base64,${PNG}`;

function errorOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function glb({ magic = 'glTF', version = 2, length = 20 } = {}): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32LE(version, 4);
  bytes.writeUInt32LE(length, 8);
  return bytes;
}

describe('a mesh', () => {
  it('is made of a picture by either name, with options that pass', () => {
    expect(readMeshRequest({ model: 'm', image: URI, seed: 5, prompt: 'a chair', guidance_scale: 2, num_inference_steps: null })).toEqual({
      image: { type: 'base64', mediaType: 'image/png', data: PNG },
      seed: 5,
      options: { guidance_scale: 2 },
    });
    expect(readMeshRequest({ input_image: PNG })).toMatchObject({ image: { data: PNG }, seed: null });
  });

  it("is asked for in the words of TRELLIS' pipeline", () => {
    expect(toTrellisRequest({ model: 'm', image: URI, seed: 5, ss_sampling_steps: 12, slat_guidance_strength: 3, mesh_simplify: 0.95, texture_size: 1024, output_format: 'glb' })).toEqual({
      image: PNG,
      seed: 5,
      ss_sampling_steps: 12,
      slat_guidance_strength: 3,
      mesh_simplify: 0.95,
      texture_size: 1024,
    });
  });

  it.each<[string, object, string]>([
    ['no picture', { image: null }, 'image'],
    ['a URL', { image: 'https://a.b/c.png' }, 'image'],
    ['a file by the other name', { image: undefined, input_image: 'file:///etc/passwd' }, 'input_image'],
    ['a picture that lies about its type', { image: `data:image/jpeg;base64,${PNG}` }, 'image'],
    ['a seed that is none', { seed: -1 }, 'seed'],
    ['a form of mesh that is not made', { output_format: 'obj' }, 'output_format'],
    ['a URL among the options', { webhook: 'http://a.b' }, 'webhook'],
    ['an option that the pipeline does not have', { guidance_scale: 2 }, 'guidance_scale'],
    ['steps without end', { ss_sampling_steps: 1_000_000 }, 'ss_sampling_steps'],
    ['a texture that fills the card', { texture_size: 65_536 }, 'texture_size'],
    ['a mesh of nothing', { mesh_simplify: 1 }, 'mesh_simplify'],
  ])('is refused with the field at fault: %s', (_, changes, param) => {
    const error = errorOf(() => toTrellisRequest({ image: URI, ...changes }));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
  });

  it('is one whole binary glTF', () => {
    expect(() => checkGlb(glb())).not.toThrow();
    for (const bytes of [Buffer.alloc(0), Buffer.from('<html>'), glb({ magic: 'gltf' }), glb({ version: 1 }), glb({ length: 21 }), glb().subarray(0, 19), glb().subarray(0, 8)]) {
      expect(errorOf(() => checkGlb(bytes)).code).toBe('upstream_error');
    }
  });
});
