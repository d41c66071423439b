"""A true model server: a tiny random decoder behind HTTP, constrained to the schema of each request.

    tokenizer   byte-level BPE, trained on the packaged prompts; an image is IMAGE_TOKENS tokens of its own
    decoder     a Llama of two layers of 64, random by a fixed seed, with a key-value cache
    decoding    one of the bytes that the automaton (grammar.py) allows, by the decoder's logits, sampled at
                the request's temperature with a seed from the prompt: equal requests get equal answers.
                Bytes without an alternative go through the decoder together with the next choice
    endpoint    POST /v1/chat/completions with response_format json_schema, or json_object with a schema, or
                without one (any text); `usage` counts the tokens of the prompt and of the answer with its end

The decoder chooses at random what a schema leaves open, which no scripted server does. It does not understand
the question: `narrow` puts what the question demands in words into the schema. A request that the server
cannot enforce fails the test (`__exit__`).
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from llm.grammar import Automaton, Schema, UnsupportedError
from serving import Answering, Serving
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from leafinstruct._torchvision import mend
from leafinstruct.recipe.templates import packaged

IMAGE_TOKENS = 16
_VOCABULARY = 1024
_EOS, _IMAGE = _VOCABULARY, _VOCABULARY + 1
"""Beside the tokenizer's own, so that no text of a page is one of them."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One answered request. schema: as sent; text: what was generated."""

    body: Body
    schema: Schema | None
    text: str
    input_tokens: int
    output_tokens: int

    @property
    def value(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


class Decoder:
    """Tokenizer and weights, made here."""

    def __init__(self) -> None:
        mend()
        from transformers import LlamaConfig, LlamaForCausalLM

        self.tokenizer = Tokenizer(models.BPE())
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=_VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        texts = [path.read_text(encoding="utf-8") for path in sorted(packaged("prompts").glob("*.md"))]
        self.tokenizer.train_from_iterator(texts, trainer)
        assert self.tokenizer.get_vocab_size() == _VOCABULARY
        # ByteLevel writes the bytes of printable ASCII as themselves and a blank as U+0120
        self.ids = {byte: self.tokenizer.token_to_id(chr(byte)) for byte in range(0x21, 0x7F)}
        self.ids[0x20] = self.tokenizer.token_to_id("\u0120")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            config = LlamaConfig(
                vocab_size=_VOCABULARY + 2,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=1 << 15,
                initializer_range=0.2,  # at the usual 0.02 the logits hardly depend on what came before
                eos_token_id=_EOS,
                bos_token_id=None,
                pad_token_id=None,
            )
            self.model = LlamaForCausalLM(config).eval()

    def prompt(self, messages: Sequence[Body]) -> list[int]:
        """The tokens of a conversation."""
        ids: list[int] = []
        for message in messages:
            content = message["content"]
            ids += self._encode(f"{message['role']}:\n")
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] == "text":
                    ids += self._encode(part["text"])
                elif part["type"] == "image_url":
                    ids += [_IMAGE] * IMAGE_TOKENS
                else:
                    raise UnsupportedError(f"part of type {part['type']!r}")
            ids += self._encode("\n")
        return [*ids, *self._encode("assistant:\n")]

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    @torch.inference_mode()
    def generate(
        self, ids: Sequence[int], schema: Schema | None, most: int, temperature: float
    ) -> tuple[str, int, bool]:
        """Text, its tokens with the end token, and whether it ended before `most` tokens."""
        automaton, written, waiting, cache = Automaton(schema), bytearray(), list(ids), None
        seed = torch.Generator().manual_seed(zlib.crc32(repr(ids).encode()))
        while True:
            if len(written) == most:
                return written.decode(), most, False
            allowed = sorted(automaton.allowed())
            choices = [self.ids[byte] for byte in allowed] + ([_EOS] if automaton.is_complete else [])
            chosen = 0
            if len(choices) > 1 or choices == [_EOS]:
                out = self.model(
                    input_ids=torch.tensor([waiting]), past_key_values=cache, use_cache=True, logits_to_keep=1
                )
                cache, waiting = out.past_key_values, []
                logits = out.logits[0, -1, choices]
                weights = (logits / temperature).softmax(0)
                chosen = int(weights.multinomial(1, generator=seed))
            if choices[chosen] == _EOS:
                return written.decode(), len(written) + 1, True
            automaton.take(allowed[chosen])
            written.append(allowed[chosen])
            waiting.append(choices[chosen])


@cache
def decoder() -> Decoder:
    """The decoder, made once a process."""
    return Decoder()


class TrueServer(Serving):
    """The server. accepts: types of response_format; others are declined with 400. asked: what was answered,
    in order; declined: bodies of the declined requests. narrow: the schema to decode by, from that of the
    request."""

    def __init__(
        self,
        narrow: Callable[[Body, Schema], Schema] = lambda _, schema: schema,
        accepts: Sequence[str] = ("json_schema",),
    ) -> None:
        super().__init__(_Handler)
        self.narrow, self.accepts, self.decoder = narrow, accepts, decoder()
        self.asked: list[Asked] = []
        self.declined: list[Body] = []
        self.unsupported: list[str] = []
        self._one = threading.Lock()

    @property
    def url(self) -> str:
        return f"{super().url}/v1"

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self.unsupported:
            raise UnsupportedError("; ".join(self.unsupported))

    def answer(self, body: Body) -> tuple[int, Body]:
        """Status and body of the answer."""
        form = body.get("response_format", {"type": "text"})
        if form["type"] not in self.accepts or (form["type"] == "json_object" and "schema" not in form):
            self.declined.append(body)
            return 400, _error(f"response_format {form['type']} is not supported", "response_format")
        with self._one:
            try:
                return 200, self._completion(body, form)
            except Exception as error:  # ends the test in `__exit__`, whatever the client makes of it
                self.unsupported.append(repr(error))
                return 400, _error(str(error), None)

    def _completion(self, body: Body, form: Body) -> Body:
        unknown = body.keys() - {"model", "messages", "response_format", "temperature", "max_tokens"}
        if unknown or body.get("temperature", 0) <= 0:
            raise UnsupportedError(f"fields {sorted(unknown)}, temperature {body.get('temperature')}")
        schema = _schema_of(form)
        ids = self.decoder.prompt(body["messages"])
        narrowed = None if schema is None else self.narrow(body, schema)
        text, count, is_ended = self.decoder.generate(ids, narrowed, body["max_tokens"], body["temperature"])
        self.asked.append(Asked(body, schema, text, len(ids), count))
        usage = {"prompt_tokens": len(ids), "completion_tokens": count, "total_tokens": len(ids) + count}
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop" if is_ended else "length"}
        return {
            "id": f"chatcmpl-{len(self.asked)}",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }


def _schema_of(form: Body) -> Schema | None:
    """The schema of a `response_format`; None for any text."""
    if form["type"] == "text":
        return None
    found: Schema = form["json_schema"]["schema"] if form["type"] == "json_schema" else form["schema"]
    return found


def _error(message: str, param: str | None) -> Body:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param}}


class _Handler(Answering):
    server: TrueServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self.server.unsupported.append(self.path)
            self.send(404, b"{}", ("Content-Type", "application/json"))
            return
        status, found = self.server.answer(body)
        self.send(status, json.dumps(found).encode(), ("Content-Type", "application/json"))
