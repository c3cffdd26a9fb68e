import { type ConversationReasoning, REASONING_EFFORTS, type ReasoningEffort } from './conversation';

/** Budgets that stand for an effort, in tokens: what other gateways and Anthropic's own guide use, roughly. */
const BUDGET_TOKENS: Readonly<Record<ReasoningEffort, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 32_768,
};

/** How hard to think: as said, or as the budget suggests; null when neither is set. */
export function toEffort({ effort, budgetTokens }: ConversationReasoning): ReasoningEffort | null {
  if (effort !== null || budgetTokens === null) return effort;
  return REASONING_EFFORTS.find((candidate) => budgetTokens <= BUDGET_TOKENS[candidate]) ?? 'max';
}

export function toBudgetTokens({ effort, budgetTokens }: ConversationReasoning): number {
  return budgetTokens ?? BUDGET_TOKENS[effort ?? 'medium'];
}

/** The effort itself where it is taken, else the next lower one, else the lowest that is taken. */
export function toTakenEffort(effort: ReasoningEffort, taken: readonly ReasoningEffort[]): ReasoningEffort | null {
  const wanted = REASONING_EFFORTS.indexOf(effort);
  const ordered = REASONING_EFFORTS.filter((candidate) => taken.includes(candidate));
  return ordered.findLast((candidate) => REASONING_EFFORTS.indexOf(candidate) <= wanted) ?? ordered[0] ?? null;
}
