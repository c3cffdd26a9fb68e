/**
 * The model that serves a name, as the pool finds it: the exact name, else the longest that ends in
 * `*` and begins the name. Null when no model does.
 */
export function matchModelName(name: string, models: ReadonlyMap<string, unknown>): string | null {
  if (models.has(name)) return name;
  // The `*` stands for at least one character.
  for (let length = name.length - 1; length >= 0; length -= 1) {
    const wildcard = `${name.slice(0, length)}*`;
    if (models.has(wildcard)) return wildcard;
  }
  return null;
}
