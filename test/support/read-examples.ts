import { readFileSync } from 'node:fs';

/** A block of code in a document. */
export interface Example {
  /** What the block is marked with: sh, python, js, … */
  readonly language: string;
  /** The heading above it. */
  readonly heading: string;
  readonly code: string;
}

/** The fenced blocks of a Markdown file, in their order. */
export function readExamples(path: string): Example[] {
  const examples: Example[] = [];
  let heading = '';
  for (const [, title, language, code] of readFileSync(path, 'utf8').matchAll(/^#+ (.*)$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (title === undefined) examples.push({ language, heading, code });
    else heading = title;
  }
  return examples;
}
