import { type Dialect } from './dialects';

/** A request dialect: what a body and its answer look like. Those of chat are the dialects. */
export type WireFormat =
  | Dialect
  /** A provider's own API, passed as it is. */
  | 'raw'
  /** Anthropic's `POST /v1/messages/count_tokens`. */
  | 'anthropic-count-tokens'
  | 'openai-completions'
  | 'openai-embeddings'
  /** Google's `:embedContent`. */
  | 'gemini-embed'
  /** Google's `:batchEmbedContents`. */
  | 'gemini-embed-batch'
  /** `POST /embed` of text-embeddings-inference. */
  | 'tei-embed'
  /** Pictures and texts in one space. */
  | 'siglip2-embed'
  | 'openai-moderations'
  /** Cohere's and Jina's: `{model, query, documents, top_n}`; vLLM and Infinity speak it too. */
  | 'rerank'
  /** `POST /rerank` of text-embeddings-inference: `{query, texts}`, answered by a bare array. */
  | 'tei-rerank'
  | 'openai-speech'
  /** OpenAI's, as vLLM-Omni takes it. */
  | 'vllm-omni-speech'
  /** OpenAI's, as IndexTTS takes it. */
  | 'index-tts-speech'
  /** Multipart. */
  | 'openai-transcriptions'
  /** As above, and answered in English. */
  | 'openai-translations'
  | 'openai-images'
  /** OpenAI's, as vLLM-Omni takes it. */
  | 'vllm-omni-images'
  /** Multipart or JSON; `POST /v1/images/edits`. */
  | 'openai-image-edits'
  /** `POST /v1/meshes`: `{id, object: "mesh", status}`. */
  | 'meshes'
  /** TRELLIS' own service: a picture in, a binary glTF out. */
  | 'trellis';
