"""A model's text -> the answer object, or the reason why there is none.

Servers differ in how much of a schema they enforce: some all of it, llama.cpp no integer bounds, `transformers serve` nothing at all. So
every answer is validated here, wherever it comes from: a server, the cache, or our own offline rules. A reason is one sentence that names
the place and the rule, because it is sent back to the model, which repairs its answer by it.

The text is hostile: it may nest ten thousand brackets, hold NaN, or half a surrogate pair that no file can store. jsonschema validates
(the reference implementation; pydantic would want a model class per schema, and our schemas are data).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from leafinstruct.llm.request import Request

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_STARTS = 64  # opening braces tried; bounds the work on a text that opens thousands and closes none
_REASON = 300  # characters; a reason quotes the offending value, which may be long


def read_answer(text: str, request: Request) -> dict[str, Any] | str:
    """The schema-valid object in `text`, or the reason (a sentence) why there is none."""
    value = first_object(text)
    if value is None:
        return "there is no JSON object in it"
    return fault(value, request) or value


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in the text: bare, fenced, or between chatter; a leading <think> block is skipped, for drafts live there."""
    text = _THOUGHT.sub("", text)
    start = -1
    for _ in range(_STARTS):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, _end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def is_object(text: str) -> bool:
    """True if the text is one JSON object and nothing else, as a server that obeys `response_format` answers."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def fault(value: dict[str, Any], request: Request) -> str | None:
    """None for an answer that can be stored, fits the schema and passes the request's own check; else the first reason against it."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        return f"it is not plain JSON: {str(error)[:_REASON]}"
    broken = best_match(_validator(json.dumps(request.schema, sort_keys=True)).iter_errors(value))
    if broken is not None:
        where = ".".join(map(str, broken.absolute_path))
        return f"{where + ': ' if where else ''}{broken.message}"[:_REASON]
    return request.check(value) if request.check else None


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    """Schemas are few and requests many: compiling one takes longer than validating with it."""
    document = json.loads(schema)
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
