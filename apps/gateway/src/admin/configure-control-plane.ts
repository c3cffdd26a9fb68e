import { type ArgumentMetadata, type INestApplication, Injectable, ValidationPipe } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import { WeirError } from '@weir/kernel';
import { type Configuration } from '@weir/platform';
import { type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { type Logger } from 'pino';
import { ErrorFilter } from './errors/error.filter';
import { MAX_ADMIN_BODY_BYTES, readJsonBody } from './errors/read-json-body';
import { identifyRequest } from './errors/request-identity';
import { toValidationError } from './errors/to-validation-error';
import { isObject } from './fields/fields';
import { toOpenApiDocument } from './open-api-document';

export const DOCS_PATH = '/admin/docs';

/**
 * Everything of the control plane that stands around its controllers. Create the application with
 * `bodyParser: false` and call this before `init()` or `listen()`.
 */
export function configureControlPlane(
  app: NestExpressApplication,
  configuration: Pick<Configuration, 'corsOrigins'>,
  logger: Logger,
): void {
  // A forwarded address is only as honest as whoever wrote the header: believed by nobody unless set.
  app.set('trust proxy', false);
  app.set('etag', false);
  app.disable('x-powered-by');
  app.use(identifyRequest);
  app.use(protectPages());
  if (configuration.corsOrigins.length > 0) {
    app.enableCors({
      origin: [...configuration.corsOrigins],
      credentials: true,
      methods: ['GET', 'POST', 'PATCH', 'DELETE'],
      exposedHeaders: ['x-request-id', 'retry-after'],
      maxAge: 600,
    });
  }
  app.useBodyParser('raw', { type: () => true, limit: MAX_ADMIN_BODY_BYTES, inflate: false });
  app.use(readJsonBody());
  app.useGlobalPipes(new FieldValidationPipe());
  app.useGlobalFilters(new ErrorFilter(logger));
  serveDocuments(app);
}

/** Unknown fields are refused by name; so is a body that is no object. */
@Injectable()
export class FieldValidationPipe extends ValidationPipe {
  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      transform: true,
      stopAtFirstError: true,
      validationError: { target: false, value: false },
      exceptionFactory: toValidationError,
    });
  }

  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'body' && !isObject(value)) {
      throw new WeirError('invalid_request', { message: 'The body must be a JSON object.' });
    }
    return super.transform(value, metadata);
  }
}

/** The page of the documents needs inline styles; nothing needs inline scripts, or anything from elsewhere. */
function protectPages(): (request: Request, response: Response, next: NextFunction) => void {
  const strict = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // Whether HTTPS is to be kept for good is for whoever ends TLS to say.
    strictTransportSecurity: false,
  });
  const documents = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: false,
  });
  return (request, response, next) => {
    (isDocumentsPath(request.path) ? documents : strict)(request, response, next);
  };
}

function isDocumentsPath(path: string): boolean {
  return path === DOCS_PATH || path.startsWith(DOCS_PATH + '/');
}

/** The page's own files come from the package, never from another host. */
function serveDocuments(app: INestApplication): void {
  SwaggerModule.setup(DOCS_PATH, app, () => toOpenApiDocument(app), {
    jsonDocumentUrl: `${DOCS_PATH}-json`,
    raw: ['json'],
    customSiteTitle: 'Weir admin API',
    swaggerOptions: { persistAuthorization: false, validatorUrl: null },
  });
}
