/** OpenAI's model object. Weir knows no date of birth of a model, so `created` is the epoch. */
function toObject(name: string): Record<string, unknown> {
  return { id: name, object: 'model', created: 0, owned_by: 'weir' };
}

export function toModelObject(name: string): Buffer {
  return Buffer.from(JSON.stringify(toObject(name)));
}

export function toModelList(names: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify({ object: 'list', data: names.map(toObject) }));
}
