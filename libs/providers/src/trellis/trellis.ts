import { readFastApiFailure } from '../fast-api/read-fast-api-failure';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { type Provider } from '../provider';

/**
 * TRELLIS (https://github.com/microsoft/TRELLIS) as a service that makes a mesh while the caller waits:
 * `POST /generate` with JSON, answered by a binary glTF. There is no standard for these, and the model's
 * own repository has none: docs/gpu-services.md says what is assumed. The upstream's option
 * `generate_path` says another path.
 */
export const trellis: Provider = {
  ...openai,
  name: 'trellis',
  formats: { meshes: ['trellis'] },
  toPath: ({ basePath, options }, format) => {
    if (format !== 'trellis') throw new Error(`no path for ${format}`);
    const path = options.generate_path;
    return basePath + (typeof path === 'string' && GENERATE_PATH.test(path) ? path : '/generate');
  },
  toHeaders: () => ['accept', 'model/gltf-binary'],
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readFastApiFailure,
};

/** An absolute path of plain segments, without a query. */
const GENERATE_PATH = /^(?:\/[A-Za-z0-9_-]+)+$/;
