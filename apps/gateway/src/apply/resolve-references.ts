/** What stands in for a text with references: the text, or why there is none. */
export type Resolved = { readonly text: string } | { readonly fault: string };

/** `$${` first: it is how the characters `${` themselves are written. */
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Puts the environment's values in place of `${NAME}` and `${NAME:-default}`. As everywhere in the
 * environment, empty means not set. What is put in is text: no reference and no YAML is looked for
 * in it.
 */
export function resolveReferences(text: string, environment: NodeJS.ProcessEnv): Resolved {
  const faults: string[] = [];
  const resolved = text.replace(REFERENCE, (whole, inside: string | undefined, end: string | undefined) => {
    if (inside === undefined) return '${';
    const [, name, standIn] = INSIDE.exec(inside) ?? [];
    if (name === undefined || end === '') {
      faults.push('a reference reads ${NAME} or ${NAME:-default}; write $${ for the characters themselves');
      return whole;
    }
    const value = environment[name] ?? '';
    if (value === '' && standIn === undefined) faults.push(`the environment variable ${name} is not set`);
    return value === '' ? (standIn ?? '') : value;
  });
  return faults.length === 0 ? { text: resolved } : { fault: faults[0] };
}

/** The variable's name when the text is one reference and nothing else. */
export function findReferencedVariable(text: string): string | null {
  return /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}$/.exec(text)?.[1] ?? null;
}

/** A text that stands for itself: no reference in it. */
export function escapeReferences(text: string): string {
  return text.replaceAll('${', () => '$${');
}
