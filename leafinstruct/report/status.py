"""Status of a run: the state of each stage, and the funnel (documents and images that it dropped and kept).

Everything is read from records and from the reports of parts, so the result is the same after a kill or from
another process. The recipe is not needed; whether a changed recipe makes a stage run again is decided by the
pipeline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leafinstruct.errors import DamagedError, shortened
from leafinstruct.records import asked, shards, table
from leafinstruct.records.text.language_names import named
from leafinstruct.report.explain import judged
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.stage_report import StageReport, total

STATES = {
    "done": "done",
    "stale": "out of date: its input has changed or is not done",
    "unfinished": "unfinished: interrupted, or running now",
    "missing": "missing",
}
"""States of a stage -> message."""

_MESSAGE = 240
"""Maximum number of characters of a message of a server, or of what was wrong with an answer."""

SHOWN = 10
"""Maximum number of languages, or of a decoder's reasons, that are listed; the others are summed."""

_UNANSWERED = {
    "refused": "refused by the model or its content filter",
    "unparsed": "without a readable answer",
    "too_large": "too large for the server, even in the shortest form",
    "declined": "declined by the server for an unknown reason",
}
"""State of an unanswered question -> message."""

_STEPS = (
    ("ingest", "read", "documents"),
    ("filter", "kept", "kept"),
    ("rewrite", "examples", "examples"),
    ("shard", "in shards", "rows"),
)
"""Stage, label of its result, and the count that holds it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the funnel: the result of a stage, or (`lost`) what one reason dropped.

    documents, images: None if the line does not count this unit. Losses of ingest are records and pieces that
    never became documents, so they are not part of what was read. cut: whether `documents` counts examples
    into which longer documents were cut; these are not a share of what was read.
    """

    stage: str
    what: str
    documents: int | None
    images: int | None
    lost: bool = False
    cut: bool = False

    def share(self, read: int) -> float | None:
        """Share of the documents that were read; None for lines that are no part of them."""
        if self.documents is None or self.cut or (self.lost and self.stage == "ingest"):
            return None
        return self.documents / max(1, read)

    @property
    def counts(self) -> tuple[str, str]:
        """Documents and images as texts. Losses have a minus sign, except those of ingest, which are not part
        of what was read."""
        sign = "-" if self.lost and self.stage != "ingest" else ""
        documents, images = (
            "" if count is None else f"{sign}{count:,}" for count in (self.documents, self.images)
        )
        return documents, images


