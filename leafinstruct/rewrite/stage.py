"""rewrite: kept documents -> examples with images on both sides; what cannot become one is dropped with the
reason.

Everything runs in one event loop: with a language model the time is waiting, without one it is string
building. The question, its check and its offline answerer come from prompt.py and parse.py, so the templates
pass the same schema and the same one-to-one check as a model. Bytes of images are read only to be sent;
examples refer to them by sha256.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from leafinstruct.errors import LeafInstructError
from leafinstruct.images.send import Sent, all_as_sent
from leafinstruct.llm.client import Client, estimate_tokens
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.faults.outage import too_many_failed
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Answer
from leafinstruct.records import asked, table
from leafinstruct.records.document import NO_VERDICT, Document
from leafinstruct.records.example import Cell, Example, example_id
from leafinstruct.records.text import language, words
from leafinstruct.records.text.language_names import UNDETERMINED, named
from leafinstruct.rewrite import parse, prompt, row_size, steps, tasks
from leafinstruct.rewrite.asking import question
from leafinstruct.rewrite.config import RewriteConfig
from leafinstruct.rewrite.genre import genre_of
from leafinstruct.rewrite.outcome import DANGLING, Refused, counted, dropped_row, example, keep, unanswered_of
from leafinstruct.rewrite.resemblance import resemblance
from leafinstruct.rewrite.steps import Piece
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Files, Task, tasks_in
from leafinstruct.runtime.artifact import Artifact, Fingerprint, digest, version, writing
from leafinstruct.runtime.engine.base import Engine, Needs, Part

CODE = 11
"""Raised when the same documents and answers give other examples than before."""


@dataclass(frozen=True)
class RewriteSettings:
    """config: the recipe's section; answers: folder of the answer cache; questions: of each language that has
    a file of them."""

    config: RewriteConfig
    llm: LlmConfig
    prompt: Prompt
    answers: Path
    questions: Files

    @property
    def model(self) -> str:
        """Name of whoever rewrites; `none` where conversations are kept as they are."""
        if self.config.mode == "keep":
            return "none"
        return prompt.OFFLINE if self.offline else self.llm.known_as

    @property
    def offline(self) -> bool:
        """Whether the written templates word the questions, not a language model."""
        return self.llm.provider == "offline"

    def tasks(self, document: Document) -> list[Task]:
        """The task families as they ask in the document's language."""
        return tasks_in(document.language, self.config.tasks, self.questions, by_model=not self.offline)


@dataclass(frozen=True)
class _Asked:
    """A piece of a document and what is known of it: the piece, facts about the document, its scores."""

    piece: Piece
    facts: Facts
    cells: tuple[Cell, ...]


def fingerprint(settings: RewriteSettings, inputs: Artifact, out: Artifact, engine: Engine) -> Fingerprint:  # noqa: ARG001 - every room's door
    """Config, prompt, questions, model, sampling, and what filter made."""
    record = inputs.record
    assert record is not None, "filter is done"
    return {"code": CODE, **_identity(settings), "input": record["output"]}


def run(settings: RewriteSettings, inputs: Artifact, out: Artifact, engine: Engine) -> dict[str, Any]:
    """Write the examples of every part that does not stand. Returns facts for the record.

    Raises ProviderError when more answers failed than the recipe tolerates, LeafInstructError when there
    would be no example.
    """
    parts = [Part(name, _key(settings, inputs, name)) for name in inputs.parts()]
    out.keep_only([part.name for part in parts])
    missing = [part for part in parts if not out.is_up_to_date(part.name, part.payload)]
    client = Client(settings.llm, settings.answers)
    reports = list(
        engine.map(
            partial(rewrite, settings, inputs, out, client),
            missing,
            Needs("io", what="rewriting", release=client.close),
        )
    )
    _refuse_failures(settings, out, reports)
    totals = out.totals()
    if not totals.counts["examples"]:
        why = ", ".join(f"{count:,} x {reason}" for reason, count in totals.reasons.most_common())
        raise LeafInstructError(
            f"no document became an example: {why or 'there was none'}; see rewrite.tasks and rewrite.mode"
        )
    used = {code for report in out.reports() for code in report["asked_in"]} & settings.questions.keys()
    files = {code: settings.questions[code] for code in sorted(used)}
    read = {code: {"sha256": file.sha256, "read_by": file.questions.read_by} for code, file in files.items()}
    return {"models": {"rewrite": settings.model}, "prompts": _own_prompt(settings), "questions": read}


