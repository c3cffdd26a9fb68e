/** A kind of work that Weir does for a caller. */
export type Operation = 'chat' | 'completions' | 'embeddings';

export const OPERATIONS: readonly Operation[] = ['chat', 'completions', 'embeddings'];
