"""The story of one record as text: one section per step, from its place in the source to its rows.

Returns lines; the command prints them. Only headings begin in the first column, so that no text of a page can
imitate one (records/printable.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leafinstruct.records.printable import Page, printable
from leafinstruct.records.text.language_names import named
from leafinstruct.report.explain import judged, lineage

SHOWN_LOSSES = 20
"""Maximum number of rejected records, or of matching records, that are listed; `--json` lists all."""


def story(record: Mapping[str, Any], width: int = 80, full: bool = False) -> Iterator[str]:
    """Lines of a lineage. record: from lineage.explain. width: of a line. full: do not shorten long texts."""
    page = Page(width, full)
    source = record["source"]
    yield f"document {record['document']}: {lineage.FATES[record['fate']]}"
    yield from page.named(
        source=source["name"],
        file=source["file"],
        place=source["locator"],
        path=source["path"],
        sha256=source["sha256"],
    )
    found, canonical = source["page_url"], source["url"]
    yield from page.named(
        part=record["part"],
        page=found or canonical or "URL unknown",
        canonical=canonical if found and canonical != found else None,
        title=source["title"],
        language=named(source["language"]),
        license=source["license"] or "unknown",
    )
    texts = sum(segment["kind"] != "image" for segment in record["segments"])
    yield f"ingest: {texts:,} texts and {len(record['segments']) - texts:,} images"
    for segment in record["segments"]:
        yield from _segment(page, segment)
    yield from judged.decision(page, record["filter"], record["scores"])
    yield from _rewrite(page, record["rewrite"], record["examples"])
    for example in record["examples"]:
        yield from _example(page, example)
    for pair in record["lent"]:
        where = f"{pair['file']}, row {pair['row']:,}"
        yield from page.wrapped(f"lent to document {pair['document_id']}, {pair['kind']}: {where}", 0, 2)
    if not any(example["shard"] for example in record["examples"]):
        yield f"shard: {'removed by request' if record['fate'] == 'removed' else 'not in a shard'}"
    if record["cost"]["requests"]:
        yield from page.wrapped(f"cost: {judged.cost(record['cost'])}", 0, 2)
    yield "versions"
    for stage, version in record["versions"].items():
        yield from _version(page, stage, version)


def _segment(page: Page, segment: Mapping[str, Any]) -> Iterator[str]:
    """A text in one line; an image with its owner, URL, license, fetch and file."""
    at = "" if segment["time"] is None else f" at {segment['time']:.3f} s"
    role = f" ({segment['role']})" if segment["role"] else ""
    label = f"[{segment['position']}] {segment['kind']}{role}{at}: "
    if segment["kind"] != "image":
        yield from page.one(label + printable(segment["text"]), 2, 4)
        return
    yield from page.wrapped(label + printable(segment["ref"]), 2, 4)
    owner = (
        "owner unknown"
        if segment["owner"] is None
        else f"belongs to [{segment['owner']}], {segment['owner_found']}"
    )
    yield from page.wrapped(owner, 6, 2)
    if segment["url"] and segment["url"] != segment["ref"]:
        yield from page.wrapped(f"URL {printable(segment['url'])}", 6, 2)
    if segment["license"]:
        yield from page.wrapped(f"license {printable(segment['license'])}", 6, 2)
    if log := segment["fetch"]:
        how = (
            f"{log['status']}, {log['size']:,} bytes"
            if log["sha256"]
            else f"{log['state']}, {log['status'] or ''} {log['reason']}"
        )
        led = f" from {log['final_url']}" if log["final_url"] and log["final_url"] != log["url"] else ""
        yield from page.wrapped(
            f"fetched {log['at']}{led}: {how}; {log['attempts']} tries, {log['seconds']:.2f} s", 6, 2
        )
    if found := segment["found"]:
        size = f"{found['format']}, {found['width']} x {found['height']} pixels, sha256 {found['sha256']}"
        yield from page.wrapped(
            f"found {size if found['width'] else 'no image: ' + printable(found['reason'])}", 6, 2
        )


def _rewrite(
    page: Page, rewrite: Mapping[str, Any] | None, examples: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    if rewrite is None:
        yield "rewrite: not reached"
        return
    tasks = ", ".join(f"one {printable(example['task'])}" for example in examples)
    yield from page.wrapped(
        f"rewrite: {tasks}" if examples else f"rewrite: dropped by {rewrite['drops'][0]['rule']}", 0, 2
    )
    for drop in rewrite["drops"]:
        image = "" if drop.get("position") is None else f"image [{drop['position']}] left out: "
        yield from page.wrapped(f"{image}{printable(drop['detail'])}", 2)
    for asked in rewrite["questions"]:
        who = "examiner" if asked["purpose"] == "examine" else "rewriter"
        yield from page.wrapped(f"example {asked['example']}, round {asked['round']}, {who}", 2, 4)
        yield from judged.question(page, asked)


def _example(page: Page, example: Mapping[str, Any]) -> Iterator[str]:
    yield f"example {example['id']}, task {printable(example['task'])}"
    for turn in example["turns"]:
        yield from page.one(f"{turn['role']}: {' '.join(turn['parts'])}", 2, 4)
    for item in example["scores"]:
        value = item["state"].replace("_", " ") if item["value"] is None else f"{item['value']:.4g}"
        detail = f": {printable(item['detail'])}" if item["detail"] else ""
        yield from page.wrapped(f"{item['name']} {value}{detail}", 2, 4)
    for kind in ("models", "prompts"):
        for item in example[kind]:
            yield from page.wrapped(f"{kind[:-1]} of {item['name']}: {printable(item['identity'])}", 2, 4)
    if shard := example["shard"]:
        yield from page.wrapped(f"shard: {shard['file']}, row {shard['row']:,}", 0, 2)
        yield from page.wrapped(shard["path"], 2)
    for pair in example["preference"]:
        yield from _pair(page, pair)


def _pair(page: Page, pair: Mapping[str, Any]) -> Iterator[str]:
    """One preference row: what was changed, the rejected answer, and the examiner's scores of both."""
    yield from page.wrapped(
        f"preference row {pair['id']}, {pair['kind']}: {pair['file']}, row {pair['row']:,}", 0, 2
    )
    for name, value in pair["changed"].items():
        yield from page.wrapped(f"{name} {value}", 2, 4)
    if lender := pair["lender"]:
        where = lender["page_url"] or lender["url"] or lender["file"] or "unknown"
        stated = f"license {lender['license'] or 'unknown'}, {where}"
        yield from page.wrapped(f"from document {lender['document_id']}: {printable(stated)}", 2, 4)
    yield from page.one(f"rejected: {' '.join(pair['rejected'])}", 2, 4)
    for side, scores in pair["scores"].items():
        if scores:
            values = ", ".join(
                f"{name} {'none' if value is None else f'{value:.4g}'}" for name, value in scores.items()
            )
            yield from page.wrapped(f"{side}: {values}", 2, 4)


