import { type Operation } from '@weir/kernel';
import { type WireFormat } from '@weir/wire';

/**
 * What OpenTelemetry calls an operation; where it has no word for one, Weir's own:
 * https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/registry/attributes/gen-ai.md
 */
export function toOperationName({ operation, format }: { readonly operation: Operation; readonly format: WireFormat }): string {
  if (operation === 'completions') return 'text_completion';
  if (operation !== 'chat') return operation;
  switch (format) {
    case 'gemini':
      return 'generate_content';
    case 'anthropic-count-tokens':
      return 'count_tokens';
    default:
      return 'chat';
  }
}
