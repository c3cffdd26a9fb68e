/** Meshes of pictures. Pure. */
export * from './read-mesh-request';
export * from './trellis-mesh';
