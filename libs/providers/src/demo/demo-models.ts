/** The built-in model: says the last user message back. Its server answers to any other name too. */
export const DEMO_MODEL = 'demo/echo';

export function toDemoModel(id: string, createdSeconds: number) {
  return { id, object: 'model', created: createdSeconds, owned_by: 'weir' };
}

export function toDemoModelList(createdSeconds: number) {
  return { object: 'list', data: [toDemoModel(DEMO_MODEL, createdSeconds)] };
}
