"""Gather the documents of a sample for the page: one JSON-ready dictionary per document, and its images.

A blind page gets the text, the images and the origin of a document, and nothing that depends on the decision.
Images of a document that was dropped before its images were read are read now, if they are on this machine,
since their absence would give the decision away. No image is fetched from the web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from leafinstruct.images.formats.mend import digests
from leafinstruct.images.read import Unreadable, fetch
from leafinstruct.records import table
from leafinstruct.records.document import Document, Ref, Text
from leafinstruct.records.example import Cell
from leafinstruct.records.files.lookup import documents_where, one_of, values_where
from leafinstruct.records.rows import Drop
from leafinstruct.records.text.language_names import named
from leafinstruct.report.audit.sample import Sample
from leafinstruct.report.inspect import decision
from leafinstruct.report.inspect.gather import CUT, LEAST, TEXT_BYTES, Allowance, shown_drop
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.store.path import root_at

Image = tuple[str, Ref]
"""Source and reference of an image."""
NOT_FETCHED = "on the web, and not fetched before its document was dropped"
"""Why an image that filter did not read is not shown, unless it can be read from this machine."""


@dataclass
class Gathered:
    """Contents of a page.

    records: id -> document. wanted: part -> its images in order of use; the number of an image in the page is
    its index over all parts. cut: number of documents whose text is cut.
    """

    records: dict[str, dict[str, object]] = field(default_factory=dict)
    wanted: dict[str, list[Image]] = field(default_factory=dict)
    cut: int = 0


def gather(
    stages: Mapping[str, Artifact], sample: Sample, on_progress: Callable[[int, int], None]
) -> Gathered:
    """Read the documents of a sample, without pixels."""
    parts: dict[str, list[str]] = {}
    for one in sample.documents:
        parts.setdefault(one.part, []).append(one.id)
    found = Gathered()
    numbers: dict[Image, int] = {}
    share = max(LEAST, TEXT_BYTES // len(sample.documents))
    for done, (part, ids) in enumerate(sorted(parts.items()), 1):
        wanted = one_of(set(ids))
        reasons = _reasons(stages["filter"], part)
        verdicts = {} if sample.blind else _verdicts(stages["filter"], part, set(ids))
        documents = {
            document.id: document
            for document in documents_where(stages["ingest"].file("documents", part), "id", wanted)
        }
        known = len(numbers)
        for name in ids:  # in the order of the sample, on which alone the numbers of images may depend
            allowance = Allowance(share)
            shown = _shown(documents[name], allowance, numbers, None if sample.blind else reasons)
            found.records[name] = {**shown, **verdicts.get(name, {})}
            found.cut += allowance.cut
        found.wanted[part] = [*numbers][known:]
        on_progress(done, len(parts))
    return found


def images(
    stages: Mapping[str, Artifact], removed: frozenset[str] | None, part: str, wanted: frozenset[Image]
) -> Iterator[tuple[Image, bytes]]:
    """Bytes of wanted images: as filter has them, else from this machine (see thumbnails.Read).

    removed: sha256 of images that were deleted by request; None if they are not known, then only images that
    filter has are given. Raises DamagedError.
    """
    missing = {str(ref): (source, ref) for source, ref in wanted}
    path = stages["filter"].file("images", part)
    if path.exists():
        for ref, data in values_where(path, "ref", one_of(set(missing)), "ref", "bytes"):
            image = missing.pop(ref, None)
            if image is not None and data:
                yield image, data
    if removed is None:
        return
    for source, ref in missing.values():
        root = _root(stages["ingest"], source)
        data = Unreadable("missing", source) if root is None else fetch(ref, root)
        if isinstance(data, bytes) and removed.isdisjoint(digests(data)):
            yield (source, ref), data


def _root(ingest: Artifact, source: str) -> Path | None:
    """Folder of a source's files, None for a source without files."""
    root = cast("Mapping[str, str]", (ingest.fingerprint or {}).get("roots", {})).get(source)
    return None if root is None else root_at(ingest.path, root).resolve()


def _reasons(filtered: Artifact, part: str) -> dict[str, str]:
    """Reference -> why filter has no image; empty if it has one."""
    path = filtered.file("images", part)
    return dict(table.columns(path, "ref", "reason")) if path.exists() else {}


def _shown(
    document: Document, allowance: Allowance, numbers: dict[Image, int], reasons: Mapping[str, str] | None
) -> dict[str, object]:
    """The document as its source has it. reasons: see `_reasons`, None for a blind page."""
    segments: list[dict[str, object]] = []
    for segment in document.segments:
        role = {"role": segment.role} if segment.role else {}
        if isinstance(segment, Text):
            segments.append({"kind": segment.kind, **role, **allowance.take(segment.text)})
            continue
        shown: dict[str, object] = {
            "kind": "image",
            **role,
            "image": numbers.setdefault((document.source, segment.ref), len(numbers)),
            "alt": segment.alt[:CUT],
        }
        if reasons is not None:
            shown |= {"at": segment.position, "missing": reasons.get(str(segment.ref), NOT_FETCHED)[:CUT]}
        segments.append(shown)
    return {
        "id": document.id,
        "source": document.source,
        "url": document.url,
        "language": named(document.language),
        "segments": segments,
    }


def _verdicts(filtered: Artifact, part: str, ids: set[str]) -> dict[str, dict[str, object]]:
    """Document -> its decision: kept, drops, and the rules with bounds, values and outcome."""
    cells: dict[str, list[Cell]] = {}
    columns = ("document_id", *Cell.__slots__)
    for document, *values in values_where(
        filtered.file("scores", part), "document_id", one_of(ids), *columns
    ):
        cells.setdefault(document, []).append(Cell(*values))
    found: dict[str, dict[str, object]] = {}
    for kind in ("documents", "dropped"):
        for document, given in values_where(filtered.file(kind, part), "id", one_of(ids), "id", "drops"):
            drops = [Drop(**drop) for drop in given or ()]
            found[document] = {
                "kept": kind == "documents",
                "drops": [shown_drop(drop) for drop in drops],
                "rules": [_rule(rule) for rule in decision.rules(filtered, cells.get(document, ()), drops)],
            }
    return found


def _rule(rule: Mapping[str, Any]) -> dict[str, object]:
    values = cast("Sequence[Mapping[str, Any]]", rule["values"])
    return {
        "name": rule["rule"],
        "min": rule["min"],
        "max": rule["max"],
        "values": [item["value"] for item in values],
        "outcome": rule["outcome"],
    }
