import { type DynamicModule, Module } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, CONFIGURATION, type Configuration, DATA_SOURCE } from '@weir/platform';
import { type KeyRing } from '@weir/vault';
import { join } from 'node:path';
import { type DataSource } from 'typeorm';
import { MeshFiles } from './mesh-files';
import { MeshTable } from './mesh-table';
import { Meshes } from './meshes';

const HOUR_MS = 3_600_000;

/** A run renews its lease every second; without it for so long, its process is taken for dead. */
const LEASE_MS = 30_000;
/** A job whose turn has not come after so long fails. */
const WAIT_MS = 24 * HOUR_MS;
/** From the end of a job. */
const RETENTION_MS = 24 * HOUR_MS;

/** Needs PlatformModule. What works on the meshes is the MeshRunner, which needs the road and is started with the listener. */
@Module({})
export class MeshesModule {
  static forRoot(ring: KeyRing): DynamicModule {
    const meshes = {
      provide: Meshes,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK],
      useFactory: ({ dataDirectory }: Configuration, dataSource: DataSource, clock: Clock) =>
        new Meshes({
          table: new MeshTable(dataSource, { leaseMs: LEASE_MS, waitMs: WAIT_MS, retentionMs: RETENTION_MS }),
          files: new MeshFiles(join(dataDirectory, 'meshes')),
          ring,
          clock,
        }),
    };
    return { module: MeshesModule, providers: [meshes], exports: [Meshes] };
  }
}
