/** The short routes to the GPU services, said in the formats of the long ones. Pure. */
export * from './refuse-picture-urls';
export * from './short-routes';
export * from './to-canonical-body';
