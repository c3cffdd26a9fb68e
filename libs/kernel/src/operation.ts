/** A kind of work. Each model does one. */
export type Operation =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'moderations'
  | 'rerank'
  | 'speech'
  | 'transcriptions'
  | 'images'
  | 'meshes'
  /** A call to a provider's own API: of no model's. */
  | 'proxy';

/** Those that a model can have. */
export const OPERATIONS: readonly Operation[] = [
  'chat',
  'completions',
  'embeddings',
  'moderations',
  'rerank',
  'speech',
  'transcriptions',
  'images',
  'meshes',
];
