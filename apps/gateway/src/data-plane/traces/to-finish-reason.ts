import { type StopReason } from '@weir/wire';

/** Why an answer ended, as OpenTelemetry says it: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-output-messages.json */
export function toFinishReason(reason: StopReason): string {
  switch (reason) {
    case 'end':
    case 'stop_sequence':
      return 'stop';
    case 'output_cap':
    case 'context_window':
      return 'length';
    case 'tool_calls':
      return 'tool_call';
    case 'refusal':
      return 'content_filter';
    case 'pause':
      return 'pause';
  }
}
