import { scrubSecrets } from '@weir/platform';

/** Names repeat. More different ones than this are not kept. */
const MAX_KNOWN_NAMES = 1000;
const PLAIN = /^[\w.:/@+-]{1,128}$/;

const known = new Map<string, string>();

/** A name that an admin gave, without what looks like a secret in it. */
export function toShownName(name: string): string {
  let shown = known.get(name);
  if (shown === undefined) {
    shown = scrubSecrets(name);
    if (known.size < MAX_KNOWN_NAMES) known.set(name, shown);
  }
  return shown;
}

/** A name that a caller or an upstream gave, if it looks like one: anything may stand there. */
export function toShownWord(text: string): string | null {
  return PLAIN.test(text) && scrubSecrets(text) === text ? text : null;
}
