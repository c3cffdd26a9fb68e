import { type DynamicModule, Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { type BlobConfiguration, type BlobKind, CLOCK, CONFIGURATION, type Configuration, createBlobStore, DATA_SOURCE, LOGGER } from '@weir/platform';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { isVoiceId, type VoiceId } from './voice';
import { VoiceTable } from './voice-table';
import { Voices } from './voices';

/** The table counts bytes in 32 bits. */
const MOST_BYTES = 2 ** 31 - 1;

/** Needs PlatformModule. It is closed when the data plane has drained, and before the data source is. */
@Module({})
export class VoicesModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(Voices) private readonly voices: Voices) {}

  static forRoot(): DynamicModule {
    const voices = {
      provide: Voices,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK, LOGGER],
      useFactory: createVoices,
    };
    return { module: VoicesModule, providers: [voices], exports: [Voices] };
  }

  onApplicationBootstrap(): void {
    this.voices.start();
  }

  onApplicationShutdown(): void {
    this.voices.close();
  }
}

const RECORDINGS: BlobKind<VoiceId> = { diskFolder: 'voices', s3Prefix: '', isName: isVoiceId };

export type VoicesConfiguration = BlobConfiguration & Pick<Configuration, 'voicesPerOrganization' | 'maxUploadBytes'>;

/** As the module makes them, for scripts. Reaches nothing yet; whoever makes them closes them. */
export async function createVoices(configuration: VoicesConfiguration, dataSource: DataSource, clock: Clock, logger: Pick<Logger, 'info' | 'warn'>): Promise<Voices> {
  return new Voices({
    table: new VoiceTable(dataSource),
    store: await createBlobStore(configuration, RECORDINGS),
    clock,
    logger,
    maxBytes: Math.min(configuration.maxUploadBytes, MOST_BYTES),
    maxPerOrganization: configuration.voicesPerOrganization,
  });
}
