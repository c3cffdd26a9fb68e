import { type UsageUnits } from '@weir/kernel';
import { type JsonScanner, readAnthropicUsage, readFormatUsage, readGeminiUsage, readResponsesUsage, readScannedChatUsage, type WireFormat } from '@weir/wire';

/** The usage of an answer that was scanned; null where it tells none. */
export function readScannedUsage(scanner: JsonScanner, format: WireFormat): UsageUnits | null {
  const member = scanner.findMember(format === 'gemini' ? 'usageMetadata' : 'usage');
  if (member === -1) return null;
  if (format === 'openai-chat') return readScannedChatUsage(scanner, member);
  const usage = scanner.parseMember(member);
  switch (format) {
    case 'anthropic':
      return readAnthropicUsage(usage);
    case 'gemini':
      return readGeminiUsage(usage);
    case 'openai-responses':
      return readResponsesUsage(usage);
    default:
      return readFormatUsage(format, usage);
  }
}
