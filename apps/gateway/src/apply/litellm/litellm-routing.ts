import { type LitellmConfig } from './litellm-config';

export type ImportedStrategy = 'weighted' | 'least-busy' | 'lowest-latency' | 'lowest-cost';

/** What LiteLLM's router is told about all models. */
export interface LitellmRouting {
  readonly strategy: ImportedStrategy;
  /** By the model's name; only names that are in the file. */
  readonly fallbacks: ReadonlyMap<string, readonly string[]>;
  /** Another name, and whose it is. */
  readonly aliases: ReadonlyMap<string, string>;
}

const STRATEGIES: Readonly<Record<string, ImportedStrategy>> = {
  'simple-shuffle': 'weighted',
  'least-busy': 'least-busy',
  'latency-based-routing': 'lowest-latency',
  'cost-based-routing': 'lowest-cost',
};

const READ: ReadonlySet<string> = new Set(['routing_strategy', 'fallbacks', 'default_fallbacks', 'model_group_alias']);

/** Reads `router_settings`, and what of it stands in `litellm_settings`. */
export function toRouting({ router_settings, litellm_settings }: LitellmConfig, names: ReadonlySet<string>, note: (text: string) => void): LitellmRouting {
  const router = router_settings ?? {};
  const settings = litellm_settings ?? {};
  noteUnread('router_settings', router, note);
  noteUnread('litellm_settings', settings, note);
  const fallbacks = readFallbacks([...toList(settings.fallbacks), ...toList(router.fallbacks)], names, note);
  const defaults = [...toList(settings.default_fallbacks), ...toList(router.default_fallbacks)].filter((name) => typeof name === 'string' && names.has(name));
  for (const name of names) {
    const others = defaults.map(String).filter((other) => other !== name);
    if (!fallbacks.has(name) && others.length > 0) fallbacks.set(name, others);
  }
  return { strategy: toStrategy(router.routing_strategy, note), fallbacks, aliases: readAliases(router.model_group_alias, names, note) };
}

function toStrategy(given: unknown, note: (text: string) => void): ImportedStrategy {
  if (given === undefined || given === null) return 'weighted';
  const known = typeof given === 'string' && Object.hasOwn(STRATEGIES, given) ? STRATEGIES[given] : undefined;
  if (known === undefined) note('router_settings.routing_strategy has no counterpart; the targets are weighted');
  return known ?? 'weighted';
}

function readFallbacks(entries: readonly unknown[], names: ReadonlySet<string>, note: (text: string) => void): Map<string, readonly string[]> {
  const fallbacks = new Map<string, readonly string[]>();
  for (const [name, others] of entries.flatMap((entry) => (isFields(entry) ? Object.entries(entry) : []))) {
    const known = toList(others).filter((other): other is string => typeof other === 'string' && names.has(other));
    if (!names.has(name) || known.length !== toList(others).length) note(`${name}: its fallbacks name models that are not in the file, or more than names; those are left out`);
    if (names.has(name) && known.length > 0) fallbacks.set(name, known);
  }
  return fallbacks;
}

/** `{alias: name}`, or `{alias: {model: name, hidden: true}}`. */
function readAliases(given: unknown, names: ReadonlySet<string>, note: (text: string) => void): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const [alias, value] of isFields(given) ? Object.entries(given) : []) {
    const target = isFields(value) ? value.model : value;
    const isUsable = typeof target === 'string' && names.has(target) && !names.has(alias) && /^[^\s*\p{C}]+$/u.test(alias);
    if (isUsable) aliases.set(alias, target);
    else note(`${alias}: left out: an alias of a model that is not in the file, or a name that is taken`);
  }
  return aliases;
}

function noteUnread(section: string, settings: Readonly<Record<string, unknown>>, note: (text: string) => void): void {
  const unread = Object.keys(settings).filter((name) => !READ.has(name));
  if (unread.length > 0) note(`not carried over: ${unread.map((name) => `${section}.${name}`).join(', ')}`);
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
