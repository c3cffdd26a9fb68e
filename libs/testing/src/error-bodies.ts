/** OpenAI's error object: all four keys. */
export function toOpenAiErrorBody(message: string, type: string, code: string | null, param: string | null = null) {
  return { error: { message, type, param, code } };
}

const row = (status: number, message: string, type: string, code: string | null, param: string | null = null) => ({
  status,
  ...toOpenAiErrorBody(message, type, code, param),
});

/** Written after OpenAI's reference; not recorded. */
export const OPENAI_ERRORS = {
  invalid_api_key: row(401, 'Incorrect API key provided.', 'invalid_request_error', 'invalid_api_key'),
  permission_denied: row(403, 'Your key does not have access to this model.', 'invalid_request_error', 'permission_denied'),
  model_not_found: row(404, 'The model does not exist or you do not have access to it.', 'invalid_request_error', 'model_not_found'),
  context_length_exceeded: row(
    400,
    "This model's maximum context length is 8192 tokens.",
    'invalid_request_error',
    'context_length_exceeded',
    'messages',
  ),
  invalid_value: row(400, "Invalid value for 'temperature'.", 'invalid_request_error', null, 'temperature'),
  rate_limit_exceeded: row(429, 'Rate limit reached for requests.', 'requests', 'rate_limit_exceeded'),
  tokens_rate_limit_exceeded: row(429, 'Rate limit reached for tokens.', 'tokens', 'rate_limit_exceeded'),
  insufficient_quota: row(429, 'You exceeded your current quota.', 'insufficient_quota', 'insufficient_quota'),
  credit_balance_exhausted: row(429, 'Your credit balance is exhausted.', 'insufficient_quota', 'credit_balance_exhausted'),
  server_error: row(500, 'The server had an error while processing your request.', 'server_error', null),
  overloaded: row(503, 'The engine is currently overloaded.', 'server_error', null),
} as const;

export type OpenAiErrorName = keyof typeof OPENAI_ERRORS;

/** Written after Azure's reference; codes may be numbers in quotes, and type and param may be absent. */
export const AZURE_ERRORS = {
  unauthorized: {
    status: 401,
    error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint.' },
  },
  rate_limited: {
    status: 429,
    error: { code: '429', message: 'Requests to the ChatCompletions Operation have exceeded the call rate limit.' },
  },
  deployment_not_found: {
    status: 404,
    error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist.' },
  },
  content_filter: {
    status: 400,
    error: {
      message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
      type: null,
      param: 'prompt',
      code: 'content_filter',
      status: 400,
      innererror: {
        code: 'ResponsibleAIPolicyViolation',
        content_filter_result: { hate: { filtered: false, severity: 'safe' }, violence: { filtered: true, severity: 'high' } },
      },
    },
  },
  server_error: { status: 500, error: { code: 'InternalServerError', message: 'The server had an error.' } },
} as const;

export type AzureErrorName = keyof typeof AZURE_ERRORS;
