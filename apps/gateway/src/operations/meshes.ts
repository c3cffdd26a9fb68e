import { readMeshFacts } from '../data-plane/facts/read-mesh-facts';
import { type OperationDefinition } from './operation-definition';

/** Meshes made of pictures, by jobs: `POST /v1/meshes` answers before they are done. */
export const meshes: OperationDefinition = {
  operation: 'meshes',
  format: 'meshes',
  paths: ['/v1/meshes'],
  deploymentPath: null,
  canStream: false,
  answers: 'json',
  readFacts: readMeshFacts,
};
