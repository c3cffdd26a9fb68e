/**
 * The first entry of an allow-list that names nothing: no model, and no prefix of one. A model
 * whose own name ends in `*` stands for all names that begin so.
 */
export function findUnknownModel(allowed: readonly string[], known: readonly string[]): number | null {
  const names = new Set(known);
  const prefixes = known.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const index = allowed.findIndex((entry) => {
    if (names.has(entry)) return false;
    if (!entry.endsWith('*')) return !prefixes.some((prefix) => entry.startsWith(prefix));
    const wanted = entry.slice(0, -1);
    return !known.some((name) => name.startsWith(wanted)) && !prefixes.some((prefix) => wanted.startsWith(prefix));
  });
  return index === -1 ? null : index;
}
