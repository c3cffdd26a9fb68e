import { type DialectName } from './told';

/** Where callers of the dialect send their requests. */
export function toPath(dialect: DialectName, model: string, isStream = false): string {
  switch (dialect) {
    case 'chat':
      return '/v1/chat/completions';
    case 'responses':
      return '/v1/responses';
    case 'anthropic':
      return '/v1/messages';
    case 'gemini':
      return `/v1beta/models/${model}:${isStream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`;
  }
}

/** The smallest request of the dialect. */
export function toBody(dialect: DialectName, model: string, isStream = false): object {
  const stream = isStream ? { stream: true } : {};
  switch (dialect) {
    case 'chat':
      return { model, messages: [{ role: 'user', content: 'Hello' }], ...stream };
    case 'responses':
      return { model, input: 'Hello', ...stream };
    case 'anthropic':
      return { model, max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }], ...stream };
    case 'gemini':
      return { contents: [{ parts: [{ text: 'Hello' }] }] };
  }
}
