import { type ProviderName } from '@weir/providers';
import { type ProxyTarget } from './match-proxy-path';

/** What base URLs end in, and paths say again: a version, or the place of OpenAI's API at Azure and Google. */
const OPENAI_END = /\/openai(?:\/v1)?$/;
const VERSION_END = /\/v\d[a-z0-9]*$/;
const VERSION_START = /^\/v\d[a-z0-9]*(?:\/|$)/;

/**
 * The path at the upstream's host. People write it with and without what the base URL already says.
 * It never leads out of what stands before that in the base URL.
 */
export function toUpstreamPath(basePath: string, { path }: Pick<ProxyTarget, 'path'>): string {
  if (path === basePath || path.startsWith(`${basePath}/`)) return path;
  if (path.startsWith('/openai/') && OPENAI_END.test(basePath)) return basePath.replace(OPENAI_END, '') + path;
  // A version in the path takes the place of the base URL's.
  if (VERSION_START.test(path) && VERSION_END.test(basePath)) return basePath.replace(VERSION_END, '') + path;
  return basePath + path;
}

/** Anthropic's base URL is mostly written without the version, which belongs to all of its paths. */
const ANTHROPIC_WORK = /^\/(?:messages|models)(?:\/|$)/;

/** As `toUpstreamPath`, with the version where the provider has it and neither the path nor the base URL says it. */
export function toProviderPath(provider: ProviderName, basePath: string, target: Pick<ProxyTarget, 'path'>): string {
  const isUnversioned = provider === 'anthropic' && ANTHROPIC_WORK.test(target.path) && !VERSION_END.test(basePath);
  return toUpstreamPath(isUnversioned ? `${basePath}/v1` : basePath, target);
}

/** What the path says beyond the base URL; the whole of it where it says nothing of that. */
export function toOwnPath(basePath: string, upstreamPath: string): string {
  return basePath !== '' && upstreamPath.startsWith(`${basePath}/`) ? upstreamPath.slice(basePath.length) : upstreamPath;
}
