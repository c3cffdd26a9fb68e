import { type ConversationRequest } from '../conversation';
import { toBudgetTokens, toEffort, toTakenEffort } from '../reasoning-effort';
import { type GeminiModelTraits } from './model-traits';

export interface ThinkingConfig {
  readonly includeThoughts?: boolean;
  readonly thinkingBudget?: number;
  readonly thinkingLevel?: string;
}

/** How Gemini says that the model decides how much to think. */
const DYNAMIC_BUDGET = -1;

/** `thinkingConfig` for what the caller asked, as far as the model takes it. Undefined: nothing was asked, or it does not think. */
export function toThinkingConfig({ reasoning, wantsThoughts }: ConversationRequest, traits: GeminiModelTraits): ThinkingConfig | undefined {
  if (traits.thinking === 'none') return undefined;
  // Whoever asks for thinking is shown it; a dialect that leaves this open has said.
  const includeThoughts = wantsThoughts ?? reasoning?.mode === 'on';
  const shown = includeThoughts ? { includeThoughts } : {};
  if (reasoning === null) return includeThoughts ? shown : undefined;
  const config = traits.thinking === 'level' ? toLevel(reasoning, traits) : toBudget(reasoning, traits);
  return { ...config, ...(reasoning.mode === 'off' ? {} : shown) };
}

/** From 3 on, no model stops thinking: the lowest level is the nearest to it. */
function toLevel(reasoning: NonNullable<ConversationRequest['reasoning']>, { levels }: GeminiModelTraits): ThinkingConfig {
  const effort = reasoning.mode === 'off' ? 'minimal' : toEffort(reasoning);
  const level = effort === null ? null : toTakenEffort(effort, levels);
  return level === null ? {} : { thinkingLevel: level.toUpperCase() };
}

function toBudget(reasoning: NonNullable<ConversationRequest['reasoning']>, traits: GeminiModelTraits): ThinkingConfig {
  const { leastBudgetTokens, mostBudgetTokens, canStopThinking } = traits;
  if (reasoning.mode === 'off') return { thinkingBudget: canStopThinking ? 0 : leastBudgetTokens };
  if (reasoning.effort === null && reasoning.budgetTokens === null) return { thinkingBudget: DYNAMIC_BUDGET };
  return { thinkingBudget: Math.min(Math.max(toBudgetTokens(reasoning), leastBudgetTokens), mostBudgetTokens) };
}
