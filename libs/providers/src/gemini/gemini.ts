import { type WireFormat } from '@weir/wire';
import { type Provider } from '../provider';
import { readGeminiFailure } from './gemini-failure';

const METHODS: Readonly<Partial<Record<WireFormat, string>>> = {
  gemini: ':generateContent',
  'gemini-embed': ':embedContent',
  'gemini-embed-batch': ':batchEmbedContents',
};
/** Without `alt=sse` the stream is one JSON array. */
const STREAM_METHOD = ':streamGenerateContent?alt=sse';

/**
 * Google's Gemini API (https://ai.google.dev/api). The base URL may end in its version or not. The
 * key goes into a header, never into the URL, which others log.
 */
export const gemini: Provider = {
  name: 'gemini',
  formats: { chat: ['gemini'], embeddings: ['gemini-embed-batch'] },
  passedHeaders: [],
  toPath: ({ basePath }, format, upstreamModel, isStream) => {
    const method = isStream && format === 'gemini' ? STREAM_METHOD : METHODS[format];
    if (method === undefined) throw new Error(`no path for ${format}`);
    return (/\/v\d[a-z0-9]*$/.test(basePath) ? basePath : `${basePath}/v1beta`) + toResource(upstreamModel) + method;
  },
  toAuthorization: (secret) => ['x-goog-api-key', secret.expose()],
  toHeaders: () => [],
  toChatQuirks: () => ({}),
  toSpeechQuirks: () => null,
  toHealthPath: () => null,
  readFailure: readGeminiFailure,
};

/** Models are also known as `models/<name>`, and tuned ones only as `tunedModels/<name>`. */
function toResource(model: string): string {
  const tuned = /^tunedModels\/(.*)$/s.exec(model);
  if (tuned !== null) return `/tunedModels/${encodeURIComponent(tuned[1])}`;
  return `/models/${encodeURIComponent(model.replace(/^models\//, ''))}`;
}
