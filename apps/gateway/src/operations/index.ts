import { batchEmbedContents } from './batch-embed-contents';
import { chat } from './chat';
import { completions } from './completions';
import { countTokens } from './count-tokens';
import { embedContent } from './embed-content';
import { embeddings } from './embeddings';
import { generateContent } from './generate-content';
import { imageEdits } from './image-edits';
import { images } from './images';
import { meshes } from './meshes';
import { messages } from './messages';
import { moderations } from './moderations';
import { type OperationDefinition } from './operation-definition';
import { rerank } from './rerank';
import { responses } from './responses';
import { shortRoutes } from './short-routes';
import { speech } from './speech';
import { transcriptions, translations } from './transcriptions';

/** Every operation of the data plane, once for each format in which callers ask for it. A new one is a file beside this and a line here. */
export const OPERATION_DEFINITIONS: readonly OperationDefinition[] = [
  chat,
  messages,
  countTokens,
  responses,
  generateContent,
  completions,
  embeddings,
  embedContent,
  batchEmbedContents,
  moderations,
  rerank,
  speech,
  transcriptions,
  translations,
  images,
  imageEdits,
  meshes,
  ...shortRoutes,
];
export { type OperationDefinition } from './operation-definition';
