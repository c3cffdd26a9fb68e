import { type ConversationRequest, type ConversationTurn, type ReasoningEffort } from '../conversation';
import { isGeminiSigned } from '../gemini/signatures';
import { toBudgetTokens, toEffort, toTakenEffort } from '../reasoning-effort';
import { type AnthropicModelTraits } from './model-traits';

export interface AnthropicThinking {
  readonly thinking?: { readonly type: 'adaptive' | 'disabled' } | { readonly type: 'enabled'; readonly budget_tokens: number };
  readonly effort?: ReasoningEffort;
}

/** Anthropic's smallest budget. */
const LEAST_BUDGET_TOKENS = 1024;
/** What thinking leaves of the output for the answer. */
const LARGEST_SHARE = 0.8;

/** `thinking` and `output_config.effort` for what the caller asked, as far as the model takes it. */
export function toThinking(request: ConversationRequest, traits: AnthropicModelTraits, outputCap: number): AnthropicThinking {
  const { reasoning } = request;
  if (reasoning === null) return {};
  const said = reasoning.mode === 'off' ? null : toEffort(reasoning);
  const effort = (said === null ? null : toTakenEffort(said, traits.efforts)) ?? undefined;
  if (reasoning.mode === 'off') return toNoThinking(traits);
  // Anthropic refuses thinking beside a tool that is forced: the tool is what was asked for.
  if (reasoning.mode === null || isToolForced(request)) return { effort };
  switch (traits.thinking) {
    case 'none':
      return {};
    case 'adaptive':
      return { thinking: { type: 'adaptive' }, effort };
    case 'budget': {
      const budgetTokens = Math.min(toBudgetTokens(reasoning), Math.floor(outputCap * LARGEST_SHARE));
      const isPossible = budgetTokens >= LEAST_BUDGET_TOKENS && hasThinkingOfLoop(request.turns);
      return isPossible ? { thinking: { type: 'enabled', budget_tokens: budgetTokens }, effort } : { effort };
    }
  }
}

function toNoThinking(traits: AnthropicModelTraits): AnthropicThinking {
  if (!traits.thinksByDefault) return {};
  return traits.canStopThinking ? { thinking: { type: 'disabled' } } : { effort: toTakenEffort('minimal', traits.efforts) ?? undefined };
}

function isToolForced({ tools, toolChoice }: ConversationRequest): boolean {
  return tools.length > 0 && (toolChoice?.type === 'required' || toolChoice?.type === 'tool');
}

/**
 * With a budget, an assistant turn that called tools must begin with its own thinking, or the request
 * is refused; a caller that did not keep the signatures cannot send it.
 */
function hasThinkingOfLoop(turns: readonly ConversationTurn[]): boolean {
  const last = turns.findLast((turn) => turn.role === 'assistant');
  if (last === undefined || !last.parts.some(({ type }) => type === 'tool_call')) return true;
  const first = last.parts.find((part) => part.type !== 'reasoning' || !isGeminiSigned(part));
  return first?.type === 'reasoning' && (first.signature !== null || first.redactedData !== null);
}
