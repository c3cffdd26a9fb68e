import { readFastApiFailure } from '../fast-api/read-fast-api-failure';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { type Provider } from '../provider';

/**
 * Infinity (https://michaelfeil.eu/infinity): embeddings in OpenAI's shape, reranking in Cohere's. Its
 * routes are right below the base URL, which says its `url_prefix` where it has one. A server of it
 * that embeds pictures is a `siglip2` upstream.
 */
export const infinity: Provider = {
  ...openai,
  name: 'infinity',
  formats: { embeddings: ['openai-embeddings'], rerank: ['rerank'] },
  toPath: ({ basePath }, format) => {
    if (format !== 'openai-embeddings' && format !== 'rerank') throw new Error(`no path for ${format}`);
    return basePath + (format === 'rerank' ? '/rerank' : '/embeddings');
  },
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readFastApiFailure,
};
