import { SHORT_ROUTES } from '@weir/wire';
import { readShortRouteFacts } from '../data-plane/facts/read-short-route-facts';
import { chat } from './chat';
import { embeddings } from './embeddings';
import { images } from './images';
import { meshes } from './meshes';
import { type OperationDefinition } from './operation-definition';
import { rerank } from './rerank';

const LONG_ROUTES: readonly OperationDefinition[] = [embeddings, rerank, chat, images, meshes];

/** The short routes to the GPU services: each says in few words what a long one says. */
export const shortRoutes: readonly OperationDefinition[] = Object.entries(SHORT_ROUTES).map(([path, route]) => {
  const long = LONG_ROUTES.find(({ format }) => format === route.format);
  if (long === undefined) throw new Error(`no operation speaks ${route.format}`);
  return { ...long, paths: [path], deploymentPath: null, readFacts: (body, _definition, place) => readShortRouteFacts(body, route, long, place) };
});
