import { ConfigurationError } from '@weir/platform';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import { toShownField } from '../admin/errors/to-validation-error';
import { findReferencedVariable, resolveReferences } from './resolve-references';

/** Where a value stands: the names and numbers on the way to it. */
export type Path = readonly (string | number)[];

/** A file's values, and where each of them was written. */
export interface YamlSource {
  readonly value: unknown;
  /** `weir.yaml:4:7`, of the value or of the nearest thing around it that is there. */
  locate(path: Path): string;
  /** The variable when the value was written as one `${NAME}` and nothing else. */
  findVariable(path: Path): string | null;
}

/** An alias stands for all that its anchor holds: without an end to that, ten lines could fill the memory. */
const MOST_VALUES = 50_000;
const DEEPEST = 32;

/** Our own words, because the parser's may quote what stands there, and that may be a secret. */
const FAULTS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'an alias cannot have this here',
  BAD_DQ_ESCAPE: 'a text in double quotes holds an escape that does not exist',
  BAD_INDENT: 'the indentation is not right, or a [ or { is not closed',
  BAD_SCALAR_START: 'a text that begins with this character needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a text with ": " in it needs quotes',
  DUPLICATE_KEY: 'this field is there twice',
  MISSING_CHAR: 'something is not closed, or a space or a : is missing',
  MULTIPLE_DOCS: 'the file holds more than one document',
  MULTILINE_IMPLICIT_KEY: 'the name of a field must be on one line',
  NON_STRING_KEY: 'the name of a field must be a text',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'tabs cannot indent; use spaces',
  UNEXPECTED_TOKEN: 'this cannot stand here',
};

/**
 * Reads YAML 1.2 with references to the environment in its texts. Only what JSON has: no tags, no
 * merge keys, no names that are not texts.
 * @param name how messages call the file
 * @throws ConfigurationError that begins with `name:line:column` and quotes no value
 */
export function parseYaml(text: string, name: string, environment: NodeJS.ProcessEnv): YamlSource {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const document = parse(text, name, lines);
  const [error] = document.errors;
  if (error !== undefined) throw new ConfigurationError(`${at(error.pos[0])}: ${toFault(error, text)}`);
  const [warning] = document.warnings;
  if (warning !== undefined) throw new ConfigurationError(`${at(warning.pos[0])}: tags and directives are not understood here`);
  const reader = new ValueReader(document, environment, at);
  const value = reader.read(document.contents, [], 0);
  return {
    value,
    locate: (path) => at(findOffset(reader.offsets, path)),
    findVariable: (path) => reader.variables.get(toKey(path)) ?? null,
  };
}

function parse(text: string, name: string, lineCounter: LineCounter): Document {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, schema: 'core', merge: false, stringKeys: true, logLevel: 'error' });
  } catch (error) {
    // The parser calls itself for each level.
    if (error instanceof RangeError) throw new ConfigurationError(`${name}: is nested too deeply`);
    throw new ConfigurationError(`${name}: is not valid YAML`);
  }
}

function toFault({ code, pos }: YAMLError, text: string): string {
  const fault = FAULTS[code] ?? `this is not valid YAML (${code})`;
  const line = text.slice(text.lastIndexOf('\n', pos[0] - 1) + 1).split('\n', 1)[0];
  return line.includes('${') ? `${fault}; inside [ ] or { } a \${REFERENCE} needs quotes` : fault;
}

/**
 * Reads somebody else's YAML: merge keys are followed, and nothing in it is a reference.
 * @throws ConfigurationError that quotes no value
 */
export function parseForeignYaml(text: string, name: string): unknown {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, schema: 'core', merge: true, logLevel: 'error' });
    const [error] = document.errors;
    if (error === undefined) return document.toJS({ maxAliasCount: 1_000 });
    const { line, col } = lines.linePos(error.pos[0]);
    throw new ConfigurationError(`${name}:${line}:${col}: ${FAULTS[error.code] ?? `this is not valid YAML (${error.code})`}`);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`${name}: is nested too deeply, or holds too many aliases`);
  }
}

class ValueReader {
  readonly offsets = new Map<string, number>();
  readonly variables = new Map<string, string>();
  #count = 0;

  constructor(
    private readonly document: Document,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly at: (offset: number) => string,
  ) {}

  read(node: unknown, path: Path, keyOffset: number): unknown {
    this.#count += 1;
    const offset = isNode(node) ? (node.range?.[0] ?? keyOffset) : keyOffset;
    const refuse = (fault: string): ConfigurationError => new ConfigurationError(`${this.at(offset)}: ${fault}`);
    if (!this.offsets.has(toKey(path))) this.offsets.set(toKey(path), path.length === 0 ? 0 : keyOffset);
    if (this.#count > MOST_VALUES) throw refuse(`the file stands for more than ${MOST_VALUES} values, its aliases counted out`);
    if (path.length > DEEPEST) throw refuse('this is nested too deeply');
    if (node === null) return null;
    if (isAlias(node)) {
      const meant = node.resolve(this.document);
      if (meant === undefined) throw refuse('there is no anchor of this name before it');
      return this.read(meant, path, offset);
    }
    // What the composer understood by itself has none: this one is written.
    if (isNode(node) && node.tag !== undefined) throw refuse('tags are not understood here');
    if (isMap(node)) return this.readMap(node.items, path, refuse);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index], offsetOf(item, offset)));
    if (isScalar(node)) return this.readScalar(node.value, path, refuse);
    throw refuse('this is not understood');
  }

  private readMap(items: readonly { key: unknown; value: unknown }[], path: Path, refuse: (fault: string) => Error): object {
    const fields: Record<string, unknown> = {};
    for (const { key, value } of items) {
      if (!isScalar(key) || typeof key.value !== 'string') throw refuse('the name of a field must be a text');
      const name = key.value;
      const offset = offsetOf(key, 0);
      // As a field of an object it would be another thing than it looks.
      if (name === '__proto__') throw new ConfigurationError(`${this.at(offset)}: the field __proto__ is not known`);
      fields[name] = this.read(value, [...path, name], offset);
    }
    return fields;
  }

  private readScalar(value: unknown, path: Path, refuse: (fault: string) => Error): unknown {
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
    if (typeof value !== 'string') throw refuse('this is not understood');
    const resolved = resolveReferences(value, this.environment);
    if ('fault' in resolved) throw refuse(`${resolved.fault} (${toFieldName(path)})`);
    const variable = findReferencedVariable(value);
    if (variable !== null) this.variables.set(toKey(path), variable);
    return resolved.text;
  }
}

/** `upstreams[0].keys[1].secret` */
export function toFieldName(path: Path): string {
  const name = path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
  return toShownField(name);
}

/** The path that `toFieldName` and the admin API's errors write: `targets[0].weight`. */
export function parseFieldName(name: string): Path {
  return name.split(/[.[\]]+/).filter((part) => part !== '').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function isNode(node: unknown): node is Node & { tag?: string } {
  return isAlias(node) || isMap(node) || isSeq(node) || isScalar(node);
}

function offsetOf(node: unknown, otherwise: number): number {
  return isNode(node) ? (node.range?.[0] ?? otherwise) : otherwise;
}

function findOffset(offsets: ReadonlyMap<string, number>, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsets.get(toKey(path.slice(0, length)));
    if (offset !== undefined) return offset;
  }
  return 0;
}

function toKey(path: Path): string {
  return JSON.stringify(path);
}