def entries(stages: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """One entry per stage: state (one of STATES), parts, counts, reasons, unreadable records, path.

    rejected: the records listed in the parts' reports. unlisted: reason -> number of records that are only
    counted. edits: reason -> changes of texts in documents that are kept. worker_seconds: of all workers,
    over the last pass of each part. seconds: wall time of the build that finished the stage (None: unknown).
    cost: of the language model's answers when they were given; None for a stage that asks none. unanswered:
    state of a question (refused, unparsed, too_large, declined, failed) -> count, and the most frequent
    message. languages: of documents that `filter.languages` dropped; kept_languages: of the stage's result
    (documents; examples for rewrite), in descending order. unaligned: of kept documents whose alignment was
    not scored, since the model does not know their language. undecoded: documents and images that
    `image.decoded` dropped, by the decoder's reason. shards: see `_shards`.
    """
    return [_entry(stage, artifact) for stage, artifact in stages.items()]


def _entry(stage: str, artifact: Artifact) -> dict[str, Any]:
    reports, record = list(artifact.reports()), artifact.record or {}
    totals = total(reports)
    # removed examples are in no shard, so only the record of the shard stage counts them
    removed = record.get("suppressed")
    return {
        "stage": stage,
        "state": state(artifact),
        "parts": len(reports),
        "counts": dict(sorted(totals.counts.items())),
        "reasons": {**dict(totals.reasons.most_common()), **({"suppressed": removed} if removed else {})},
        "image_reasons": dict(totals.image_reasons.most_common()),
        "edits": dict(totals.edits.most_common()),
        "languages": _languages(reports, "dropped"),
        "kept_languages": _languages(reports, "kept"),
        "unaligned": _languages(reports, "unaligned"),
        "undecoded": {
            unit: dict(sum((Counter(it.undecoded.get(unit, {})) for it in reports), Counter()).most_common())
            for unit in ("documents", "images")
        },
        "rejected": [item for report in reports for item in report.rejected],
        "unlisted": dict(sum((Counter(report.unlisted) for report in reports), Counter[str]()).most_common()),
        "worker_seconds": round(totals.seconds, 2),
        "seconds": record.get("seconds"),
        "cost": asked.summed(costs)
        if (costs := [report.cost for report in reports if report.cost is not None])
        else None,
        "unanswered": _unanswered(reports),
        "unfetched": record.get("unfetched", 0),
        "shards": _shards(reports) if artifact.stage == "shard" else [],
        "path": str(artifact.path),
    }


def _languages(reports: Sequence[StageReport], fate: str) -> dict[str, int]:
    found = Counter[str]()
    for report in reports:
        found.update(report.languages.get(fate, {}))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _unanswered(reports: Sequence[StageReport]) -> dict[str, dict[str, Any]]:
    found: dict[str, Counter[str]] = {}
    for report in reports:
        for state, messages in report.unanswered.items():
            found.setdefault(state, Counter()).update(messages)
    return {
        state: {
            "count": messages.total(),
            "message": min(messages, key=lambda message: (-messages[message], message)),
        }
        for state, messages in sorted(found.items())
    }


def _shards(reports: Sequence[StageReport]) -> list[dict[str, Any]]:
    """Published files by task and split, sorted: number of shards, rows, images, bytes."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for report in reports:
        (file,) = report.files
        place = shards.named(Path(file))
        assert place is not None, "the shard stage named this file"
        cell = found.setdefault(place, {"shards": 0, "rows": 0, "images": 0, "bytes": 0})
        cell["shards"] += 1
        for name in ("rows", "images", "bytes"):
            cell[name] += report.counts.get(name, 0)
    return [{"task": task, "split": split, **cell} for (task, split), cell in sorted(found.items())]


def state(artifact: Artifact) -> str:
    """State of a stage, one of STATES. Reads its record and those of all earlier stages."""
    record, upstream = artifact.record, artifact.upstream
    if record is None:
        return "unfinished" if artifact.fingerprint or artifact.parts() else "missing"
    if upstream is None:
        return "done"
    before = upstream.record
    is_current = before is not None and before["output"] == record["fingerprint"]["input"]
    return "done" if is_current and state(upstream) == "done" else "stale"


def unfinished(entries: list[dict[str, Any]], again: str) -> list[str]:
    """A line for each stage that is not done, then the command to run (`again`); empty if all are done."""
    lines = [f"{entry['stage']}: {STATES[entry['state']]}" for entry in entries if entry["state"] != "done"]
    return [*lines, f"next: {again}"] if lines else []


def steps(entries: Sequence[dict[str, Any]]) -> Iterator[Step]:
    """Lines of the funnel from the top: the losses of a stage in descending order, then its result. Stages
    without parts are left out."""
    by_stage = {entry["stage"]: entry for entry in entries}
    kept, cut = _rewritten(by_stage["rewrite"])
    for stage, label, documents in _STEPS:
        entry = by_stage[stage]
        if not entry["parts"]:
            continue
        whole, piece = (
            ("unreadable: ", "pieces lost: ") if stage == "ingest" else ("dropped by ", "images dropped by ")
        )
        for reason, count in entry["reasons"].items():
            what = "removed by request" if stage == "shard" else f"{whole}{reason}"
            for name, part in _split(entry, reason, "documents", count):
                yield Step(stage, f"{what}{name}", part, None, lost=True)
        for reason, count in entry["edits"].items():
            # neither documents nor images are lost, so the number is in the words
            yield Step(stage, f"texts edited by {reason}: {count:,}", None, None, lost=True)
        for reason, count in entry["image_reasons"].items():
            for name, part in _split(entry, reason, "images", count):
                yield Step(stage, f"{piece}{reason}{name}", None, part, lost=True)
        number, images = entry["counts"].get(documents, 0), entry["counts"].get("images", 0)
        if cut and stage == "rewrite":
            yield Step(stage, "documents with examples", kept, images)
        yield Step(stage, label, number, images, cut=cut and stage in ("rewrite", "shard"))
        if moved := entry["counts"].get("reassigned", 0):
            yield Step(stage, "kept, assigned to another text by alignment", None, moved)
        for language, unaligned in list(entry["unaligned"].items())[:SHOWN]:
            yield Step(stage, f"kept, alignment not scored: {language}", unaligned, None)


def _split(entry: Mapping[str, Any], reason: str, unit: str, count: int) -> Iterator[tuple[str, int]]:
    """Yield what follows a rule's name, and its number: for each language or reason of the decoder, and for
    the others; once for other rules."""
    split: Mapping[str, int] = {}
    if reason == "languages" and unit == "documents":
        split = entry["languages"]
    elif reason == "image.decoded":
        split = entry["undecoded"][unit]
    shown = list(split.items())[:SHOWN]
    yield from ((f": {name}", number) for name, number in shown)
    if rest := count - sum(number for _, number in shown):
        yield ": others" if shown else "", rest


def documents_read(funnel: Iterable[Step]) -> int:
    """Number of documents that ingest read; 0 for a funnel without lines."""
    return next((step.documents or 0 for step in funnel if not step.lost), 0)


def languages(entries: Sequence[dict[str, Any]]) -> list[tuple[str, list[int]]]:
    """(language, [documents read, documents kept, examples]) for the stages that have parts, in descending
    order, and all others in one line. Empty if all documents are in one language."""
    counted = [
        entry["kept_languages"]
        for entry in entries
        if entry["stage"] in ("ingest", "filter", "rewrite") and entry["parts"]
    ]
    if not counted or len(counted[0]) < 2:
        return []
    shown = list(counted[0])[:SHOWN]
    lines = [(named(code), [found.get(code, 0) for found in counted]) for code in shown]
    others = [sum(found.values()) - sum(found.get(code, 0) for code in shown) for found in counted]
    return [*lines, *([(f"{len(counted[0]) - len(shown)} others", others)] if others[0] else [])]


def _rewritten(entry: Mapping[str, Any]) -> tuple[int, bool]:
    """Number of documents that became examples, and whether some became several."""
    kept = entry["counts"].get("documents", 0) - sum(entry["reasons"].values())
    return kept, entry["counts"].get("examples", 0) > kept > 0


def spending(entries: Sequence[dict[str, Any]], seconds: float | None = None) -> Iterator[str]:
    """Lines on wall time, and on the cost of a language model. seconds: of the command that just ended."""
    times = [
        f"{entry['stage']} {entry['seconds']:,.1f} s" for entry in entries if entry["seconds"] is not None
    ]
    now = [] if seconds is None else [f"this command {seconds:,.1f} s"]
    if times or now:
        yield f"time: {', '.join([*times, *now])}"
    for entry in entries:
        cost = entry["cost"]
        if cost and cost["requests"]:
            answers = "1 answer" if cost["questions"] == 1 else f"{cost['questions']:,} answers"
            yield f"{entry['stage']}: {answers} in {judged.cost(cost, 4)}"


def after(stages: Mapping[str, Artifact], again: str) -> Iterator[str]:
    """Next commands for a finished dataset. again: the command that builds it."""
    paths = (
        stages[stage].file("dropped", part)
        for stage in ("filter", "rewrite")
        for part in stages[stage].parts()
    )
    try:
        dropped = (name for path in paths if path.exists() for (name,) in table.columns(path, "id"))
        first = next(dropped, None)
    except DamagedError as error:
        yield str(error)
        return
    if first:
        yield f"next: {again.replace('build', f'explain {first}', 1)}    shows all decisions about a document"


def notices(entries: Sequence[dict[str, Any]], again: str) -> list[str]:
    """Messages on tolerated faults, and what to do about them. again: the command that builds."""
    found = []
    for entry in entries:
        if failed := entry["counts"].get("failed", 0):
            found.append(
                f"{entry['stage']}: {failed:,} failed for a temporary reason and were tolerated; to try "
                f"them again: {again} --retry-failed"
            )
        if pleading := entry["counts"].get("suspicious", 0):
            found.append(
                f"{entry['stage']}: {pleading:,} documents address a judge or a model, so no judge was "
                "asked about them (state suspicious)"
            )
        for state, questions in entry["unanswered"].items():
            if state == "failed":
                continue  # counted above, with all other failures
            flag = "--retry-failed" if state == "declined" else "--retry-refused"
            found.append(
                f"{entry['stage']}: {questions['count']:,} {_UNANSWERED[state]} (most often: "
                f"{shortened(questions['message'], _MESSAGE)}); to ask again: {again} {flag}"
            )
        if entry["unfetched"]:
            found.append(
                f"{entry['stage']}: {entry['unfetched']:,} images are on the web and were not fetched; "
                "add filter.images.fetch"
            )
        found += _unmapped(entry)
    return found


def _unmapped(entry: Mapping[str, Any]) -> list[str]:
    """A message for each source and pattern of text that looks like an image placeholder and is not in the
    recipe."""
    sums: dict[tuple[str, str], list[Any]] = {}
    for item in entry["rejected"]:
        if item["reason"] == "unmapped_placeholder":
            known = sums.setdefault(
                (item["source"], item["pattern"]), [0, 0, item["hint"], f"{item['file']} {item['locator']}"]
            )
            known[0] += item["times"]
            known[1] += item["rows"]
    lines = []
    for (source, pattern), (times, rows, hint, place) in sorted(sums.items(), key=lambda item: -item[1][0]):
        where = (
            f'{times:,} x "{pattern}" in the text of {rows:,} row{"s" if rows != 1 else ""} (first: {place})'
        )
        lines.append(
            f"ingest: source {source}: {where} looks like an image placeholder but is not mapped, so it "
            f"remains text; {hint}"
        )
    return lines
