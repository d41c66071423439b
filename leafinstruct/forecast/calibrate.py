"""Ask about a few documents before a build, and see what they cost.

They are built: a temporary run with these documents goes through filter and rewrite as a build does, with
the same questions, checks, corrections and rounds, so whatever costs money is measured. The answers are in
the cache that the build uses, which then does not pay for them again.

Documents of each source are chosen by the predicted size of their questions: the median one, or several
evenly spaced from the smallest to the largest. The same documents are chosen the next time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.filter import forecast as filtering
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.forecast.progress import Paid, answers
from leafinstruct.llm.tokens import Predicted
from leafinstruct.records.document import Document
from leafinstruct.rewrite import stage as rewriting
from leafinstruct.rewrite.asking import RewriteSettings
from leafinstruct.runtime.artifact import Artifact, chain
from leafinstruct.runtime.engine.base import Engine

_OUTPUT = 4  # what an output token costs beside an input token, where documents are compared


@dataclass(frozen=True, slots=True)
class Asked:
    """What a calibration found. paid: by step and document. judged: the documents that the judges were asked
    about; kept: those of them that the rules on verdicts keep."""

    paid: Paid
    judged: frozenset[str]
    kept: frozenset[str]


def choose(documents: Sequence[Document], sizes: Mapping[str, Predicted], count: int) -> list[Document]:
    """Choose so many documents of one source, see above. sizes: of all questions about a document, by id."""
    by_size = sorted(documents, key=lambda document: (_weight(sizes[document.id]), document.id))
    count = min(count, len(by_size))
    return [by_size[(2 * at + 1) * len(by_size) // (2 * count)] for at in range(count)]


def _weight(size: Predicted) -> float:
    return size.input_tokens + _OUTPUT * size.output_tokens


def ask(
    documents: Sequence[Document],
    roots: Mapping[str, Path],
    filters: FilterSettings,
    rewrites: RewriteSettings,
    folder: Path,
    engine: Engine,
) -> Asked:
    """Build these documents in a temporary folder. Raises LeafInstructError as a build does."""
    stages = chain(folder)
    direct = filtering.direct(filters)
    kept = filtering.kept(direct, documents, roots, stages, engine)
    if kept:
        _rewrite(rewrites, stages, engine)
    files = [path for name in ("filter", "rewrite") for path in _asked(stages[name])]
    return Asked(
        answers(files, filters),
        frozenset(document.id for document in documents),
        frozenset(document.id for document in kept),
    )


def _rewrite(settings: RewriteSettings, stages: Mapping[str, Artifact], engine: Engine) -> None:
    inputs, out = stages["filter"], stages["rewrite"]
    settings = settings.direct
    out.begin(rewriting.fingerprint(settings, inputs, out, engine))
    try:
        rewriting.run(settings, inputs, out, engine)
    except LeafInstructError:
        totals = out.totals().counts
        if len(out.parts()) < len(inputs.parts()) or totals["examples"] or totals["failed"]:
            raise


def _asked(out: Artifact) -> list[Path]:
    return out.files("asked")