def reopen(out: Artifact, parts: Sequence[str]) -> None:
    """Have the rewriter asked again about what it refused in these parts; other answers are in the cache."""
    for name in parts:
        out.open(name)


def _own_prompt(settings: RewriteSettings) -> dict[str, str]:
    """The prompt's name and sha256 where a language model was given it."""
    used = settings.config.mode == "rewrite" and not settings.offline
    return {settings.prompt.name: settings.prompt.sha256} if used else {}


def _prompts(settings: RewriteSettings, inputs: Artifact) -> dict[str, str]:
    """All prompts that shaped an example, the judge's too."""
    assert inputs.record is not None, "filter is done"
    return {**inputs.record["prompts"], **_own_prompt(settings)}


def estimate(
    settings: RewriteSettings, sample: Sequence[tuple[Document, Mapping[str, bytes]]]
) -> tuple[float, float]:
    """For `--dry-run`: questions that a document gives, at least 1 (pieces of long ones, whether or not a
    task fits them), and mean input tokens of a question. Zeros where conversations are kept. sample: see
    filter.estimate."""
    if settings.config.mode == "keep":
        return 0.0, 0.0
    config = settings.config
    pages = [(document, data) for document, data in sample if not document.is_conversation]
    pieces = [
        (piece.document, data)
        for document, data in pages
        for piece in steps.pieces(document, config.max_words, config.max_images)
    ]
    chosen = [
        (document, tasks.choose(document, settings.tasks(document), Facts(), document.id), data)
        for document, data in pieces
    ]
    tokens = [
        estimate_tokens(prompt.request(document, task, all_as_sent(data, config.image_px), settings.prompt))
        for document, task, data in chosen
        if task is not None
    ]
    return (len(pieces) / len(pages), sum(tokens) / len(tokens)) if tokens else (0.0, 0.0)


