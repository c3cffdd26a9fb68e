import { type Configuration } from '@weir/platform';
import { type FirstStart } from './first-start';

const PROVIDER_KEYS = ['OPENAI', 'AZURE', 'ANTHROPIC', 'GEMINI'].flatMap((vendor) => [`${vendor}_API_KEYS`, `${vendor}_API_KEY`]);

/** What a person sees at a start: where things are and, the first time, the keys and a line to try. */
export function toBanner(configuration: Configuration, environment: NodeJS.ProcessEnv, firstStart: FirstStart | null, startMs: number): string {
  const gateway = toUrl(configuration.host, configuration.port);
  const lines = [
    `Weir is ready (${(startMs / 1000).toFixed(1)} s)`,
    `  gateway  ${gateway}/v1`,
    `  admin    ${toUrl(configuration.adminHost, configuration.adminPort)}/admin/docs`,
    `  metrics  ${toUrl(configuration.metricsHost, configuration.metricsPort)}/metrics`,
  ];
  for (const { upstream, importedKeys, heldKeys, hasOtherAddress } of firstStart?.imports ?? []) {
    if (hasOtherAddress) lines.push(`  ${upstream}: has another address than the environment says, so its keys were not imported`);
    else lines.push(`  ${upstream}: ${importedKeys} ${importedKeys === 1 ? 'key' : 'keys'} imported from the environment, ${heldKeys} held already`);
  }
  if (firstStart === null && PROVIDER_KEYS.some((name) => (environment[name] ?? '') !== '')) {
    lines.push('  The environment holds provider keys; npm run init-upstream-keys imports those that are not held yet.');
  }
  if (firstStart?.adminKey != null) lines.push('', 'Admin key, shown this once:', `  ${firstStart.adminKey.expose()}`);
  if (firstStart?.proxyKey != null) {
    lines.push(
      '',
      'Try it, with the first key of the organization "default" (shown this once, too):',
      `  curl -N ${gateway}/v1/chat/completions -H 'Authorization: Bearer ${firstStart.proxyKey.expose()}' -H 'Content-Type: application/json' -d '{"model":"demo/echo","stream":true,"messages":[{"role":"user","content":"Hello, Weir!"}]}'`,
    );
  }
  return `\n${lines.join('\n')}\n\n`;
}

/** An address that can be clicked: a server that listens everywhere is reached at localhost. */
function toUrl(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
