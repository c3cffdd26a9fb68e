import { chat } from './chat';
import { completions } from './completions';
import { embeddings } from './embeddings';
import { type OperationDefinition } from './operation-definition';

/** Every operation of the data plane. A new one is a file beside this and a line here. */
export const OPERATION_DEFINITIONS: readonly OperationDefinition[] = [chat, completions, embeddings];
export { type OperationDefinition, toKind } from './operation-definition';
