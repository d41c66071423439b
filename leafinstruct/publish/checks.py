"""Find faults that forbid publication. They are read from the shards, because those would be published.

    license           a document states a license that is not on push.licenses
    unknown-license   a document states no license
    image-license     an image is published as bytes, and its license is not on push.image_licenses
    opt-out           the recipe ignores opt-outs for the record's source (opt_out: false)
    failed            a score could not be computed because of a failure (state `failed`)
    toy               the tiny CLIP scored images that it does not recognize
    unscreened-*      personal-data, toxicity, nsfw: nothing looked for it, and the repository is public
    unfinished        the build is not complete
    drift             the recipe, a source or the list of removals changed after the build
    suppressed        `leaf remove` removed the record

Each fault except `suppressed` can be allowed by name. Only small columns are read: about 10,000 records a
second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar

from leafinstruct.errors import PublishError, SourceError
from leafinstruct.ingest.config import IngestConfig
from leafinstruct.publish.config import PushConfig
from leafinstruct.records.document import UNDECIDED
from leafinstruct.records.license import key, keys
from leafinstruct.records.preference.row import PUBLISHED
from leafinstruct.records.preference.stored import sources
from leafinstruct.records.public import open_shard
from leafinstruct.records.published_row import PublishedRow
from leafinstruct.records.removals import NOTHING, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import file_fault

COLUMNS = ("id", "document_id", "source", "url", "page_url", "license", "image_info", "scores")
BESIDE = ("README.md", "SHA256SUMS", "croissant.json", "build.json", "examples/*", *PUBLISHED)
"""Files that are published with the shards, if they exist."""
NAMED = 3
"""Maximum number of ids and of values that a message lists for one fault."""
UNKNOWN = "no license stated"
T = TypeVar("T")

HINTS = {
    "license": (
        "list it in push.licenses if you may redistribute it, or remove the records with `leaf remove`"
    ),
    "unknown-license": (
        "set push.unknown_license: allow if you have cleared the rights, or use sources that state licenses"
    ),
    "image-license": "set push.images: auto or reference, or list it in push.image_licenses",
    "opt-out": "set opt_out: true and build again",
    "toy": "set filter.alignment.model: ViT-B/32 and build again",
    "unscreened-personal-data": "set filter.personal_data: mask and build again",
    "unscreened-toxicity": "build again with this version of leafinstruct",
    "unscreened-nsfw": "use a rule on a score of images named `nsfw` of an installed package, look yourself",
    "failed": "run `leaf build --retry-failed`",
    "unfinished": "run `leaf build` until it finishes",
    "drift": "run `leaf build`",
    "suppressed": "run `leaf build`, which leaves them out; this cannot be allowed",
}
"""Fault -> how to fix it instead of allowing it."""


class Recipe(Protocol):
    """What publishing reads of a recipe."""

    ingest: IngestConfig
    push: PushConfig

    @property
    def full_name(self) -> str: ...
    @property
    def ignores_web_opt_out(self) -> bool: ...


class Loaded(Protocol):
    """What publishing reads of a loaded recipe."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def removed(self) -> Suppressed: ...


@dataclass(frozen=True)
class Terms:
    """What may be published.

    suppressed: the list of removals. ignored_opt_out: sources whose opt-outs the recipe ignores.
    ignored_web_opt_out: whether it ignores the opt-outs of hosts of images.
    """

    config: PushConfig
    suppressed: Suppressed = NOTHING
    ignored_opt_out: frozenset[str] = frozenset()
    ignored_web_opt_out: bool = False

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """The terms of a recipe."""
        recipe = loaded.recipe
        unasked = (source.name for source in recipe.ingest.sources if not getattr(source, "opt_out", True))
        return cls(recipe.push, loaded.removed, frozenset(unasked), recipe.ignores_web_opt_out)


@dataclass
class Fault:
    """One kind of fault: number of records, values with their counts, and the first NAMED ids."""

    kind: str
    records: int = 0
    values: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.values.items(), key=lambda pair: (-pair[1], pair[0]))
        values = [f"{value[:60]} ({count:,})" if self.records else value for value, count in ordered]
        which = f"; for example {', '.join(self.ids)}" if self.ids else ""
        many = f"{self.records:,} record{'s' if self.records != 1 else ''}: " if self.records else ""
        allow = "" if self.kind == "suppressed" else f", or give --allow {self.kind}"
        return f"{self.kind}: {many}{few(values)}{which}; {HINTS[self.kind]}{allow}"


