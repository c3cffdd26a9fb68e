const LARGEST_WORD_PIECE = 4;

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

/**
 * Where the token that starts at `start` ends: at most one white-space character followed by at
 * most four characters of a word, or a single white-space character in front of another one.
 * A surrogate pair is never cut, so every token is text that can be sent on its own.
 */
function toTokenEnd(text: string, start: number): number {
  let end = start;
  if (isSpace(text.charCodeAt(end))) end++;
  const wordStart = end;
  while (end < text.length && end - wordStart < LARGEST_WORD_PIECE && !isSpace(text.charCodeAt(end))) end++;
  const last = text.charCodeAt(end - 1);
  const next = text.charCodeAt(end);
  const cutsPair = last >= 0xd800 && last <= 0xdbff && next >= 0xdc00 && next <= 0xdfff;
  return cutsPair ? end + 1 : end;
}

/** How many tokens demo/echo charges for a text. The same for what goes in and what comes out. */
export function countDemoTokens(text: string): number {
  let count = 0;
  for (let start = 0; start < text.length; start = toTokenEnd(text, start)) count++;
  return count;
}

/** The first `largestCount` tokens of a text; all of them, joined, are the text again. */
export function toDemoTokens(text: string, largestCount: number): string[] {
  const tokens: string[] = [];
  for (let start = 0; start < text.length && tokens.length < largestCount; ) {
    const end = toTokenEnd(text, start);
    tokens.push(text.slice(start, end));
    start = end;
  }
  return tokens;
}
