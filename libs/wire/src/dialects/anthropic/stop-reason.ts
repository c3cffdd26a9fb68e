import { type StopReason } from '../conversation';

/** What `stop_reason` says; one that is not known ends an answer like `end_turn`. */
export function readAnthropicStopReason(reason: string | null): StopReason {
  switch (reason) {
    case 'max_tokens':
      return 'output_cap';
    case 'model_context_window_exceeded':
      return 'context_window';
    case 'stop_sequence':
      return 'stop_sequence';
    case 'tool_use':
      return 'tool_calls';
    case 'refusal':
      return 'refusal';
    case 'pause_turn':
      return 'pause';
    default:
      return 'end';
  }
}

export function toAnthropicStopReason(reason: StopReason): string {
  switch (reason) {
    case 'end':
      return 'end_turn';
    case 'output_cap':
      return 'max_tokens';
    case 'context_window':
      return 'model_context_window_exceeded';
    case 'stop_sequence':
      return 'stop_sequence';
    case 'tool_calls':
      return 'tool_use';
    case 'refusal':
      return 'refusal';
    case 'pause':
      return 'pause_turn';
  }
}

/** `stop_details`: where Anthropic says why a model would not answer, in words that are no part of the answer. */
export function toStopDetails(reason: StopReason, refusal: string): object | null {
  return reason === 'refusal' ? { type: 'refusal', category: null, explanation: refusal === '' ? null : refusal } : null;
}
