/**
 * wire owns what bytes mean: scanning JSON without building objects, changing single members of a
 * body in place, reading and writing server-sent events. Pure: bytes in, facts or bytes out.
 */
export * from './body-conversion';
export * from './dialects';
export * from './embeddings';
export * from './json-scanner';
export * from './openai-error-body';
export * from './splice-members';
export { toLeaveOutSplices } from './to-leave-out-splices';
export * from './sse-reader';
export * from './wire-format';
export * from './count-code-points';
export * from './embeddings/read-embedding-input';
export * from './embeddings/siglip2-embeddings';
export * from './embeddings/tei-embeddings';
export * from './find-body-conversion';
export * from './images';
export * from './meshes';
export * from './moderations/check-moderation-request';
export * from './read-format-usage';
export * from './refuse-references';
export * from './rerank';
export * from './short-routes';
export * from './speech';
