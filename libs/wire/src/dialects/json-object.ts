import { WeirError } from '@weir/kernel';

/** Whose JSON it is: a caller's mistake is a 400 that names the field, an upstream's is a 502. */
export type JsonOrigin = 'caller' | 'upstream';

/** Names that are shown to the caller. Others could be anything, a prompt too. */
const SHOWABLE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/**
 * A JSON object from outside, read member by member. `find…` answers null for a member that is absent
 * or null; `get…` refuses these; both refuse a member of another type. Errors name the member and
 * what is expected, never a value: it may be a prompt.
 */
export class JsonObject {
  private constructor(
    readonly members: Readonly<Record<string, unknown>>,
    /** `messages[0]`; empty for the whole body. */
    readonly path: string,
    private readonly origin: JsonOrigin,
  ) {}

  /** @throws WeirError invalid_request or upstream_error */
  static of(value: unknown, path: string, origin: JsonOrigin): JsonObject {
    if (!isJsonObject(value)) throw toFault(origin, path, 'must be an object');
    return new JsonObject(value, path, origin);
  }

  get names(): string[] {
    return Object.keys(this.members);
  }

  /** The member as it is; null when it is absent. */
  find(name: string): unknown {
    return Object.hasOwn(this.members, name) ? (this.members[name] ?? null) : null;
  }

  has(name: string): boolean {
    return this.find(name) !== null;
  }

  findText(name: string): string | null {
    const value = this.find(name);
    if (value === null || typeof value === 'string') return value;
    throw this.fault(name, 'must be a string');
  }

  getText(name: string): string {
    return this.findText(name) ?? this.throwMissing(name);
  }

  findFlag(name: string): boolean | null {
    const value = this.find(name);
    if (value === null || typeof value === 'boolean') return value;
    throw this.fault(name, 'must be true or false');
  }

  findNumber(name: string, least: number, most: number): number | null {
    const value = this.find(name);
    if (value === null) return null;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw this.fault(name, `must be a number from ${least} to ${most}`);
  }

  findInteger(name: string, least: number, most: number): number | null {
    const value = this.find(name);
    if (value === null) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw this.fault(name, `must be a whole number from ${least} to ${most}`);
  }

  findChoice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | null {
    const value = this.find(name);
    if (value === null) return null;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw this.fault(name, `must be one of: ${choices.join(', ')}`);
    return choice;
  }

  findObject(name: string): JsonObject | null {
    const value = this.find(name);
    return value === null ? null : JsonObject.of(value, this.pathOf(name), this.origin);
  }

  getObject(name: string): JsonObject {
    return this.findObject(name) ?? this.throwMissing(name);
  }

  /** A member that is handed on as it is, such as a JSON schema. */
  findRecord(name: string): Readonly<Record<string, unknown>> | null {
    return this.findObject(name)?.members ?? null;
  }

  findObjects(name: string): JsonObject[] | null {
    return this.findList(name)?.map((item, index) => JsonObject.of(item, `${this.pathOf(name)}[${index}]`, this.origin)) ?? null;
  }

  findTexts(name: string): string[] | null {
    const list = this.findList(name);
    return list?.map((item, index) => {
      if (typeof item === 'string') return item;
      throw this.fault(`${name}[${index}]`, 'must be a string');
    }) ?? null;
  }

  findList(name: string): readonly unknown[] | null {
    const value = this.find(name);
    if (value === null) return null;
    if (!Array.isArray(value)) throw this.fault(name, 'must be an array');
    const list: readonly unknown[] = value;
    return list;
  }

  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  /** The error for a member; the object itself for an empty name. `what` never holds a value from outside. */
  fault(name: string, what: string): WeirError {
    return toFault(this.origin, name === '' ? this.path : this.pathOf(name), what);
  }

  private throwMissing(name: string): never {
    throw this.fault(name, 'is required');
  }
}

/** An object that is no array, and no number that was kept as its text. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** A request that a dialect cannot express, or that is wrong; `field` as the caller calls it. */
export function toRefusal(field: string, what: string): WeirError {
  return new WeirError('invalid_request', { message: `${field} ${what}.`, param: field });
}

/** Refuses a member that Weir does not know. A name that could hold anything is not repeated. */
export function toUnknownMember(name: string): WeirError {
  return SHOWABLE_NAME.test(name)
    ? toRefusal(name, 'is not known, so it cannot be translated for this model')
    : new WeirError('invalid_request', { message: 'The request has a member that is not known.' });
}

function toFault(origin: JsonOrigin, path: string, what: string): WeirError {
  if (origin === 'caller') return path === '' ? new WeirError('invalid_request', { message: `The body ${what}.` }) : toRefusal(path, what);
  return new WeirError('upstream_error', { detail: `the upstream's answer: ${path === '' ? 'the body' : path} ${what}` });
}
