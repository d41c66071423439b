"""Describe what an answer violates, as the rule that it must satisfy: the complete rule first, then how the
value began.

The sentence is sent back to the model, which repairs its answer by it. So the rule is worded from the schema
and never cut; only the value is. Chosen over jsonschema's own messages, which begin with the value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import relevance

from leafinstruct.llm.quoting import unmarked

_ERRORS = 100  # considered when choosing the most relevant one
_BEGINNING = 80  # characters of a value


def broken_rule(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return None for a value that is valid under the schema; else the most relevant rule that it
    violates."""
    errors = list(islice(_validator(json.dumps(schema)).iter_errors(value), _ERRORS))
    if not errors:
        return None
    error = max(errors, key=relevance)
    where = ".".join(map(str, error.absolute_path)) or "the answer"
    rule = f"{where} must be {in_words(error.schema)}"
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = [name for name in error.schema["required"] if name not in error.instance]
        return f"{rule}; missing: {', '.join(missing)}"
    size = (
        f" ({len(error.instance)} characters)"
        if isinstance(error.instance, str) and len(error.instance) > _BEGINNING
        else ""
    )
    return f"{rule}; your value began with: {beginning(error.instance)}{size}"


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the value is valid under the schema."""
    return _validator(json.dumps(schema)).is_valid(value)


def beginning(value: Any) -> str:
    """Return the first characters of a value as JSON, without special tokens."""
    text = json.dumps(value, ensure_ascii=False)
    return unmarked(text if len(text) <= _BEGINNING else f"{text[:_BEGINNING]}...")


def in_words(schema: Mapping[str, Any]) -> str:
    """Describe what a schema requires, every limit included."""
    if "anyOf" in schema:
        return " or ".join(map(in_words, schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " or ".join(json.dumps(item, ensure_ascii=False) for item in schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        items = ", ".join(
            f'"{name}": {in_words(inner)}' for name, inner in schema.get("properties", {}).items()
        )
        return (
            f"an object {{{items}}} with no other key"
            if schema.get("additionalProperties") is False
            else f"an object {{{items}}}"
        )
    if kind == "array":
        return (
            f"a list{_range(schema, 'minItems', 'maxItems', 'items')} of {in_words(schema.get('items', {}))}"
        )
    if kind == "string":
        return f"a string{_range(schema, 'minLength', 'maxLength', 'characters')}"
    if kind in ("integer", "number"):
        return (
            f"{'an integer' if kind == 'integer' else 'a number'}{_range(schema, 'minimum', 'maximum', '')}"
        )
    return (
        f"of type {kind}"
        if kind
        else f"valid under {json.dumps(schema, sort_keys=True)}"
        if schema
        else "anything"
    )


def _range(schema: Mapping[str, Any], lower: str, upper: str, unit: str) -> str:
    least, most = schema.get(lower), schema.get(upper)
    unit = unit.removesuffix("s") if (most or least) == 1 else unit
    unit = f" {unit}" if unit else ""
    if least is not None and most is not None:
        return f" of {least} to {most}{unit}" if unit else f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}{unit}"
    return f" of at most {most}{unit}" if most is not None else ""


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    """Cached: schemas are few, requests many, and compiling one takes longer than validating with it."""
    document = json.loads(schema)
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)
