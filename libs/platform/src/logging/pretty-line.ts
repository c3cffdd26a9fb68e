const LEVEL_NAMES: Readonly<Record<number, string>> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };
const NOT_SHOWN: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'stack']);

/** A JSON log line as a person reads it: `12:30:05.123 INFO  listening port=8080`. */
export function toPrettyLine(json: string): string {
  const line: unknown = JSON.parse(json);
  if (typeof line !== 'object' || line === null) return json;
  const fields = new Map<string, unknown>(Object.entries(line));
  const time = new Date(Number(fields.get('time'))).toISOString().slice(11, 23);
  const level = (LEVEL_NAMES[Number(fields.get('level'))] ?? 'LOG').padEnd(5);
  const shown = [...fields].filter(([name]) => !NOT_SHOWN.has(name)).map(([name, value]) => `${name}=${toText(value)}`);
  return [time, level, toText(fields.get('msg') ?? ''), ...shown].join(' ').trimEnd() + toStack(fields.get('err')) + '\n';
}

/** Without control characters: whoever reads a terminal must not be fooled by what a line carries. */
function toText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"');
  return JSON.stringify(value, (name: string, inner: unknown) => (name === 'stack' ? undefined : inner));
}

function toStack(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stack' in error) || typeof error.stack !== 'string') return '';
  return error.stack.split('\n').map((frame) => `\n    ${frame}`).join('');
}
