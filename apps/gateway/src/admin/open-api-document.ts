import { type INestApplicationContext } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { AdminModule } from './admin.module';
import { SESSION_COOKIE } from './session/session-cookie';

/** The control plane as an OpenAPI document. Needs no database: only what the controllers declare is read. */
export function toOpenApiDocument(app: INestApplicationContext): OpenAPIObject {
  const about = new DocumentBuilder()
    .setTitle('Weir admin API')
    .setDescription('Organizations, projects, users, keys, upstreams and models of a Weir installation, and what was used.')
    .setVersion('1')
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An admin key.' }, 'admin_key')
    .addCookieAuth(SESSION_COOKIE, { type: 'apiKey', in: 'cookie', description: 'Made by POST /admin/session.' }, 'session')
    .build();
  return SwaggerModule.createDocument(app as Parameters<typeof SwaggerModule.createDocument>[0], about, {
    include: [AdminModule],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
}
