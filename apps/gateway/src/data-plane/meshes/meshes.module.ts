import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { type BlobKind, CLOCK, CONFIGURATION, type Configuration, createBlobStore, DATA_SOURCE } from '@weir/platform';
import { type KeyRing } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { isMeshFileName, type MeshFileName, MeshFiles } from './mesh-files';
import { MeshTable } from './mesh-table';
import { Meshes } from './meshes';

const HOUR_MS = 3_600_000;

/** A run renews its lease every second; without it for so long, its process is taken for dead. */
const LEASE_MS = 30_000;
/** A job whose turn has not come after so long fails. */
const WAIT_MS = 24 * HOUR_MS;
/** From the end of a job. */
const RETENTION_MS = 24 * HOUR_MS;

const FILES: BlobKind<MeshFileName> = { diskFolder: 'meshes', s3Prefix: 'meshes/', isName: isMeshFileName };

/**
 * Needs PlatformModule. What works on the meshes is the MeshRunner, which needs the road, is started with
 * the listener, and is stopped before this is closed.
 */
@Module({})
export class MeshesModule implements OnApplicationShutdown {
  constructor(@Inject(Meshes) private readonly meshes: Meshes) {}

  static forRoot(ring: KeyRing): DynamicModule {
    const meshes = {
      provide: Meshes,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK],
      useFactory: async (configuration: Configuration, dataSource: DataSource, clock: Clock) => {
        const table = new MeshTable(dataSource, { leaseMs: LEASE_MS, waitMs: WAIT_MS, retentionMs: RETENTION_MS });
        return new Meshes({ table, files: new MeshFiles(await createBlobStore(configuration, FILES), table), ring, clock });
      },
    };
    return { module: MeshesModule, providers: [meshes], exports: [Meshes] };
  }

  onApplicationShutdown(): void {
    this.meshes.files.close();
  }
}
