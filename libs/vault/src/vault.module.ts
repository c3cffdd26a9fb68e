import { type DynamicModule, Module } from '@nestjs/common';
import { DATA_SOURCE } from '@weir/platform';
import { type DataSource } from 'typeorm';
import { type KeyRing } from './key-ring';
import { SealedTexts } from './sealed-text';
import { UpstreamKeyVault } from './upstream-key-vault';

/** Needs PlatformModule. The ring is read by the composition root and lives in the vault alone. */
@Module({})
export class VaultModule {
  static forRoot(ring: KeyRing): DynamicModule {
    const vault = {
      provide: UpstreamKeyVault,
      inject: [DATA_SOURCE],
      useFactory: (dataSource: DataSource) => new UpstreamKeyVault(dataSource.manager, ring),
    };
    const texts = { provide: SealedTexts, useValue: new SealedTexts(ring) };
    return { module: VaultModule, providers: [vault, texts], exports: [UpstreamKeyVault, SealedTexts] };
  }
}
