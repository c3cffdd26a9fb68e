import { type WireFormat } from '@weir/wire';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { type Provider } from '../provider';
import { readTeiFailure } from './tei-failure';

const PATHS: Readonly<Partial<Record<WireFormat, string>>> = {
  'openai-embeddings': '/v1/embeddings',
  'tei-embed': '/embed',
  'tei-rerank': '/rerank',
};

/**
 * text-embeddings-inference (https://huggingface.github.io/text-embeddings-inference): one model a
 * server, of embeddings or of reranking. Embeddings go to its OpenAI route, which says the tokens.
 * The base URL is the server's, with or without `/v1`.
 */
export const tei: Provider = {
  ...openai,
  name: 'tei',
  formats: { embeddings: ['openai-embeddings', 'tei-embed'], rerank: ['tei-rerank'] },
  toPath: ({ basePath }, format) => {
    const path = PATHS[format];
    if (path === undefined) throw new Error(`no path for ${format}`);
    return toRootPath(basePath) + path;
  },
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readTeiFailure,
};
