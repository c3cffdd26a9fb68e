import { JsonObject } from '../json-object';

const SNAKE = /_([a-z0-9])/g;

/**
 * The same object with its own names in camelCase. Google reads JSON in both spellings
 * (`system_instruction`, `systemInstruction`), as every reader of Protocol Buffers does. Only this
 * object's names change: what is inside may be a tool's arguments. Refusals name the camelCase.
 */
export function toCamelObject(object: JsonObject): JsonObject {
  if (!object.names.some((name) => name.includes('_'))) return object;
  const members: Record<string, unknown> = {};
  for (const name of object.names) {
    const camel = toCamelName(name);
    // Said in both spellings, the one that is not null counts.
    if ((members[camel] ?? null) === null) members[camel] = object.find(name);
  }
  return JsonObject.of(members, object.path, 'caller');
}

export function toCamelName(name: string): string {
  return name.replace(SNAKE, (_, letter: string) => letter.toUpperCase());
}

/** A member that is an object, as toCamelObject. */
export function findCamelObject(holder: JsonObject, name: string): JsonObject | null {
  const object = holder.findObject(name);
  return object === null ? null : toCamelObject(object);
}

/** A member that is a list of objects, each as toCamelObject; empty when it is absent. */
export function findCamelObjects(holder: JsonObject, name: string): JsonObject[] {
  return (holder.findObjects(name) ?? []).map(toCamelObject);
}
