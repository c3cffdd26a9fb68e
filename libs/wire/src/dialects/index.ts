/**
 * dialects owns what a chat request, answer and stream mean, and how each API says it: every dialect
 * is read into one neutral form and written from it. docs/dialects.md tells what is translated,
 * passed, refused and dropped. Pure.
 */
export * from './conversation';
export * from './conversation-error';
export { JsonObject } from './json-object';
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
export * from './openai-chat/read-scanned-chat-usage';
export * from './openai-chat/read-stream';
export * from './openai-chat/read-usage';
export * from './openai-chat/write-answer';
export * from './openai-chat/write-error';
export * from './openai-chat/write-request';
export * from './openai-chat/write-stream';
export * from './openai-responses/to-echo-json';
export * from './openai-responses/read-request';
export * from './openai-responses/read-usage';
export { type ResponsesAnswerOptions } from './openai-responses/response-object';
export * from './openai-responses/responses-stream-facts';
export * from './openai-responses/write-answer';
export * from './openai-responses/write-error';
export * from './openai-responses/write-stream';
export * from './gemini/finish-reason';
export * from './gemini/gemini-stream-facts';
export * from './gemini/model-traits';
export * from './gemini/read-answer';
export * from './gemini/read-error-body';
export * from './gemini/read-request';
export * from './gemini/read-stream';
export * from './gemini/read-usage';
export { isGeminiSigned } from './gemini/signatures';
export { type GeminiAnswerOptions, writeGeminiAnswer } from './gemini/write-answer';
export * from './gemini/write-error';
export * from './gemini/write-request';
export * from './gemini/write-stream';
export { toForeignThinkingSplice } from './to-foreign-thinking-splice';
