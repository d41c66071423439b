"""Lines of a record's story about filter: scores, rules, duplicates, and questions to a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leafinstruct.records.printable import Page, printable

ENDS = {
    "passed": "passed",
    "dropped_document": "DROPPED",
    "dropped_image": "images dropped",
    "dropped_step": "images and their text dropped",
    "not_reached": "not reached",
}
"""Outcome of a rule -> message."""


def decision(
    page: Page, found: Mapping[str, Any] | None, scores: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """The section on filter: every score with its rule, duplicates, then the question to the judge.

    found: `filter` of the lineage; None if filter has not run.
    """
    if found is None:
        yield "filter: not run yet"
        return
    dropped = found["verdict"] == "dropped"
    yield f"filter: {found['verdict']}" + (f" by {found['drops'][0]['rule']}" if dropped else "")
    if dropped:
        yield from page.wrapped(_why(found["drops"][0]), 2, 4)
    for edit in found["edits"]:
        yield from page.wrapped(f"edited {printable(edit['line'])}", 2, 4)
    for line in found["reassigned"]:
        yield from page.wrapped(line, 2, 4)
    by_rule = {rule["rule"]: rule for rule in found["rules"]}
    for name in dict.fromkeys([*(cell["name"] for cell in scores), *by_rule]):
        cells = [cell for cell in scores if cell["name"] == name]
        drops = [drop for drop in found["drops"] if drop["rule"] == name]
        yield from _score(page, name, cells, by_rule.get(name), drops)
    yield from _duplicates(page, found["duplicates"])
    for answer in found.get("single_answers", ()):
        yield from page.wrapped(_single(answer), 2, 4)
    for asked in filter(None, (found["judge"], *found.get("further_judges", ()))):
        yield from question(page, asked)


def _single(answer: Mapping[str, Any]) -> str:
    """One score of one of several judges."""
    place = "" if answer["position"] is None else f" of image [{answer['position']}]"
    value = answer["state"] if answer["value"] is None else _number(answer["value"])
    return (
        f"{answer['judge']}, answer {answer['sample']}: {answer['name']}{place} {value}, {answer['detail']}"
    )


def _why(drop: Mapping[str, Any]) -> str:
    """The reason of a drop as a sentence."""
    if drop["rule"] in ("languages", "license"):
        return str(drop["detail"])
    place = "" if drop["position"] is None else f" of image [{drop['position']}]"
    value = f"is {_number(drop['value'])}" if drop["value"] is not None else f"has no value ({drop['state']})"
    bound = "" if drop["threshold"] is None else f", the bound is {drop['threshold']:g}"
    return f"{drop['rule']}{place} {value}{bound}" + (f": {drop['detail']}" if drop["detail"] else "")


def _score(
    page: Page,
    name: str,
    cells: Sequence[Mapping[str, Any]],
    rule: Mapping[str, Any] | None,
    drops: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """One line per score, with the range over images; then each image that failed, and explanations."""
    end = ENDS[rule["outcome"]] if rule else ""
    yield from page.wrapped(f"{name:<27} {_values(cells, drops):<18} {_bound(rule):<16} {end}".rstrip(), 2, 4)
    for drop in {
        (drop["position"], drop["value"], drop["detail"]): drop
        for drop in drops
        if drop["position"] is not None
    }.values():
        yield from page.wrapped(
            f"[{drop['position']}] {_number(drop['value'])} {drop['detail']}".rstrip(), 6, 4
        )
    failed = {drop["position"] for drop in drops}
    if page.full and len(cells) > 1:
        yield from page.wrapped(
            "  ".join(f"[{cell['position']}] {_number(cell['value'])}" for cell in cells), 6
        )
    for cell in cells:
        if cell["detail"] and cell["position"] is None:
            yield from page.wrapped(cell["detail"], 6)
        elif cell["detail"] and name.startswith("judge.") and cell["position"] not in failed:
            yield from page.wrapped(f"[{cell['position']}] {_values([cell], ())} {cell['detail']}", 6, 4)


def _values(cells: Sequence[Mapping[str, Any]], drops: Sequence[Mapping[str, Any]]) -> str:
    if not cells:
        return next((_number(drop["value"]) for drop in drops), "")
    numbers = [cell["value"] for cell in cells if cell["value"] is not None]
    if len(cells) == 1:
        return _number(numbers[0]) if numbers else str(cells[0]["state"])
    lost = f", {len(cells) - len(numbers)} without" if len(numbers) < len(cells) else ""
    if not numbers:
        return "none"
    least, most = _number(min(numbers)), _number(max(numbers))
    return (least if least == most else f"{least} to {most}") + lost


def _bound(rule: Mapping[str, Any] | None) -> str:
    if rule is None:
        return ""
    if "languages" in rule:
        return ", ".join(rule["languages"])
    bounds = [
        f"{word} {rule[name]:g}"
        for word, name in (("at least", "min"), ("at most", "max"))
        if rule[name] is not None
    ]
    return ", ".join(bounds)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _duplicates(page: Page, found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    if found["text"]["count"]:
        yield from page.wrapped(f"same text as {_others(found['text'])}", 2, 4)
    if found["near_text"]["count"]:
        yield from page.wrapped(f"nearly the same text as {_others(found['near_text'])}", 2, 4)
    for image in found["images"]:
        yield from page.wrapped(f"image {image['sha256']} also in {_others(image)}", 2, 4)


def _others(found: Mapping[str, Any]) -> str:
    more = found["count"] - len(found["of"])
    return ", ".join(found["of"]) + (f" and {more:,} more" if more else "")


def question(page: Page, asked: Mapping[str, Any]) -> Iterator[str]:
    """Lines on a question: state, cost, prompts as sent, answers as received."""
    paid = asked["paid"]
    yield from page.wrapped(
        f"asked {asked['model']}: {asked['state']}" + (f", {asked['detail']}" if asked["detail"] else ""),
        2,
        4,
    )
    if paid is None:
        yield from page.wrapped("cost not recorded", 4)
    elif paid["requests"]:
        yield from page.wrapped(cost(paid), 4)
    for exchange in asked["exchanges"]:
        yield from _exchange(page, exchange)
    tried = {attempt["text"] for exchange in asked["exchanges"] for attempt in exchange["tries"]}
    for answer in asked["answers"]:
        if answer["text"] not in tried:  # offline, or the journal was deleted
            yield "    answer as received"
            yield from page.block(answer["text"], 6)


def cost(paid: Mapping[str, Any], decimals: int = 6) -> str:
    """Requests, tokens and dollars as text. decimals: of the dollars; a question may cost 0.001 cent."""
    dollars = "price unknown" if paid["dollars"] is None else f"${paid['dollars']:,.{decimals}f}"
    about = "about " if paid["estimated"] else ""
    requests = "1 request" if paid["requests"] == 1 else f"{paid['requests']:,} requests"
    return f"{requests}, {about}{paid['input_tokens']:,} tokens in, {paid['output_tokens']:,} out, {dollars}"


def _exchange(page: Page, exchange: Mapping[str, Any]) -> Iterator[str]:
    body = exchange["sent"]
    settings = ", ".join(
        f"{name} {body[name]}"
        for name in ("model", "temperature", "max_tokens", "max_completion_tokens")
        if name in body
    )
    form = (body.get("response_format") or {}).get("type", "no response_format")
    yield from page.wrapped(f"{exchange['at']} {exchange['state']}: {settings}, {form}", 4, 2)
    yield "    prompt as sent" + (" in the last try" if len(exchange["tries"]) > 1 else "")
    for message in body.get("messages", ()):
        yield from page.wrapped(f"{message['role']}:", 6)
        yield from page.block(_content(message["content"]), 8)
    for number, attempt in enumerate(exchange["tries"], start=1):
        fault = f", not usable: {attempt['fault']}" if attempt["fault"] else ""
        result = "answer as received"
        if attempt["text"] is None:
            result, fault = "no answer", f", {attempt['fault']}"
        yield from page.wrapped(f"try {number} after {attempt['seconds']:.1f} s: {result}{fault}", 4, 2)
        yield from page.block(attempt["text"] or "", 6)


def _content(content: object) -> str:
    """A message as text; an image is a line with its sha256, type and size."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        f"[image sha256 {part['sha256']}, {part['media_type']}, {part['bytes']:,} bytes]"
        if part["type"] == "image"
        else part["text"]
        for part in parts
    )
