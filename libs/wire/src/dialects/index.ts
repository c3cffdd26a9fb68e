/**
 * dialects owns what a chat request, answer and stream mean, and how each API says it: every dialect
 * is read into one neutral form and written from it. docs/dialects.md tells what is translated,
 * passed, refused and dropped. Pure.
 */
export * from './conversation';
export * from './conversation-error';
export * from './parse-exact-json';
export * from './anthropic/model-traits';
export * from './anthropic/read-answer';
export * from './anthropic/read-request';
export * from './anthropic/read-stream';
export * from './anthropic/read-usage';
export * from './anthropic/write-answer';
export * from './anthropic/write-error';
export * from './anthropic/write-request';
export * from './anthropic/write-stream';
export * from './openai-chat/read-answer';
export * from './openai-chat/read-request';
export * from './openai-chat/read-stream';
export * from './openai-chat/read-usage';
export * from './openai-chat/write-answer';
export * from './openai-chat/write-error';
export * from './openai-chat/write-request';
export * from './openai-chat/write-stream';
