/**
 * wire owns what bytes mean: scanning JSON without building objects, changing single members of a
 * body in place, reading and writing server-sent events. Pure: bytes in, facts or bytes out.
 */
export * from './dialects';
export * from './json-scanner';
export * from './openai-error-body';
export * from './splice-members';
export * from './sse-reader';