async def rewrite(
    settings: RewriteSettings, inputs: Artifact, out: Artifact, client: Client, part: Part
) -> dict[str, Any]:
    """Task: the examples of one part; writes asked-, examples-, dropped- and the part's report. payload: the
    part's key."""
    started = time.perf_counter()
    out.open(part.name)
    documents, drops = _documents(inputs, part)
    cells = _cells(inputs, part, set(drops))
    answers: list[tuple[str, Answer]] = []
    sizes = row_size.sizes(inputs.file("images", part.name), documents)
    outcomes: list[Example | Refused] = [
        row_size.too_large(document, sizes) or keep(document, cells[document.id], drops[document.id])
        for document in documents
        if settings.config.mode == "keep" or document.is_conversation
    ]
    pages = [
        document
        for document in documents
        if settings.config.mode == "rewrite" and not document.is_conversation
    ]
    asked_for = [
        _Asked(piece, _facts(document, drops[document.id]), cells[document.id])
        for document in pages
        for piece in steps.pieces(document, settings.config.max_words, settings.config.max_images)
    ]
    too_large = [row_size.too_large(item.piece.document, sizes) for item in asked_for]
    outcomes += filter(None, too_large)
    asked_for = [item for item, problem in zip(asked_for, too_large, strict=True) if problem is None]
    if asked_for:
        asked_for = _with_resemblance(asked_for, settings, inputs, part)
        # templates need the places of images, not the images
        shown = (
            set()
            if settings.offline
            else {image.sha256 or "" for item in asked_for for image in item.piece.document.images}
        )
        images = all_as_sent(_bytes(inputs, part, shown), settings.config.image_px)
        outcomes += await asyncio.gather(
            *(_rewrite(item, settings, client, images, answers) for item in asked_for)
        )
    prompts = tuple(sorted(_prompts(settings, inputs).items()))
    examples = [replace(outcome, prompts=prompts) for outcome in outcomes if isinstance(outcome, Example)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    with writing(out.file("asked", part.name)) as temporary:
        by_document = sorted(answers, key=lambda pair: (pair[0], pair[1].key))
        table.write(
            temporary, (asked.row_of(name, asdict(answer)) for name, answer in by_document), asked.ASKED
        )
    with writing(out.file("examples", part.name)) as temporary:
        table.write(temporary, map(table.example_row, examples), table.EXAMPLES)
    with writing(out.file("dropped", part.name)) as temporary:
        table.write(temporary, map(dropped_row, refused), table.VERDICTS)
    report = {
        "counts": {
            "documents": len(documents),
            "outcomes": len(outcomes),
            "examples": len(examples),
            "images": sum(len(example.images) for example in examples),
            "failed": sum(item.state in NO_VERDICT for item in refused),
            "declined": sum(item.state == "declined" for item in refused),
            **{
                f"task.{task}": count
                for task, count in sorted(Counter(example.task for example in examples).items())
            },
        },
        **_reasons(refused, {example.document_id for example in examples}),
        "languages": {"kept": Counter(example.language or UNDETERMINED for example in examples)},
        "details": [item.detail for item in refused if item.state in NO_VERDICT][:1],
        "asked_in": sorted({item.piece.document.language or "" for item in asked_for}),
        "cost": asked.cost_of(out.file("asked", part.name)),
        "intermediate": [out.file("asked", part.name).name],
        "unanswered": asked.unanswered(out.file("asked", part.name)),
        "seconds": time.perf_counter() - started,
    }
    files = [out.file("examples", part.name), out.file("dropped", part.name)]
    return {**out.commit(part.name, part.payload, report, files), **client.repaired()}


def _facts(document: Document, drops: Sequence[table.Row]) -> Facts:
    """Whether the document lost nothing: neither its reader a piece nor filter an image."""
    return Facts(whole=not document.lost and all(drop["position"] is None for drop in drops))


def _reasons(refused: Sequence[Refused], kept: set[str]) -> dict[str, Counter[str]]:
    """Reasons of documents that became no example at all, each document once; and of the images of those
    pieces of others that became none."""
    first = {item.document.id: item.reason for item in reversed(refused) if item.document.id not in kept}
    lost: Counter[str] = Counter()
    for item in refused:
        if item.document.id in kept and item.document.images:
            lost[item.reason] += len(item.document.images)
    return {"reasons": Counter(first.values()), "image_reasons": lost}


async def _rewrite(
    item: _Asked,
    settings: RewriteSettings,
    client: Client,
    images: Mapping[str, Sent],
    answers: list[tuple[str, Answer]],
) -> Example | Refused:
    """One piece's outcome; `answers` is filled on the way."""
    config, piece, document = settings.config, item.piece, item.piece.document
    if not document.images and piece.of > 1:
        return Refused(
            document, "piece_without_image", "ok", f"piece {piece.number + 1} of a long document has no image"
        )
    if not steps.fits(document.segments, config.max_words, config.max_images):
        return Refused(
            document,
            "too_long",
            "ok",
            f"piece {piece.number + 1} is above the bounds and has no border to cut it at",
        )
    task = tasks.choose(
        document, settings.tasks(document), item.facts, example_id(document.id, "", piece.number)
    )
    if task is None:
        return _without_task(document, settings, item.facts)
    answer = await client.ask(question(document, task, images, config.image_px, settings.prompt))
    answers.append((document.id, answer))
    if answer.value is None:
        return Refused(document, f"answer_{answer.state}", answer.state, answer.detail)
    turns = parse.turns(answer.value, document.images)
    unanswered = unanswered_of(document, turns)
    if config.max_dangling is not None and len(unanswered) > config.max_dangling:
        return Refused(document, "dangling_reference", "ok", f"piece {piece.number + 1} says {unanswered[0]}")
    cells = tuple(counted(cell, unanswered) if cell.name == DANGLING else cell for cell in item.cells)
    return example(document, task.family.name, turns, answer, cells, piece.number)


def _without_task(document: Document, settings: RewriteSettings, facts: Facts) -> Refused:
    """`no_template` where a family fits but for its question in the document's language, else
    `no_task_fits`."""
    asking = {task.family.name for task in settings.tasks(document) if task.wording is not None}
    silent = [
        family.name
        for family in tasks.met_by(document, settings.config.tasks, facts)
        if family.name not in asking
    ]
    if not silent:
        names = ", ".join(task.name for task in settings.config.tasks)
        return Refused(
            document,
            "no_task_fits",
            "ok",
            f"{len(document.images)} images, {genre_of(document)}: it has not what {names} need",
        )
    why = f"{', '.join(silent)}: the document's own words make no question, and its language is not known"
    if document.language is not None:
        name, place = named(document.language), f"questions/{document.language}.yaml"
        why = (
            f"{', '.join(silent)}: no questions in {name}, and the document's own words make none; add "
            f"{place}, see docs/tasks.md"
        )
    return Refused(document, "no_template", "ok", why)


def _with_resemblance(
    items: Sequence[_Asked], settings: RewriteSettings, inputs: Artifact, part: Part
) -> list[_Asked]:
    """With the structural similarity of the images of those pieces whose task depends on it."""
    wanted = [
        tasks.wants_resemblance(item.piece.document, settings.tasks(item.piece.document), item.facts)
        for item in items
    ]
    names = {
        image.sha256 or ""
        for item, wants in zip(items, wanted, strict=True)
        if wants
        for image in item.piece.document.images
    }
    data = _bytes(inputs, part, names) if names else {}

    def resemble(document: Document) -> float:
        pairs = pairwise(document.images)
        return min(resemblance(data[one.sha256 or ""], data[other.sha256 or ""]) for one, other in pairs)

    return [
        replace(item, facts=replace(item.facts, resemblance=resemble(item.piece.document))) if wants else item
        for item, wants in zip(items, wanted, strict=True)
    ]


def _documents(inputs: Artifact, part: Part) -> tuple[list[Document], dict[str, list[table.Row]]]:
    """What filter kept of a part, and by id the images that it dropped from each."""
    documents, drops = [], {}
    for row in table.read(inputs.checked("documents", part.name)):
        documents.append(table.document_of(row))
        drops[row["id"]] = row["drops"]
    return documents, drops


def _cells(inputs: Artifact, part: Part, wanted: set[str]) -> dict[str, tuple[Cell, ...]]:
    """The scores of the wanted documents, dropped images included."""
    found: dict[str, list[Cell]] = {document: [] for document in wanted}
    for row in table.read(inputs.checked("scores", part.name)):
        if row["document_id"] in found:
            found[row["document_id"]].append(table.cell_of(row))
    return {document: tuple(cells) for document, cells in found.items()}


def _bytes(inputs: Artifact, part: Part, names: set[str]) -> dict[str, bytes]:
    return table.images(inputs.file("images", part.name), names - {""})


def _refuse_failures(settings: RewriteSettings, out: Artifact, reports: list[dict[str, Any]]) -> None:
    """An outage is not a verdict: a part that holds failures does not stand, so the next run asks for them
    again."""
    counts = out.totals().counts
    failed, asked = counts["failed"], counts["outcomes"]
    if failed > settings.llm.tolerate_failures * asked:
        why = next(detail for report in reports for detail in report["details"])
        raise too_many_failed(settings.llm, counts, asked, why, "rewriter", "answered")


def _identity(settings: RewriteSettings) -> dict[str, Any]:
    questions = {code: file.sha256 for code, file in settings.questions.items()}
    libraries = {"regex": words.VERSION, **{name: version(name) for name in language.LIBRARIES}}
    model = settings.model if settings.offline or settings.config.mode == "keep" else settings.llm.answerer
    shaping = {
        "model": model,
        "prompt": settings.prompt.sha256,
        "questions": questions,
        "libraries": libraries,
    }
    return {"rewrite": settings.config.model_dump(mode="json"), **shaping, **settings.llm.sampling_identity}


def _key(settings: RewriteSettings, inputs: Artifact, name: str) -> str:
    return digest(
        [
            CODE,
            _identity(settings),
            _prompts(settings, inputs),
            inputs.file_digest("documents", name),
            inputs.file_digest("scores", name),
        ]
    )
