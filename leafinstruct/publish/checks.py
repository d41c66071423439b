"""What must not be published: read from the shards themselves, because they are what would go out.

    license          a document states a license that is not on push.licenses        unknown-license   it states none
    opt-out          the recipe did not ask the record's source for opt-outs (opt_out: false)
    failed           a score could not be computed just then (state `failed`): nobody knows what it would have said
    toy              the tiny CLIP judged images that it does not know             suppressed        `leaf remove` took the record out
    unfinished       the build was cut short                                         drift             the recipe gives another dataset now
    image-license  an image goes out as bytes, and its license is not on push.image_licenses

Each can be allowed by name, but for `suppressed`. Only small columns are read: about 10,000 records a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leafinstruct.errors import PublishError, SourceError
from leafinstruct.publish.config import PushConfig
from leafinstruct.records.document import NO_VERDICT
from leafinstruct.records.license import key, keys
from leafinstruct.records.public import open_shard
from leafinstruct.records.removals import NOTHING, Shown, Suppressed
from leafinstruct.records.table import Row
from leafinstruct.runtime.artifact import Artifact, file_fault

COLUMNS = ("id", "document_id", "source", "url", "page_url", "license", "image_info", "scores")
BESIDE = ("README.md", "SHA256SUMS", "croissant.json", "build.json", "examples/*")
"""What goes out beside the shards, where it is there."""
NAMED = 3
"""Ids and values that a message names of each fault."""
UNKNOWN = "no license stated"

HINTS = {
    "license": "list it in push.licenses if you may hand it on, or take the records out with `leaf remove`",
    "unknown-license": (
        "set push.unknown_license: allow if you have cleared the rights, or ingest what states its license"
    ),
    "image-license": "set push.images: auto or reference, or list it in push.image_licenses",
    "opt-out": "set opt_out: true and build again",
    "toy": "set filter.alignment.model: ViT-B/32 and build again",
    "failed": "run `leaf build --retry-failed`",
    "unfinished": "run `leaf build` to its end",
    "drift": "run `leaf build`",
    "suppressed": "run `leaf build`, which leaves them out; no --allow helps",
}
"""What to do about a fault other than to allow it."""


@dataclass(frozen=True)
class Terms:
    """What may go out. unasked: sources that the recipe did not ask for opt-outs, web_unasked: nor the hosts
    of images on the web."""

    config: PushConfig
    suppressed: Suppressed = NOTHING
    unasked: frozenset[str] = frozenset()
    web_unasked: bool = False


@dataclass
class Fault:
    """One kind of fault: in how many records, of which values, and a few of their ids."""

    kind: str
    records: int = 0
    values: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.values.items(), key=lambda pair: (-pair[1], pair[0]))
        values = [f"{value[:60]} ({count:,})" if self.records else value for value, count in ordered]
        shown = ", ".join(values[:NAMED]) + (
            f" and {len(values) - NAMED:,} others" if len(values) > NAMED else ""
        )
        which = f"; for example {', '.join(self.ids)}" if self.ids else ""
        many = f"{self.records:,} record{'s' if self.records != 1 else ''}: " if self.records else ""
        allow = "" if self.kind == "suppressed" else f", or say --allow {self.kind}"
        return f"{self.kind}: {many}{shown}{which}; {HINTS[self.kind]}{allow}"


@dataclass
class Survey:
    """What the shards hold: records, images, and faults by kind."""

    records: int = 0
    images: int = 0
    faults: dict[str, Fault] = field(default_factory=dict)

    def whole(self, kind: str, value: str) -> None:
        """A fault of the dataset, not of single records."""
        self.faults.setdefault(kind, Fault(kind)).values[value] += 1

    def record(self, identity: str, found: Iterable[tuple[str, str]]) -> None:
        """The faults of one record; found: (kind, value), a kind may come again."""
        for kind, values in _grouped(found).items():
            fault = self.faults.setdefault(kind, Fault(kind))
            fault.records += 1
            fault.values.update(values)
            if len(fault.ids) < NAMED:
                fault.ids.append(identity)


def survey(shards: Sequence[Path], terms: Terms, on_shard: Callable[[int], None] = lambda _: None) -> Survey:
    """Read every record of some shards. on_shard: told how many shards are read. Raises PublishError for one
    that cannot be read."""
    found = Survey()
    documents, images = keys(terms.config.licenses), keys(terms.config.image_licenses)
    for done, path in enumerate(shards):
        on_shard(done)
        for row in rows(path, COLUMNS):
            found.records += 1
            found.images += len(row["image_info"] or ())
            found.record(row["id"], _faults(row, terms, documents, images))
    on_shard(len(shards))
    return found


def compare(shards: Artifact, on_shard: Callable[[int], None] = lambda _: None) -> None:
    """Compare every file that would go out with what was recorded when it was built. Raises PublishError,
    which no --allow passes."""
    odd = []
    for done, part in enumerate(shards.parts()):
        on_shard(done)
        odd += (
            [path.name for path, _ in shards.faults(part)]
            if shards.report(part) is not None
            else [f"report-{part}.json"]
        )
    if shards.record is not None and not odd and not shards.is_whole:
        known = set(shards.parts())
        odd = [
            f"report-{path.stem}.json"
            for path in sorted(shards.path.glob("*.parquet"))
            if path.stem not in known
        ] or ["record.json"]
    if shards.record is not None:
        recorded: dict[str, str] = shards.record.get("beside", {})
        here = {
            path.relative_to(shards.path).as_posix()
            for pattern in BESIDE
            for path in shards.path.glob(pattern)
            if path.is_file()
        }
        odd += [
            name
            for name in sorted({*recorded, *here})
            if file_fault(shards.path / name, recorded.get(name, "")) is not None
        ]
    if odd:
        which = f"{', '.join(odd[:NAMED])}{f' and {len(odd) - NAMED:,} more' if len(odd) > NAMED else ''}"
        raise PublishError(
            f"{shards.path}: damaged or gone: {which}; run `leaf build`, which makes that again"
        )


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Small columns of every row of a built shard. Raises PublishError for one that cannot be read."""
    try:
        for batch in open_shard(path).batches(columns, 1024):
            yield from batch.to_pylist()
    except SourceError as error:
        reason = (str(error.__cause__ or error).splitlines() or [""])[0][:200]
        raise PublishError(
            f"{path}: is missing or damaged: {reason}; run `leaf build`, which makes it again"
        ) from error


