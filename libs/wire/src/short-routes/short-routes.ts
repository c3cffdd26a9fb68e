import { type WireFormat } from '../wire-format';

/** What a short route does with a body. */
export type ShortRouteKind = 'embed-text' | 'embed-image' | 'rerank' | 'vlm-caption' | 'vlm-chat' | 'generate-image' | 'generate-3d';

export interface ShortRoute {
  readonly kind: ShortRouteKind;
  /** The format of the body that it is turned into, and of the answer. */
  readonly format: WireFormat;
  /** The model behind it, by the name that the environment's GPU services get. Null: the operator's `DEFAULT_EMBED`. */
  readonly model: string | null;
  /** Whether the body may name another model. Where the path names it, the body's `model` is not looked at. */
  readonly mayNameModel: boolean;
}

/** Every short route to the GPU services, by its path; all are POST. */
export const SHORT_ROUTES: Readonly<Record<string, ShortRoute>> = {
  '/embed/text': { kind: 'embed-text', format: 'openai-embeddings', model: null, mayNameModel: true },
  '/embed/text/bge': { kind: 'embed-text', format: 'openai-embeddings', model: 'embed_text_bge', mayNameModel: false },
  '/embed/text/qwen3-4b': { kind: 'embed-text', format: 'openai-embeddings', model: 'embed_4b', mayNameModel: false },
  '/embed/text/qwen3-8b': { kind: 'embed-text', format: 'openai-embeddings', model: 'embed_8b', mayNameModel: false },
  '/embed/image': { kind: 'embed-image', format: 'openai-embeddings', model: 'siglip2', mayNameModel: true },
  '/rerank/qwen3-4b': { kind: 'rerank', format: 'rerank', model: 'rerank_4b', mayNameModel: false },
  '/rerank/qwen3-8b': { kind: 'rerank', format: 'rerank', model: 'rerank_8b', mayNameModel: false },
  '/vlm/caption': { kind: 'vlm-caption', format: 'openai-chat', model: 'vlm', mayNameModel: true },
  '/vlm/chat': { kind: 'vlm-chat', format: 'openai-chat', model: 'vlm', mayNameModel: true },
  '/generate/image': { kind: 'generate-image', format: 'openai-images', model: 'z-image', mayNameModel: true },
  '/generate/3d': { kind: 'generate-3d', format: 'meshes', model: 'trellis', mayNameModel: true },
};
