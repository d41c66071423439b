"""Score documents without a recipe's rules and without a run: `leafinstruct.score`.

Text scores are computed here. For others the documents become the input of the stage in a temporary folder,
so that they have the values that a build gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from leafinstruct.errors import LeafInstructError, RecipeError, suggestion
from leafinstruct.filter import stage
from leafinstruct.filter.catalog import CLIP_FAMILIES, PERPLEXITY, SCORES
from leafinstruct.filter.passes import CachedScores, decision_of
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact, chain
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.stage_report import StageReport

_PART = 500
"""Documents of a part."""


def section_for(names: Collection[str], section: Mapping[str, Any], online: bool) -> Mapping[str, Any]:
    """The `filter:` section that computes these scores and drops nothing. online: whether `llm` has a model.

    Raises RecipeError for an unknown score, and for one that these settings cannot compute.
    """
    families = {name.partition(".")[0] for name in names}
    for name in names:
        if name not in SCORES:
            raise RecipeError(f"unknown score {name!r}; {suggestion(name, SCORES)}")
    if "contamination" in families:
        raise RecipeError("contamination.* compares with filter.reference, which only `leaf build` reads")
    if not all(isinstance(section.get(name) or {}, Mapping) for name in ("alignment", "judge")):
        return section  # the check of the recipe names the fault
    alignment = dict(section.get("alignment") or {})
    if not families & set(CLIP_FAMILIES):
        alignment |= {"model": None, "share_above": None, "reassign": None}
    elif alignment.get("model") is None:
        raise RecipeError(
            "alignment.* and coherence.* need a CLIP model; give "
            'filter={"alignment": {"model": "ViT-B/32"}}, or the path of a checkpoint'
        )
    if PERPLEXITY in families and section.get("perplexity") is None:
        raise RecipeError(
            'perplexity.texts needs a language model; give filter={"perplexity": {"model": "./FOLDER"}}'
        )
    absent = "rules" if online else "judge"
    if absent in families:
        hint = "without llm" if online else "with llm={...}, the section of a recipe,"
        raise RecipeError(f"{absent}.* is computed {hint} only")
    judge = {**(section.get("judge") or {}), "enabled": bool(families & {"judge", "rules"})}
    nothing: dict[str, object] = {
        "rules": [],
        "min_images": 0,
        "min_words": 0,
        "languages": None,
        "licenses": None,
        "reference": (),
    }
    if section.get("personal_data") == "drop":
        nothing["personal_data"] = "keep"
    perplexity = section.get("perplexity") if PERPLEXITY in families else None
    return {**section, **nothing, "alignment": alignment, "judge": judge, "perplexity": perplexity}


def scored(
    settings: FilterSettings,
    documents: Iterable[Document],
    names: Collection[str],
    roots: Mapping[str, Path],
    engine: Engine,
) -> Iterator[pa.RecordBatch]:
    """Yield rows of table.SCORES, of these and other scores; by source, then in the order of the documents.
    settings: with the section of `section_for`. roots: source name -> folder of its files.

    Raises LeafInstructError for two documents with one id, and for images in files without a root.
    """
    if all(SCORES[name].turn == PASSES.index("text") for name in names):
        for document in documents:
            cells = decision_of(document, settings, CachedScores()).cells
            rows = [table.score_row(document.id, cell) for cell in cells]
            yield pa.RecordBatch.from_pylist(rows, table.SCORES)
        return
    with TemporaryDirectory(prefix="leaf-") as folder:
        stages = chain(Path(folder))
        ingest, out = stages["ingest"], stages["filter"]
        if not write_documents(ingest, documents, roots):
            return
        out.begin(stage.fingerprint(settings, ingest, out, engine))
        stage.run(settings, ingest, out, engine)
        for part in out.parts():
            yield from table.batches(out.file("scores", part))


def write_documents(ingest: Artifact, documents: Iterable[Document], roots: Mapping[str, Path]) -> bool:
    """Write documents as ingest does: each part is of one source and named after it. Returns whether there
    are any."""
    ids, sources = set[str](), set[str]()
    ingest.path.mkdir(parents=True)
    for source, given in groupby(documents, lambda document: document.source):
        sources.add(source)
        while some := list(islice(given, _PART)):
            for document in some:
                _check(document, ids, source in roots)
                ids.add(document.id)
            part = f"{source}-{len(ids):09d}"
            path = ingest.file("documents", part)
            with writing(path) as temporary:
                table.write(temporary, map(table.document_row, some), table.DOCUMENTS)
            ingest.commit(part, "", StageReport(counts={"documents": len(some)}), [path])
    ingest.finish({}, {"roots": {name: str(roots.get(name, ingest.path)) for name in sources}})
    return bool(ids)


def _check(document: Document, before: Collection[str], has_root: bool) -> None:
    if document.id in before:
        raise LeafInstructError(f"two documents have the id {document.id}; give each one once")
    if not has_root and any(image.ref.file for image in document.images):
        raise LeafInstructError(
            f"document {document.id}: its images are in files of the source {document.source!r}; "
            f"give the folder of that source with roots={{{document.source!r}: ...}}"
        )
