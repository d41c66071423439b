"""`leaf audit`: a page on which people keep or drop sampled documents, without network and server.

The page is an offline page (report/offline_page.py). Labels are stored in the browser (localStorage) where it
allows that, and saved as a file of labels (evaluate/labels.py): for each document one line of the aspect
`keep`, and one of the aspect `reason` if a reason was given.

A blind page does not contain the decision, its rules or scores, and no figure that depends on them. The order
of documents is random. What remains visible: web images of documents that were dropped before filter fetched
images are missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.report import offline_page
from leafinstruct.report.audit import sample as samples
from leafinstruct.report.audit.decided import decided, rules_of
from leafinstruct.report.audit.gather import Gathered, gather, images
from leafinstruct.report.audit.sample import Sample
from leafinstruct.report.inspect.page import IMAGE_BYTES
from leafinstruct.report.inspect.thumbnails import Thumbnails, thumbnails
from leafinstruct.report.run import Run
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.last_write import last_write

DOCUMENTS = 200
"""Default number of documents: a share has an interval of at most 7 points on each side."""
REASONS = (
    "spam or advertising",
    "menus and boilerplate",
    "broken or unreadable text",
    "too short or empty",
    "images do not fit the text",
    "images missing or useless",
    "no coherent order",
    "unsafe or private",
)
"""Common reasons for a drop, chosen on the page with the keys 1 to 8."""
_ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Audited:
    """Counts of a page: its documents, those of the run with a verdict, images; size in bytes; side file."""

    documents: int
    population: int
    images: int
    size: int
    sample: Path


def audit(
    run: Run,
    out: Path,
    size: int,
    seed: int,
    blind: bool,
    on_progress: Callable[[str, int, int], None],
    removed: frozenset[str] | None = None,
    engine: Engine | None = None,
) -> Audited:
    """Write the page of a run, and beside it the sample with strata and weights. The same run gives the same
    bytes.

    size: maximum number of documents. on_progress: called with (step, parts done, all parts). removed: sha256
    of images that were deleted by request; None if they are not known, then no image is read that filter has
    not read. engine: shrinks many images in several processes; None for this one. Raises LeafInstructError if
    filter has decided nothing, SourceError if a file cannot be written.
    """
    filtered = run.stages["filter"]
    documents = decided(filtered)
    found = samples.sample(run.directory.name, rules_of(filtered), documents, size, seed, blind)
    if not found.documents:
        raise LeafInstructError(f"{run.directory}: filter has decided no document yet; run: {run.again}")
    gathered = gather(run.stages, found, lambda done, parts: on_progress("reading", done, parts))
    small = thumbnails(
        partial(images, run.stages, removed),
        gathered.wanted,
        IMAGE_BYTES,
        lambda done, parts: on_progress("shrinking images", done, parts),
        engine,
    )
    data = _page(found, gathered, small).encode("utf-8", "replace")
    side = samples.beside(out)
    samples.write(found, side)
    with last_write(), writing(out) as temporary:
        temporary.write_bytes(data)
    shown = sum(item is not None for item in small.data)
    return Audited(len(found.documents), found.population, shown, len(data), side)


def _page(sample: Sample, gathered: Gathered, small: Thumbnails) -> str:
    records = [gathered.records[one.id] for one in sample.documents]
    ids = "\n".join(one.id for one in sample.documents)
    meta = {
        "name": sample.run,
        "blind": sample.blind,
        # where the browser keeps the labels; the same documents continue, others begin anew
        "store": f"leaf-audit {sample.run} {hashlib.sha256(ids.encode()).hexdigest()[:16]}",
        "reasons": REASONS,
        "notes": _notes(gathered, small),
        "images": {"group": offline_page.GROUP},
    }
    return offline_page.page(
        _ASSETS / "audit.html",
        f"{sample.run}: audit",
        [_ASSETS / "audit.css"],
        [_ASSETS / "audit.js"],
        {"meta": meta, "data": records},
        small.data,
    )


def _notes(gathered: Gathered, small: Thumbnails) -> list[str]:
    notes = []
    if small.left_out:
        notes.append(
            f"{small.left_out:,} of {len(small.data):,} images are left out to keep this file small; a "
            "smaller --sample shows them."
        )
    if gathered.cut:
        notes.append(f"The text of {gathered.cut:,} documents is cut; the page marks where.")
    return notes
