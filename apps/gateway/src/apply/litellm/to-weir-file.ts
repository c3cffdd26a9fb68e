import { stringify } from 'yaml';
import { CreateModel } from '../../admin/models/model.dto';
import { escapeReferences } from '../resolve-references';
import { toFieldSchemas } from '../to-field-schemas';
import { KeyVariables } from './key-variables';
import { type LitellmConfig } from './litellm-config';
import { type Deployment, toDeployment } from './litellm-deployment';
import { type ImportedStrategy, type LitellmRouting, toRouting } from './litellm-routing';
import { toUpstreams } from './to-upstreams';

/** What came of a LiteLLM configuration. */
export interface ImportedFile {
  /** weir.yaml, with comments about what it does not hold. */
  readonly text: string;
  /** Stand for keys that were written out: they must be set before the file is applied. */
  readonly madeVariables: readonly string[];
  /** Every variable that the file reads. */
  readonly variables: readonly string[];
  readonly notes: readonly string[];
}

const READ_SECTIONS: ReadonlySet<string> = new Set(['model_list', 'router_settings', 'litellm_settings', 'credential_list']);
const REFERENCE = /(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Makes weir.yaml from LiteLLM's configuration. What it cannot say, it says in comments; no key is in it. */
export function toWeirFile(config: LitellmConfig): ImportedFile {
  const notes = new Set<string>();
  const keys = new KeyVariables(findVariables(config));
  const deployments = readDeployments(config, keys, notes);
  const routing = toRouting(config, new Set(deployments.map(({ modelName }) => modelName)), (text) => notes.add(text));
  if (!takesStrategy(routing.strategy)) notes.add(`not carried over: router_settings.routing_strategy; the targets are weighted`);
  const { upstreams, targetsOf } = toUpstreams(deployments, routing.strategy);
  const models = [...Map.groupBy(deployments, ({ modelName }) => modelName)].flatMap(([name, group]) => {
    const model = toModel(name, group, targetsOf(name), routing, notes);
    return [model, ...[...routing.aliases].filter(([, target]) => target === name).map(([alias]) => ({ ...model, name: escapeReferences(alias) }))];
  });
  const sections = Object.keys(config).filter((name) => !READ_SECTIONS.has(name));
  if (sections.length > 0) notes.add(`not carried over: ${sections.join(', ')}`);
  const body = stringify({ upstreams, models }, { lineWidth: 0, aliasDuplicateObjects: false });
  const variables = [...new Set([...body.matchAll(REFERENCE)].map(([, name]) => name))];
  return { text: toHeader(variables, keys.names, [...notes]) + body, madeVariables: keys.names, variables, notes: [...notes].map(toComment) };
}

function readDeployments(config: LitellmConfig, keys: KeyVariables, notes: Set<string>): Deployment[] {
  const credentials = new Map((config.credential_list ?? []).map(({ credential_name, credential_values }) => [credential_name, credential_values]));
  return (config.model_list ?? []).flatMap((entry) => {
    const found = toDeployment(entry, credentials, keys, (text) => notes.add(`${entry.model_name}: ${text}`));
    return found ?? [];
  });
}

function toModel(name: string, group: readonly Deployment[], targets: object[], routing: LitellmRouting, notes: Set<string>): { name: string } & Record<string, unknown> {
  const [{ operation }] = group;
  const prices = group.map(({ price }) => price);
  const price = prices.find((found) => found !== null) ?? null;
  if (new Set(group.map((deployment) => deployment.operation)).size > 1) notes.add(`${name}: its deployments do different work; the first one's is taken`);
  if (prices.some((other) => JSON.stringify(other) !== JSON.stringify(price))) notes.add(`${name}: its deployments have different prices; the first one is taken`);
  const fallbacks = routing.fallbacks.get(name) ?? [];
  const takesFallbacks = toFieldSchemas(CreateModel).fallbacks !== undefined;
  if (fallbacks.length > 0 && !takesFallbacks) notes.add(`${name}: not carried over: its fallbacks ${fallbacks.join(', ')}`);
  return {
    name: escapeReferences(name),
    operation,
    ...(routing.strategy !== 'weighted' && takesStrategy(routing.strategy) ? { strategy: routing.strategy } : {}),
    ...(fallbacks.length > 0 && takesFallbacks ? { fallbacks: fallbacks.map(escapeReferences) } : {}),
    ...(price === null ? {} : { price }),
    targets,
  };
}

/** What models of this version take: the admin API says. */
function takesStrategy(strategy: ImportedStrategy): boolean {
  return toFieldSchemas(CreateModel).strategy?.safeParse(strategy).success === true;
}

/** Every variable that stands anywhere in it: a name that is made up must be none of them. */
function findVariables(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('os.environ/') ? [value.slice('os.environ/'.length)] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(findVariables);
}

function toHeader(variables: readonly string[], made: readonly string[], notes: readonly string[]): string {
  const lines = ['Made from a LiteLLM configuration. Look through it, then: npm run apply -- weir.yaml --dry-run'];
  if (made.length > 0) lines.push('', `Keys were written out there. Set these variables to them: ${made.join(', ')}`);
  if (variables.length > 0) lines.push('', `It reads from the environment: ${variables.join(', ')}`);
  if (notes.length > 0) lines.push('', 'What is not as it was:', ...notes.map((note) => `- ${note}`));
  return `${lines.map((line) => `# ${toComment(line)}`.trimEnd()).join('\n')}\n\n`;
}

/** Names come from the other file: none of them may end the comment. */
function toComment(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/gu, '?');
}
