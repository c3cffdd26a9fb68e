import { readFastApiFailure } from '../fast-api/read-fast-api-failure';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { type Provider } from '../provider';

/**
 * A service that embeds texts and pictures in one space (SigLIP 2, CLIP), as Infinity does it: there is
 * no standard for them. docs/gpu-services.md says what it must speak.
 */
export const siglip2: Provider = {
  ...openai,
  name: 'siglip2',
  formats: { embeddings: ['siglip2-embed'] },
  toPath: ({ basePath }, format) => {
    if (format !== 'siglip2-embed') throw new Error(`no path for ${format}`);
    return `${basePath}/embeddings`;
  },
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readFastApiFailure,
};