@dataclass
class Survey:
    """Contents of the shards: number of records and images, and faults by kind."""

    records: int = 0
    images: int = 0
    faults: dict[str, Fault] = field(default_factory=dict)

    def whole(self, kind: str, value: str) -> None:
        """Add a fault of the whole dataset."""
        self.faults.setdefault(kind, Fault(kind)).values[value] += 1

    def record(self, identity: str, found: Iterable[tuple[str, str]]) -> None:
        """Add the faults of one record. found: (kind, value); a kind may occur several times."""
        for kind, values in _grouped(found).items():
            fault = self.faults.setdefault(kind, Fault(kind))
            fault.records += 1
            fault.values.update(values)
            if len(fault.ids) < NAMED:
                fault.ids.append(identity)


def survey(
    shards: Sequence[Path],
    terms: Terms,
    on_shard: Callable[[int], None] = lambda _: None,
    pairs: Sequence[Path] = (),
) -> Survey:
    """Check every record of some shards. on_shard: called with the number of shards that are read. pairs:
    shards of preference rows; the record of a row and that of its lender are checked, and only rows of
    `shards` are counted.

    Raises PublishError for a shard that cannot be read.
    """
    found = Survey()
    documents, images = keys(terms.config.licenses), keys(terms.config.image_licenses)
    for done, path in enumerate(shards):
        on_shard(done)
        for row in rows(path, COLUMNS):
            found.records += 1
            found.images += len(row.image_info)
            found.record(row.id, _faults(row, terms, documents, images))
    for path in pairs:
        for identity, records in _read(path, sources(path)):
            faults = (fault for row in records for fault in _faults(row, terms, documents, images))
            found.record(identity, faults)
    on_shard(len(shards))
    return found


def compare(shards: Artifact, on_shard: Callable[[int], None] = lambda _: None) -> None:
    """Compare every file to be published with the checksum from its build.

    Raises PublishError for damaged or missing files; this fault cannot be allowed.
    """
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
        raise PublishError(f"{shards.path}: damaged or missing: {few(odd)}; run `leaf build` to rebuild them")


def few(names: Sequence[str]) -> str:
    """The first NAMED names, and the number of others."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} others" if len(names) > NAMED else "")


def rows(path: Path, columns: Sequence[str]) -> Iterator[PublishedRow]:
    """Read small columns of every row of a built shard. Raises PublishError if it cannot be read."""
    try:
        shard = open_shard(path)
    except SourceError as error:
        raise _unreadable(path, error) from error
    yield from _read(path, shard.read(columns, 1024))


def _read(path: Path, found: Iterator[T]) -> Iterator[T]:
    try:
        yield from found
    except SourceError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: SourceError) -> PublishError:
    reason = (str(error.__cause__ or error).splitlines() or [""])[0][:200]
    return PublishError(f"{path}: missing or damaged: {reason}; run `leaf build` to rebuild it")


def refuse(found: Survey, allowed: Iterable[str], with_bytes: bool) -> None:
    """Raise PublishError if a fault is not allowed, with one line for each kind.

    with_bytes: whether images are published as bytes; otherwise their licenses do not matter.
    """
    passed = {*allowed} - {"suppressed"} | (set() if with_bytes else {"image-license"})
    lines = [str(found.faults[kind]) for kind in HINTS if kind in found.faults and kind not in passed]
    if lines:
        raise PublishError("\n".join(["this dataset cannot be published:", *lines]))


def _faults(
    row: PublishedRow, terms: Terms, documents: frozenset[str], images: frozenset[str]
) -> Iterator[tuple[str, str]]:
    stated = row.license or ""
    if not stated.strip():
        if terms.config.unknown_license == "refuse":
            yield "unknown-license", UNKNOWN
    elif key(stated) not in documents:
        yield "license", stated
    for info in row.image_info:
        if key(info.license or "") not in images:
            yield "image-license", info.license or UNKNOWN
    if row.source in terms.ignored_opt_out or (
        terms.ignored_web_opt_out and any((info.ref or "").startswith("http") for info in row.image_info)
    ):
        yield "opt-out", f"source {row.source}"
    yield from (("failed", score.name) for score in row.scores if score.state in UNDECIDED)
    if (entry := terms.suppressed.match(Shown.of_row(row))) is not None:
        yield "suppressed", f"{entry.kind} {entry.value}"


def _grouped(found: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for kind, value in found:
        kinds.setdefault(kind, set()).add(value)
    return kinds
