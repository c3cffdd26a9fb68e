import { type DemoGenerationOptions } from './demo-request';
import { toDemoTokens } from './demo-tokens';

/** What demo/echo says, token by token, and why it stopped. */
export interface DemoGeneration {
  readonly tokens: readonly string[];
  readonly finishReason: 'stop' | 'length';
}

export interface DemoUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number; readonly audio_tokens: number };
  readonly completion_tokens_details: {
    readonly reasoning_tokens: number;
    readonly audio_tokens: number;
    readonly accepted_prediction_tokens: number;
    readonly rejected_prediction_tokens: number;
  };
}

function cutAtStop(text: string, stops: readonly string[]): string {
  let end = text.length;
  for (const stop of stops) {
    const at = stop === '' ? -1 : text.indexOf(stop);
    if (at !== -1 && at < end) end = at;
  }
  return text.slice(0, end);
}

export function toDemoGeneration(text: string, options: DemoGenerationOptions): DemoGeneration {
  const said = cutAtStop(text, options.stops);
  const tokens = toDemoTokens(said, options.largestOutputTokens);
  const saidLength = tokens.reduce((length, token) => length + token.length, 0);
  return { tokens, finishReason: saidLength < said.length ? 'length' : 'stop' };
}

export function toDemoUsage(promptTokens: number, completionTokens: number): DemoUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
