import { type DynamicModule, Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, CONFIGURATION, type Configuration, DATA_SOURCE, LOGGER } from '@weir/platform';
import { join } from 'node:path';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { DiskVoiceStore } from './disk-voice-store';
import { S3VoiceStore } from './s3-voice-store';
import { type VoiceStore } from './voice-store';
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

export type VoicesConfiguration = Pick<Configuration, 'voiceStore' | 'voicesPerOrganization' | 'maxUploadBytes' | 'dataDirectory'>;

/** As the module makes them, for scripts. Reaches nothing yet; whoever makes them closes them. */
export async function createVoices(configuration: VoicesConfiguration, dataSource: DataSource, clock: Clock, logger: Pick<Logger, 'info' | 'warn'>): Promise<Voices> {
  return new Voices({
    table: new VoiceTable(dataSource),
    store: await createVoiceStore(configuration),
    clock,
    logger,
    maxBytes: Math.min(configuration.maxUploadBytes, MOST_BYTES),
    maxPerOrganization: configuration.voicesPerOrganization,
  });
}

async function createVoiceStore({ voiceStore, dataDirectory }: VoicesConfiguration): Promise<VoiceStore> {
  switch (voiceStore.kind) {
    case 'disk':
      return new DiskVoiceStore(join(dataDirectory, 'voices'));
    case 's3':
      return S3VoiceStore.create(voiceStore);
  }
}
