import { type StopReason } from '../conversation';

export type ChatFinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/**
 * What `finish_reason` says. `stop` with tool calls is an answer that waits for their results: OpenAI
 * says so for a tool that was forced, other servers always. A refusal says `stop`, too. A reason that
 * is not known ends an answer like `stop`.
 */
export function readFinishReason(reason: string | null, hasToolCalls: boolean, hasRefusal: boolean): StopReason {
  switch (reason) {
    case 'length':
      return 'output_cap';
    case 'content_filter':
      return 'refusal';
    default:
      if (hasRefusal) return 'refusal';
      return hasToolCalls ? 'tool_calls' : 'end';
  }
}

export function toFinishReason(reason: StopReason): ChatFinishReason {
  switch (reason) {
    case 'end':
    case 'stop_sequence':
    case 'pause':
      return 'stop';
    case 'output_cap':
    case 'context_window':
      return 'length';
    case 'tool_calls':
      return 'tool_calls';
    case 'refusal':
      return 'content_filter';
  }
}
