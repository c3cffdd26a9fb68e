import { type Deployment, type DeploymentAddress } from './litellm-deployment';
import { type ImportedStrategy } from './litellm-routing';

interface ImportedUpstream extends DeploymentAddress {
  readonly name: string;
  readonly keys?: readonly { readonly secret: string }[];
}

export interface ImportedTarget {
  readonly upstream: string;
  readonly upstream_model: string;
  readonly weight?: number;
  readonly priority?: number;
}

/** A target before its upstream has a name. */
interface Use {
  readonly deployment: Deployment;
  readonly weight: number;
  readonly priority: number;
}

const DEFAULT_WEIGHT = 100;
const LARGEST_WEIGHT = 1_000_000;
const LOWEST_PRIORITY = 1_000;

/**
 * Deployments by upstream. A key is used for what it was used for: keys of one address share an
 * upstream only when they serve the same models with the same names.
 */
export function toUpstreams(deployments: readonly Deployment[], strategy: ImportedStrategy): { upstreams: ImportedUpstream[]; targetsOf: (modelName: string) => ImportedTarget[] } {
  const uses = [...Map.groupBy(deployments, ({ modelName }) => modelName).values()].flatMap((group) => toUses(group, strategy));
  const byKey = [...Map.groupBy(uses, ({ deployment: { address, key } }) => JSON.stringify([address, key])).values()];
  const groups = [...Map.groupBy(byKey, toSignature).values()].map((keyed) => keyed.flat());
  const names = nameAll(groups);
  return {
    upstreams: groups.map((group, index) => toUpstream(names[index], group)),
    targetsOf: (modelName) => groups.flatMap((group, index) => toTargets(names[index], group.filter(({ deployment }) => deployment.modelName === modelName), uses)),
  };
}

/** As LiteLLM shuffles: by weight, else by rpm, else by tpm, else evenly; who has none among those who have gets nothing. */
function toUses(group: readonly Deployment[], strategy: ImportedStrategy): Use[] {
  const measures = [
    group.map(({ weight }) => (weight === null ? null : weight * DEFAULT_WEIGHT)),
    group.map(({ requestsPerMinute }) => requestsPerMinute),
    group.map(({ tokensPerMinute }) => tokensPerMinute),
  ];
  const measure = strategy === 'weighted' ? measures.find((values) => values.some((value) => value !== null && value > 0)) : undefined;
  const largest = Math.max(...(measure ?? []).map((value) => value ?? 0), 1);
  const scale = largest > LARGEST_WEIGHT ? LARGEST_WEIGHT / largest : 1;
  const hasOrder = group.some(({ order }) => order !== null);
  return group.map((deployment, index) => ({
    deployment,
    weight: measure === undefined ? DEFAULT_WEIGHT : Math.round((measure[index] ?? 0) * scale),
    priority: hasOrder ? Math.min(Math.round(deployment.order ?? LOWEST_PRIORITY), LOWEST_PRIORITY) : 0,
  }));
}

function toSignature(uses: readonly Use[]): string {
  const served = uses.map(({ deployment, weight, priority }) => JSON.stringify([deployment.modelName, deployment.upstreamModel, weight, priority]));
  // A server without a key is one server, however often it is listed.
  return JSON.stringify([uses[0].deployment.address, uses[0].deployment.key === null, served.toSorted()]);
}

function nameAll(groups: readonly (readonly Use[])[]): string[] {
  const taken = new Set<string>();
  return groups.map(([{ deployment }]) => {
    let name = deployment.prefix;
    for (let number = 2; taken.has(name); number += 1) name = `${deployment.prefix}-${number}`;
    taken.add(name);
    return name;
  });
}

function toUpstream(name: string, group: readonly Use[]): ImportedUpstream {
  const keys = [...new Set(group.flatMap(({ deployment: { key } }) => key ?? []))];
  return { name, ...group[0].deployment.address, ...(keys.length === 0 ? {} : { keys: keys.map((secret) => ({ secret })) }) };
}

/** Several keys of one upstream had a share each: together they have the sum. */
function toTargets(upstream: string, uses: readonly Use[], all: readonly Use[]): ImportedTarget[] {
  return [...Map.groupBy(uses, ({ deployment }) => deployment.upstreamModel)].map(([upstream_model, same]) => {
    const weight = Math.min(same.reduce((sum, use) => sum + use.weight, 0), LARGEST_WEIGHT);
    const priority = Math.min(...same.map((use) => use.priority));
    const isAlone = all.filter(({ deployment }) => deployment.modelName === same[0].deployment.modelName).length === same.length;
    return { upstream, upstream_model, ...(isAlone || weight === DEFAULT_WEIGHT ? {} : { weight }), ...(isAlone || priority === 0 ? {} : { priority }) };
  });
}
