import { type Operation } from '@weir/kernel';

/** Where OpenAI's API has each operation, behind the base path (`/v1`). */
export const OPENAI_PATHS: Readonly<Record<Operation, string>> = {
  chat: '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
};
