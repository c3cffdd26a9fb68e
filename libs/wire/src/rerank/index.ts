/** Reranking in every shape that is in use, and one answer for all of them. Pure. */
export * from './read-rerank-answer';
export * from './read-rerank-request';
export * from './rerank-conversions';
export * from './rerank-request';
