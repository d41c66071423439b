"""What is known of one record, told to a person: a line a step, from its place in the source to its place in a shard.

Pure: lines in, lines out; the command prints them. Whatever a file may hold (its name, addresses, licences, page text, a model's sentence)
goes through `printable`, since a terminal obeys what it is shown: an escape in a file name could hide the line that names it. Escaping by
hand of each colour library was refused: one filter by Unicode category also takes bidirectional overrides and broken surrogates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

SHOWN_LOSSES = 20
"""Rejected records told of at once; `--json` tells all."""


def printable(text: object, limit: int | None = None) -> str:
    """One line without control, format or surrogate characters (each becomes a space), cut at `limit` characters."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def story(told: dict[str, Any]) -> Iterator[str]:
    """Lines of what lineage.explain found."""
    source = told["source"]
    yield f"document {told['document']} of source {_short(source['name'])}, part {_short(told['part'])}"
    yield f"  {_short(source['file'])} {_short(source['locator'])}".rstrip()
    yield f"  url {_short(source['url'] or 'unknown')}, licence {_short(source['license'] or 'unknown')}"
    for segment in told["segments"]:
        yield from _segment(segment)
    yield from _filter(told["filter"], told["scores"])
    yield from _rewrite(told["rewrite"])
    shard = told["shard"]
    yield f"shard: {shard['file']}, row {shard['row']}" if shard else "shard: not in one"


def _segment(segment: dict[str, Any]) -> Iterator[str]:
    """A text in one line; a picture with what is known of it: address, licence, what was found there, and how it was fetched."""
    at = "" if segment["time"] is None else f" at {segment['time']:.3f} s"
    role = f" ({segment['role']})" if segment["role"] else ""
    content = segment.get("text") or segment.get("ref") or ""
    yield f"  [{segment['position']}] {segment['kind']}{role}{at}: {_short(content)}".rstrip()
    if segment["kind"] != "picture":
        return
    if segment["url"] and segment["url"] != segment["ref"]:
        yield f"      address {_short(segment['url'])}"
    if segment["license"]:
        yield f"      licence {_short(segment['license'])}"
    if found := segment["found"]:
        size = (
            f"{found['format']}, {found['width']} x {found['height']} pixels"
            if found["width"]
            else f"no picture, {_short(found['reason'])}"
        )
        yield f"      found: {size}"
    if log := segment["fetch"]:
        how = f"{log['status']}, {log['size']:,} bytes" if log["sha256"] else f"{log['state']}, {_short(log['reason'])}"
        yield f"      fetched {_short(log['at'])} from {_short(log['final_url'] or log['url'])}: {how}; tries {log['attempts']}"


def losses(rejected: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of what lineage.rejected found: records, or pieces of them, that ingest could not read."""
    for item in rejected[:SHOWN_LOSSES]:
        place = f"{_short(item['file'])} {_short(item['locator'])}".rstrip()
        lost = "the record" if item["whole"] else "a piece of the record"
        detail = f": {_short(item['detail'])}" if item["detail"] else ""
        yield f"{place}: ingest could not read {lost}, {item['reason']}{detail}"
    if len(rejected) > SHOWN_LOSSES:
        yield f"and {len(rejected) - SHOWN_LOSSES:,} more; --json lists all"


def _filter(verdict: dict[str, Any] | None, scores: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield f"filter: {verdict['verdict'] if verdict else 'not run yet'}"
    for drop in verdict["drops"] if verdict else ():
        place = "document" if drop["position"] is None else f"picture at [{drop['position']}]"
        why = _short(drop["detail"] or drop["state"])
        yield f"  {place} failed {drop['rule']}: value {drop['value']}, threshold {drop['threshold']} ({why})"
    for score in scores:
        place = "" if score["position"] is None else f" of [{score['position']}]"
        value = "-" if score["value"] is None else f"{score['value']:g}"
        state = "" if score["state"] == "ok" else score["state"]
        yield f"  {score['name']}{place} = {value}  {state} {_short(score['detail'])}".rstrip()


def _rewrite(rewrite: dict[str, Any] | None) -> Iterator[str]:
    if rewrite is None:
        yield "rewrite: nothing"
        return
    if rewrite["example"] is None:
        drop = rewrite["drops"][0]
        yield f"rewrite: dropped, {drop['rule']}: {_short(drop['detail'])}"
        return
    models = ", ".join(_short(item["identity"]) for item in rewrite["models"])
    yield f"rewrite: example {rewrite['example']}, task {rewrite['task']}, by {models}"
    for turn in rewrite["turns"]:
        yield f"  {turn['role']}: {printable(' '.join(turn['parts']), 300)}"


def _short(text: object) -> str:
    return printable(text, 140)