def _version(page: Page, stage: str, version: Mapping[str, Any]) -> Iterator[str]:
    """The short settings of a stage; `--json` has all of them."""
    facts = [f"code {version['code']}"] if "code" in version else []
    for name in (
        "recipe",
        "seed",
        "model",
        "weights",
        "judge",
        "prompt",
        "models",
        "prompts",
        "questions",
        "libraries",
    ):
        facts += _flat(name, version.get(name))
    yield from page.wrapped(f"{stage:<9}{version['state']}{': ' if facts else ''}{', '.join(facts)}", 2, 9)


def _flat(name: str, value: object) -> list[str]:
    """Flatten a setting: `judge model m` for a nested value, libraries by name, the first 12 digits of a
    sha256."""
    if isinstance(value, Mapping):
        return [
            item
            for key, inner in value.items()
            for item in _flat(key if name == "libraries" else f"{name} {key}", inner)
        ]
    text = printable(value)
    return [] if value is None else [f"{name} {text[:12] if re.fullmatch('[0-9a-f]{64}', text) else text}"]


def matches(found: Sequence[Mapping[str, Any]], wanted: str, again: str) -> Iterator[str]:
    """One line per matching record, and the next command. again: the command, with `ID` for a record."""
    yield f"{len(found):,} documents match {printable(wanted, 50)}"
    for match in found[:SHOWN_LOSSES]:
        at = (
            f", image {', '.join(f'[{position}]' for position in match['positions'])}"
            if match["positions"]
            else ""
        )
        yield f"  {match['document']}  {lineage.FATES[match['fate']]:<18}  {match['by']}{at}"
    if len(found) > SHOWN_LOSSES:
        yield f"  and {len(found) - SHOWN_LOSSES:,} more; --json lists all"
    yield f"next: {printable(again.replace('ID', found[0]['document'], 1))}"


def losses(rejected: Sequence[Mapping[str, Any]], width: int = 80) -> Iterator[str]:
    """Lines on records, or pieces of them, that ingest could not read. rejected: from lineage.rejected."""
    page = Page(width, full=True)
    for item in rejected[:SHOWN_LOSSES]:
        place = printable(f"{item['file']} {item['locator']}").rstrip()
        lost = "the record" if item["whole"] else "a piece of the record"
        detail = f": {printable(item['detail'], 400)}" if item["detail"] else ""
        yield from page.wrapped(
            f"{place}: ingest could not read {lost}, {printable(item['reason'])}{detail}", 0, 2
        )
    if len(rejected) > SHOWN_LOSSES:
        yield f"and {len(rejected) - SHOWN_LOSSES:,} more; --json lists all"
