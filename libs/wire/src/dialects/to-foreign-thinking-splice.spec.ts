import { type Dialect, spliceMembers, toForeignThinkingSplice } from '@weir/wire';
import { toSealedSignature } from './gemini/signatures';

const clean = (dialect: Dialect, json: string): string => {
  const body = Buffer.from(json);
  const splice = toForeignThinkingSplice(dialect, body);
  return spliceMembers(body, splice === null ? [] : [splice]).toString();
};

const sealed = toSealedSignature({ signature: 'EqQB', text: 'T' });

describe('thinking of other providers, where bytes pass', () => {
  it.each<[Dialect, string]>([
    ['anthropic', '{ "messages": [{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"EqQB"},{"type":"redacted_thinking","data":"Emw"},{"type":"text","text":"the word \\"gemini.\\" and no mark"}]}] }'],
    ['anthropic', '{"messages":[{"role":"user","content":"\\"signature\\":\\"\\" is what I saw, and \\"gemini.call.0:x\\""}]}'],
    ['anthropic', '{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x","signature":""}]}]}'],
    ['gemini', '{"contents":[{"role":"model","parts":[{"text":"T","thought":true,"thoughtSignature":"CpQC"},{"text":"eyJ3ZWlyIj"}]}]}'],
    ['openai-chat', '{"messages":[{"role":"user","content":"\\"reasoning\\": yes"}],"reasoning":{"effort":"low"}}'],
    ['openai-responses', '{"input":[{"type":"reasoning","encrypted_content":"gAAAA","summary":[]},{"role":"user","content":"weir.signature:x"}],"x":"weir."}'],
    ['openai-responses', '{"input":"weir.signature:"}'],
  ])('leaves a body of %s without any byte for byte: %s', (dialect, body) => {
    expect(clean(dialect, body)).toBe(body);
  });

  it("is taken out of Anthropic's messages: what Gemini signed, and what nobody did", () => {
    const foreign = '{"type":"thinking","thinking":"G","signature":"gemini.thought:QUJD"},{"type":"redacted_thinking","data":"gemini.call.0:QUJD"},{"type":"thinking","thinking":"V","signature":""}';
    const own = '{"type":"thinking","thinking":"T","signature":"EqQB"},{"type":"tool_use","id":"t","name":"n","input":{"big":12345678901234567890}}';
    const body = (blocks: string): string => `{ "model":"m","messages":[{"role":"assistant","content":[${blocks}]}], "x":1.0 }`;
    expect(clean('anthropic', body(`${foreign},${own}`))).toBe(body(own));
  });

  it('takes a message with it that was nothing else', () => {
    const user = '{"role":"user","content":"x"}';
    expect(clean('anthropic', `{"messages":[${user},{"role":"assistant","content":[{"type":"thinking","thinking":"V","signature":""}]},${user}]}`)).toBe(`{"messages":[${user},${user}]}`);
  });

  it.each(['thoughtSignature', 'thought_signature'])("is taken out of Gemini's contents where Weir sealed it (%s)", (name) => {
    const body = (parts: string): string => `{"contents":[{"role":"model","parts":[${parts}]}]}`;
    expect(clean('gemini', body(`{"text":"T","thought":true,"${name}":"${sealed}"},{"text":"Hello"}`))).toBe(body('{"text":"Hello"}'));
  });

  it("is taken out of chat's messages, all of it", () => {
    const body = (thinking: string): string => `{"messages":[{"role":"assistant","content":"Hello"${thinking}}],"reasoning":{"effort":"low"}}`;
    expect(clean('openai-chat', body(',"reasoning":"T","reasoning_content":"T","reasoning_details":[{"type":"reasoning.text","text":"T"}]'))).toBe(body(''));
  });

  it("is taken out of responses' input where Weir signed for another", () => {
    const user = '{"role":"user","content":"x"}';
    expect(clean('openai-responses', `{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"weir.redacted:EmwK"},${user}]}`)).toBe(`{"input":[${user}]}`);
  });

  it.each(['{"messages":5,"reasoning_details":1}', '{"reasoning_details":[]}', '{"messages":[5,null,{"role":"assistant","reasoning_details":[]}]}', '{"messages":[{"reasoning_details"'])('survives what is no conversation: %s', (body) => {
    expect(() => clean('openai-chat', body)).not.toThrow();
  });
});
