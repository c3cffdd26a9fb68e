/**
 * providers owns what Weir knows of each vendor: one folder a vendor, pure functions that build a
 * request, understand an error and read the usage. Nothing here opens a connection.
 */
export * from './provider';
export * from './get-provider';
export { parseRetryAfter } from './retry-after';
export { OPENAI_DEFAULT_MODELS } from './openai/default-models';
export { DEFAULT_AZURE_API_VERSION } from './azure/azure';
export * from './demo';
