"""Drives the official OpenAI package against a Weir: one JSON document of what happened goes to standard output.

Usage: openai_client.py <base url> <key> <limited key> <chat model> <embeddings model>
"""

import json
import sys

import openai


def refusal_of(call):
    """What a call was refused with, as the package tells it."""
    try:
        call()
    except openai.APIStatusError as error:
        return {
            "kind": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "param": error.param,
            "type": error.type,
            "request_id": error.request_id,
            "retry_after_ms": error.response.headers.get("retry-after-ms"),
        }
    return None


def main():
    base_url, key, limited_key, chat_model, embeddings_model = sys.argv[1:6]
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    messages = [{"role": "user", "content": "Grüß Gott, 👋 — from Python"}]

    def chat(caller=client, model=chat_model, **more):
        return caller.chat.completions.create(model=model, messages=messages, **more)

    def read(stream):
        chunks = list(stream)
        return {
            "text": "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices),
            "usages": [chunk.usage.total_tokens for chunk in chunks if chunk.usage is not None],
        }

    whole = chat()
    limited = openai.OpenAI(base_url=base_url, api_key=limited_key, max_retries=0)
    chat(limited)
    stranger = openai.OpenAI(base_url=base_url, api_key="sk-weir-nobody", max_retries=0)

    def read_broken():
        try:
            return {"ended": True, **read(chat(stream=True, user="break the stream"))}
        except openai.APIError as error:
            return {"ended": False, "code": error.code}

    print(
        json.dumps(
            {
                "models": [model.id for model in client.models.list()],
                "retrieved": client.models.retrieve(chat_model).id,
                "chat": {"text": whole.choices[0].message.content, "total_tokens": whole.usage.total_tokens, "request_id": whole._request_id},
                "stream": read(chat(stream=True)),
                "stream_with_usage": read(chat(stream=True, stream_options={"include_usage": True})),
                "broken_stream": read_broken(),
                "floats": len(client.embeddings.create(model=embeddings_model, input=["a", "b"], encoding_format="float").data[1].embedding),
                "decoded": len(client.embeddings.create(model=embeddings_model, input=["a", "b"]).data[1].embedding),
                "401": refusal_of(lambda: chat(stranger)),
                "404": refusal_of(lambda: chat(model="gpt-nobody")),
                "429": refusal_of(lambda: chat(limited)),
            }
        )
    )


main()
