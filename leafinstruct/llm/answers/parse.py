"""Parse a model's text: return the answer object, or the reason why there is none.

    text -> remove thoughts (thoughts.py) -> read objects (lenient.py)
    -> convert to the schema's form (fold.py) -> validate (rules.py)

Servers enforce schemas differently: some completely, llama.cpp no integer bounds, `transformers serve` not at
all. So every answer is validated here, whether from a server, the cache, or the offline rules. A reason is
one sentence that begins with the rule, because it is sent back to the model, which repairs its answer by it.

Of several objects after the thoughts the last valid one is the answer, unless

- another valid one differs: only the model can say which is meant
- a later one has the schema's keys and is invalid or breaks off: it may be the correction
- it is amid prose and the document contains it word for word: then it is a quotation
- the answer was cut and text follows: the model was still thinking aloud

The text is hostile: it may nest ten thousand brackets, or contain NaN or half a surrogate pair that no file
can store. jsonschema validates (the reference implementation; pydantic would need a model class per schema,
and these schemas are data).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from leafinstruct.llm.answers import rules
from leafinstruct.llm.answers.fold import fold, storable
from leafinstruct.llm.answers.lenient import finite
from leafinstruct.llm.answers.thoughts import LONGEST, Found, find, is_alone, is_last, plain
from leafinstruct.llm.quoting import has_own_escapes
from leafinstruct.llm.request import Request

_MOST = 64  # objects with keys of the schema
_BLANKS = "\ufeff \t\r\n"
_TO_TIDY = re.compile(
    r"[\ud800-\udfff]|\\u(?:d[89a-f]|003c|ff1c|fe64|25c1|27e8|005b|ff3b|005d)", re.IGNORECASE
)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)


def read_answer(text: str, request: Request, is_cut: bool = False) -> dict[str, object] | str:
    """Return the schema-valid object in `text`, or the reason (a sentence) why there is none. is_cut: the
    server stopped at max_tokens."""
    value = _whole(text)
    if value is not None:
        if not _TO_TIDY.search(text) and fault(value, request) is None:
            return value  # the usual case, in a third of the time
        mended = _mended(value, request, text)
        return fault(mended, request) or mended
    text = text.lstrip(_BLANKS)
    found = find(text, _keys(request))
    if found.too_much:
        return f"answer with one JSON object; {found.too_much}"
    if found.is_thinking:
        return "answer with one JSON object behind your thoughts; a thought is begun and not ended"
    return _chosen(text, found, request, is_cut)


def answer_part(text: str) -> str:
    """Return the text without its thoughts; empty if a thought is not ended."""
    text = text.lstrip(_BLANKS)
    found = find(text, frozenset())
    return "" if found.is_thinking else text[found.start :].strip()


def is_writing(text: str, request: Request) -> bool:
    """Whether the text breaks off inside an object of the schema, after the thoughts: the answer was cut,
    not the thinking."""
    found = find(text.lstrip(_BLANKS), _keys(request))
    return not found.is_thinking and found.broken is not None and found.broken[1].is_open


def is_object(text: str, required: Collection[str] = ()) -> bool:
    """Whether the text is one JSON object with the required properties and nothing else, as from a server
    that obeys `response_format`."""
    try:
        value = json.loads(text)
        return isinstance(value, dict) and all(name in value for name in required)
    except (ValueError, RecursionError):
        return False


def fault(value: dict[str, object], request: Request) -> str | None:
    """Return None for an answer that can be stored, fits the schema and passes the request's check; else
    the first reason."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        return f"the answer must be plain JSON: {type(error).__name__}"
    return rules.broken_rule(value, request.schema) or (request.check(value) if request.check else None)


def _whole(text: str) -> dict[str, object] | None:
    """Return the object that is the whole text, in strict JSON, as servers with a schema and offline
    answerers send it."""
    try:
        if len(text) > LONGEST:
            return None
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_number)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return _whole(value)  # JSON in a JSON string
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _refuse("a key that is there twice")


def _number(token: str) -> int | float:
    return _refuse(token) if (value := finite(token)) is None else value


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"{what} is not strict JSON")


def _chosen(text: str, found: Found, request: Request, is_cut: bool) -> dict[str, object] | str:
    """Choose the answer among the objects after the thoughts."""
    raw = [
        (inner, start, end)
        for value, start, end in found.objects
        if (inner := _inner(value, request)) is not None
    ]
    if len(raw) > _MOST:
        return f"answer with one JSON object; yours holds {len(raw)} of them"
    read = [(_mended(value, request, text), start, end) for value, start, end in raw]
    valid = [
        (value, start, end) for value, start, end in read if rules.broken_rule(value, request.schema) is None
    ]
    end = read[-1][2] if read else 0
    if found.broken is not None and found.broken[0] >= end:
        return (
            f"answer with one JSON object that can be read; {found.broken[1]}, "
            f"{found.broken[1].at - found.broken[0]} characters behind its start"
        )
    if not read:
        return "answer with one JSON object; there is no JSON object in it" + _behind(found)
    value, start, end = read[-1]
    if not valid or value is not valid[-1][0]:
        return str(fault(value, request))
    if any(other != value for other, _, _ in valid):
        return "answer with one JSON object; yours holds several that differ"
    if is_cut and not is_last(text, end):
        return "answer with one JSON object and nothing behind it; text followed and was cut"
    if len(read) == 1 and not is_alone(text, found, start, end) and value in _quotations(request):
        return "answer with a JSON object of your own; the one in your text is a quotation from the document"
    return fault(value, request) or value


def _behind(found: Found) -> str:
    return " behind your thoughts" if found.start else ""


def _inner(value: dict[str, object], request: Request) -> dict[str, object] | None:
    """Return the object itself if it has a key of the schema, or the only one in it that has: {"answer":
    {...}}, {"arguments": "{...}"}; else None."""
    keys = _keys(request)
    if not keys or any(plain(key) in keys for key in value):
        return value
    found: list[dict[str, object]] = []
    for item in value.values():
        within = item[0] if isinstance(item, list) and len(item) == 1 else item
        within = _whole(within) if isinstance(within, str) and within.lstrip().startswith("{") else within
        if isinstance(within, dict) and (inner := _inner(within, request)) is not None:
            found.append(inner)
    return found[0] if len(found) == 1 else None


def _mended(value: dict[str, object], request: Request, text: str) -> dict[str, object]:
    """Return the value in the schema's form, as far as it can be read in only one way."""
    try:
        if _TO_TIDY.search(text):
            copies = not any(
                has_own_escapes(part)
                for message in request.messages
                for part in message.parts
                if isinstance(part, str)
            )
            value = storable(value, copies)
        inner = _inner(value, request)
        folded = fold(inner if inner is not None else value, request.schema, request.absent, rules.fits)
    except RecursionError:
        return value
    return folded if isinstance(folded, dict) else value


def _keys(request: Request) -> frozenset[str]:
    return frozenset(map(plain, request.schema.get("properties", ())))


def _quotations(request: Request) -> list[Mapping[str, Any]]:
    """Objects in the schema's form that the question quotes."""
    texts = (
        part
        for message in request.messages
        if message.role == "user"
        for part in message.parts
        if isinstance(part, str)
    )
    quoted = (string[0] for part in texts for string in _STRING.finditer(part) if "{" in string[0])
    objects = (
        value
        for string in quoted
        for value, _, _ in find(_decoded(string), _keys(request), has_tags=False).objects
    )
    return [_mended(value, request, "") for value in objects]


def _decoded(string: str) -> str:
    try:
        return str(json.loads(string, strict=False))
    except ValueError:
        return ""  # quotation marks in the words of the prompt
