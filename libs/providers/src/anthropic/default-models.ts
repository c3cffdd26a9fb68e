import { type Operation } from '@weir/kernel';

/**
 * The models that an import of Anthropic keys offers by their own names: those that any key may use,
 * by the names that do not carry a date (@anthropic-ai/sdk 1.12.0, type Model). Others are reached
 * as `anthropic/<name>`, or declared by an admin.
 */
export const ANTHROPIC_DEFAULT_MODELS: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  chat: [
    'claude-fable-5-2',
    'claude-fable-5-1',
    'claude-fable-5',
    'claude-opus-5-5',
    'claude-opus-5',
    'claude-opus-4-8',
    'claude-opus-4-7',
    'claude-opus-4-6',
    'claude-opus-4-5',
    'claude-sonnet-5-5',
    'claude-sonnet-5',
    'claude-sonnet-4-6',
    'claude-sonnet-4-5',
    'claude-haiku-5-5',
    'claude-haiku-4-5',
  ],
};
