import { type Operation } from '@weir/kernel';

/**
 * The models that an import of Gemini keys offers by their own names (@google/genai 3.1.0 and
 * https://ai.google.dev/gemini-api/docs/models). Others are reached as `gemini/<name>`, or declared
 * by an admin.
 */
export const GEMINI_DEFAULT_MODELS: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  chat: [
    'gemini-4-argon',
    'gemini-4-carbon',
    'gemini-3.8-flash',
    'gemini-3.7-flash',
    'gemini-3.6-flash',
    'gemini-3.5-flash',
    'gemini-3.5-flash-lite',
    'gemini-3.1-pro-preview',
    'gemini-3.1-flash-lite',
    'gemini-3-flash-preview',
    'gemini-2.5-pro',
    'gemini-2.5-flash',
    'gemini-2.5-flash-lite',
    'gemini-pro-latest',
    'gemini-flash-latest',
    'gemini-flash-lite-latest',
  ],
  embeddings: ['gemini-embedding-2', 'gemini-embedding-001'],
};
