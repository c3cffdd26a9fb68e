import { REASONING_EFFORTS, type ReasoningEffort } from '../conversation';

/** What a Gemini model takes. Requests with what it does not take are refused by Google. */
export interface GeminiModelTraits {
  /** `level`: `thinkingLevel`; `budget`: `thinkingBudget`, in tokens; `none`: the model does not think. */
  readonly thinking: 'level' | 'budget' | 'none';
  /** Values of `thinkingLevel`. */
  readonly levels: readonly ReasoningEffort[];
  readonly leastBudgetTokens: number;
  readonly mostBudgetTokens: number;
  /** Takes a budget of 0. */
  readonly canStopThinking: boolean;
  /** Refuses calls in the conversation whose first has no signature. */
  readonly needsSignatures: boolean;
  /** Takes pictures and files inside `functionResponse`. */
  readonly takesMediaInResults: boolean;
  /** Takes `frequencyPenalty` and `presencePenalty`. */
  readonly takesPenalties: boolean;
  /** Goes on with an answer that was begun: the last turn may be the model's. */
  readonly takesBegunAnswer: boolean;
}

const VERSION = /gemini-(\d{1,2})(?:\.(\d))?(?!\d)/;

/**
 * The traits of a model by its name, after Google's changes by version: thinking with 2.5, by budget;
 * by level, with signatures that are verified, from 3 on; no penalties and no begun answers from 4 on.
 * A name without a version (`gemini-flash-latest`) gets the newest traits.
 */
export function toGeminiModelTraits(model: string): GeminiModelTraits {
  const name = model.toLowerCase();
  const match = VERSION.exec(name);
  const version = match === null ? 99 : Number(match[1]) + Number(match[2] ?? 0) / 10;
  return {
    thinking: version >= 3 ? 'level' : version >= 2.5 ? 'budget' : 'none',
    levels: toLevels(name, version),
    ...toBudgets(name),
    needsSignatures: version >= 3,
    takesMediaInResults: version >= 3,
    takesPenalties: version < 4,
    takesBegunAnswer: version < 4,
  };
}

function toLevels(name: string, version: number): readonly ReasoningEffort[] {
  if (version === 3 && name.includes('pro')) return ['low', 'high'];
  const levels = REASONING_EFFORTS.slice(0, REASONING_EFFORTS.indexOf('high') + 1);
  // `minimal` is the Flash models' of 3 to 3.6.
  return name.includes('flash') && version < 3.7 ? levels : levels.filter((level) => level !== 'minimal');
}

/** The ranges of Gemini 2.5. */
function toBudgets(name: string): Pick<GeminiModelTraits, 'leastBudgetTokens' | 'mostBudgetTokens' | 'canStopThinking'> {
  if (name.includes('lite')) return { leastBudgetTokens: 512, mostBudgetTokens: 24_576, canStopThinking: true };
  if (name.includes('flash')) return { leastBudgetTokens: 1, mostBudgetTokens: 24_576, canStopThinking: true };
  return { leastBudgetTokens: 128, mostBudgetTokens: 32_768, canStopThinking: false };
}