def refuse(found: Survey, allowed: Iterable[str], bytes_go_out: bool) -> None:
    """Raise PublishError, a line a kind, for every fault that is not allowed."""
    passed = {*allowed} - {"suppressed"} | (set() if bytes_go_out else {"image-license"})
    lines = [str(found.faults[kind]) for kind in HINTS if kind in found.faults and kind not in passed]
    if lines:
        raise PublishError("\n".join(["this dataset may not be published as it is:", *lines]))


def _faults(
    row: Row, terms: Terms, documents: frozenset[str], images: frozenset[str]
) -> Iterator[tuple[str, str]]:
    stated = row["license"]
    if not (stated or "").strip():
        if terms.config.unknown_license == "refuse":
            yield "unknown-license", UNKNOWN
    elif key(stated) not in documents:
        yield "license", stated
    for info in row["image_info"] or ():
        if key(info["license"] or "") not in images:
            yield "image-license", info["license"] or UNKNOWN
    if row["source"] in terms.unasked or (
        terms.web_unasked and any(str(info["ref"]).startswith("http") for info in row["image_info"] or ())
    ):
        yield "opt-out", f"source {row['source']}"
    yield from (("failed", score["name"]) for score in row["scores"] or () if score["state"] in NO_VERDICT)
    if (entry := terms.suppressed.match(Shown.of_row(row))) is not None:
        yield "suppressed", f"{entry.kind} {entry.value}"


def _grouped(found: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for kind, value in found:
        kinds.setdefault(kind, set()).add(value)
    return kinds
