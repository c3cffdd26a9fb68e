import { invalid } from './demo-request';
import { countDemoTokens } from './demo-tokens';

/** One text of a completion's `prompt` or an embedding's `input`. */
export interface DemoInput {
  readonly text: string;
  readonly tokens: number;
}

const LARGEST_INPUT_COUNT = 2048;

const isTokenList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((token) => Number.isInteger(token) && token >= 0);

/** A list of token numbers cannot be turned back into text here: the numbers themselves are the text. */
function parseInput(value: unknown, param: string, emptyAllowed: boolean): DemoInput {
  if (isTokenList(value)) return { text: value.join(' '), tokens: value.length };
  if (typeof value !== 'string') throw invalid(param, `'${param}' must be a string or an array of token numbers.`);
  if (value === '' && !emptyAllowed) throw invalid(param, `'${param}' cannot be an empty string.`);
  return { text: value, tokens: countDemoTokens(value) };
}

/** A string, an array of strings, an array of token numbers, or an array of those. */
export function parseDemoInputs(value: unknown, param: string, options: { emptyAllowed: boolean }): DemoInput[] {
  if (!Array.isArray(value) || isTokenList(value)) return [parseInput(value, param, options.emptyAllowed)];
  if (value.length === 0 || value.length > LARGEST_INPUT_COUNT) {
    throw invalid(param, `'${param}' must have from 1 to ${LARGEST_INPUT_COUNT} entries.`);
  }
  return value.map((one: unknown, index) => parseInput(one, `${param}[${index}]`, options.emptyAllowed));
}
