import { REASONING_EFFORTS, type ReasoningEffort } from '../conversation';

/** What a Claude model takes. Requests with what it does not take are refused by Anthropic. */
export interface AnthropicModelTraits {
  /**
   * `adaptive`: `thinking: {type: "adaptive"}` and an effort; `budget`: `{type: "enabled", budget_tokens}`;
   * `none`: the model does not think.
   */
  readonly thinking: 'adaptive' | 'budget' | 'none';
  /** Thinks although nobody asked. */
  readonly thinksByDefault: boolean;
  /** Takes `thinking: {type: "disabled"}`. */
  readonly canStopThinking: boolean;
  /** Values of `output_config.effort`; empty: none. */
  readonly efforts: readonly ReasoningEffort[];
  /** Takes temperature, top_p and top_k. */
  readonly takesSampling: boolean;
  /** Takes messages of role `system` between the others. */
  readonly takesSystemTurns: boolean;
}

/** Claude 3 to 4.x carry their version behind the family or before it, also in the names of other clouds. */
const VERSION = /claude-(?:(?:opus|sonnet|haiku|fable|mythos)-)?(\d)(?:[-.](\d)(?!\d))?/;

/**
 * The traits of a model by its name, after Anthropic's changes by version: effort with Opus 4.5;
 * adaptive thinking with 4.6; no sampling, no budgets, `xhigh` with 4.7; system turns with 4.8; Fable
 * and Mythos cannot stop thinking. A name without a version gets the newest traits.
 */
export function toAnthropicModelTraits(model: string): AnthropicModelTraits {
  const name = model.toLowerCase();
  const match = VERSION.exec(name);
  const version = match === null ? (name.includes('mythos-preview') ? 4.7 : 99) : Number(match[1]) + Number(match[2] ?? 0) / 10;
  const alwaysThinks = /fable|mythos/.test(name);
  return {
    thinking: version >= 4.6 ? 'adaptive' : version >= 3.7 ? 'budget' : 'none',
    thinksByDefault: version >= 5 || alwaysThinks,
    canStopThinking: !alwaysThinks,
    efforts: toEfforts(name, version),
    takesSampling: version <= 4.6,
    takesSystemTurns: version >= 4.8,
  };
}

function toEfforts(name: string, version: number): readonly ReasoningEffort[] {
  const efforts = REASONING_EFFORTS.filter((effort) => effort !== 'minimal');
  if (version >= 4.7) return efforts;
  if (version === 4.6) return efforts.filter((effort) => effort !== 'xhigh');
  return version === 4.5 && name.includes('opus') ? ['low', 'medium', 'high'] : [];
}
