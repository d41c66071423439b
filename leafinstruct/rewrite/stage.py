"""The rewrite stage: kept documents -> examples. A document that cannot become one is dropped with a reason.

Everything runs in one event loop: with a language model the time is spent waiting, without one it is string
processing. The request, its check and its offline answer come from prompt.py and parse.py, so templates pass
the same schema and the same one-to-one check of images as a model. Bytes of images are read only to be sent;
examples refer to images by sha256.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.images.send import all_as_sent
from leafinstruct.llm.client import needs_of
from leafinstruct.llm.faults.outage import too_many_failed
from leafinstruct.records import asked, table
from leafinstruct.records.document import UNDECIDED, Document
from leafinstruct.records.example import Cell, Example
from leafinstruct.records.rows import Drop
from leafinstruct.records.text import language, words
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.rewrite import row_size, steps
from leafinstruct.rewrite.asking import (
    Clients,
    Item,
    RewriteSettings,
    facts_of,
    image_bytes,
    rewrite_piece,
    with_resemblance,
)
from leafinstruct.rewrite.outcome import LEFT_OUT, LeftOut, Refused, RewriteReport, dropped_row, keep
from leafinstruct.rewrite.refine import examine
from leafinstruct.rewrite.refine.rounds import Question
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Engine, Part
from leafinstruct.runtime.engine.share import REWRITTEN, barrier, own, remaining
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.record import Fingerprint, QuestionsUsed, StageFacts
from leafinstruct.runtime.stage import Stage
from leafinstruct.runtime.stage_report import total

CODE = 18
"""Version, increased when the same documents and answers give other examples than before."""


def fingerprint(settings: RewriteSettings, inputs: Artifact, out: Artifact, engine: Engine) -> Fingerprint:  # noqa: ARG001 - the interface of every stage
    """Config, prompt, questions, model, sampling, and the digest of filter's output."""
    record = inputs.record
    assert record is not None, "filter is done"
    return {"code": CODE, **_identity(settings), "input": record["output"]}


def run(settings: RewriteSettings, inputs: Artifact, out: Artifact, engine: Engine) -> StageFacts:
    """Write the examples of every part that is not up to date. Returns facts for the record.

    Raises ProviderError if more answers failed than the recipe tolerates, LeafInstructError if there is no
    example.
    """
    parts = [Part(name, _key(settings, inputs, name)) for name in inputs.parts()]
    out.keep_only([part.name for part in parts])
    mine = own(engine, parts)

    def is_made(part: Part) -> bool:
        return out.is_made(part.name, part.payload)

    missing = remaining(
        engine, REWRITTEN, mine, lambda part: out.is_up_to_date(part.name, part.payload), is_made
    )
    clients = Clients.of(settings)
    needs = needs_of(clients.distinct, "rewriting")
    reports = list(engine.map(partial(rewrite, settings, inputs, out, clients), missing, needs))
    if missing:
        _refuse_failures(settings, out, mine, reports)
    barrier(engine, REWRITTEN, (parts, is_made))
    totals = out.totals()
    if not totals.counts["examples"]:
        why = ", ".join(f"{count:,} x {reason}" for reason, count in totals.reasons.most_common())
        raise LeafInstructError(
            f"no document became an example: {why or 'there was no document'}; see rewrite.tasks and "
            "rewrite.mode"
        )
    used = {
        code for report in out.reports_as(RewriteReport) for code in report.asked_in
    } & settings.questions.keys()
    files = {code: settings.questions[code] for code in sorted(used)}
    read: dict[str, QuestionsUsed] = {
        code: {"sha256": file.sha256, "read_by": file.questions.read_by} for code, file in files.items()
    }
    models: dict[str, str | None] = {"rewrite": settings.model}
    if settings.examiner is not None:
        models["examined"] = settings.examiner.llm.known_as
    return {"models": models, "prompts": _own_prompts(settings), "questions": read}


def reopen(out: Artifact, parts: Sequence[str]) -> None:
    """Ask the rewriter again what it refused in these parts. Other answers are cached."""
    for name in parts:
        out.open(name)


def _own_prompts(settings: RewriteSettings) -> dict[str, str]:
    """Name and sha256 of the prompts that a language model got."""
    used = settings.config.mode == "rewrite" and not settings.offline
    sent = [settings.prompt, *([settings.examiner.prompt] if settings.examiner else [])] if used else []
    if used and any(family.several_turns for family in settings.config.tasks):
        sent.append(settings.turns_prompt)
    return {prompt.name: prompt.sha256 for prompt in sent}


def _prompts(settings: RewriteSettings, inputs: Artifact) -> dict[str, str]:
    """All prompts that an example depends on, the judge's included."""
    assert inputs.record is not None, "filter is done"
    return {**inputs.record["prompts"], **_own_prompts(settings)}


def asked_now(settings: RewriteSettings, inputs: Artifact, out: Artifact) -> list[Path]:
    """The files of the parts whose examples were asked for, as this recipe asks. inputs: of a finished
    stage."""
    return [
        out.file("asked", part)
        for part in inputs.parts()
        if out.is_up_to_date(part, _key(settings, inputs, part))
    ]


async def rewrite(
    settings: RewriteSettings, inputs: Artifact, out: Artifact, clients: Clients, part: Part
) -> RewriteReport:
    """Task: make the examples of one part. Writes asked-, examples-, dropped-, rejected- (with an examiner),
    and the part's report. payload: the part's key."""
    started = time.perf_counter()
    out.open(part.name)
    documents, drops = _documents(inputs, part)
    questions: list[Question] = []
    left: list[LeftOut] = []
    beaten: list[Example] = []
    outcomes, asked_in = await _outcomes(
        settings, inputs, clients, part, documents, drops, questions, left, beaten
    )
    prompts = tuple(sorted(_prompts(settings, inputs).items()))
    examples = [replace(outcome, prompts=prompts) for outcome in outcomes if isinstance(outcome, Example)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    in_order = sorted(left, key=lambda item: (item.document.id, item.position))
    kept = [replace(example, prompts=prompts) for example in sorted(beaten, key=lambda one: one.id)]
    _write(out, part, questions, examples, [*refused, *in_order], kept if settings.examiner else None)
    lost = _lost(questions, {example.id for example in examples})
    of_task = Counter(example.task for example in examples)
    reasons, image_reasons = _reasons(refused, {example.document_id for example in examples})
    image_reasons += Counter({LEFT_OUT: len(left)} if left else {})
    report = RewriteReport(
        counts={
            "documents": len(documents),
            "outcomes": len(outcomes),
            "examples": len(examples),
            "images": sum(len(example.images) for example in examples),
            "failed": sum(item.state in UNDECIDED for item in refused) + len(lost),
            "declined": sum(item.state == "declined" for item in refused),
            "examined": sum(
                question.purpose == examine.PURPOSE and question.answer.state == "ok"
                for question in questions
            ),
            "written_again": sum(
                question.purpose == "rewrite" and question.round > 0 for question in questions
            ),
            "kept_declined": sum(question.answer.state == "declined" for question in lost.values()),
            **{f"task.{task}": count for task, count in sorted(of_task.items())},
        },
        reasons=reasons,
        image_reasons=image_reasons,
        languages={"kept": Counter(example.language or UNDETERMINED for example in examples)},
        details=[
            *(("rewrite", item.detail) for item in refused if item.state in UNDECIDED),
            *((question.purpose, question.answer.detail) for question in lost.values()),
        ][:1],
        asked_in=sorted(asked_in),
        cost=asked.cost_of(out.file("asked", part.name)),
        intermediate=[out.name(out.file("asked", part.name))],
        unanswered=asked.unanswered(out.file("asked", part.name)),
        seconds=time.perf_counter() - started,
    )
    if not settings.examiner:
        out.file("rejected", part.name).unlink(missing_ok=True)  # of a build with one
    kinds = ("examples", "dropped", *(["rejected"] if settings.examiner else []))
    files = [out.file(kind, part.name) for kind in kinds]
    return replace(out.commit(part.name, part.payload, report, files), repaired=_repaired(clients))


async def _outcomes(
    settings: RewriteSettings,
    inputs: Artifact,
    clients: Clients,
    part: Part,
    documents: Sequence[Document],
    drops: Mapping[str, Sequence[Drop]],
    questions: list[Question],
    left: list[LeftOut],
    beaten: list[Example],
) -> tuple[list[Example | Refused], set[str]]:
    """What became of a part's documents: conversations first, then pages. Also the languages asked in.

    Appends to `questions`, `left` and `beaten`.
    """
    cells = _cells(inputs, part, set(drops))
    sizes = row_size.sizes(inputs.file("images", part.name), documents)
    config = settings.config
    outcomes: list[Example | Refused] = [
        row_size.too_large(document, sizes) or keep(document, cells[document.id], drops[document.id])
        for document in documents
        if config.mode == "keep" or document.is_conversation
    ]
    items = [
        Item(piece, facts_of(document, drops[document.id]), cells[document.id])
        for document in documents
        if config.mode == "rewrite" and not document.is_conversation
        for piece in steps.pieces(document, config.max_words, config.max_images)
    ]
    too_large = [row_size.too_large(item.piece.document, sizes) for item in items]
    outcomes += filter(None, too_large)
    items = [item for item, problem in zip(items, too_large, strict=True) if problem is None]
    if items:
        items = with_resemblance(items, settings, inputs, part)
        # templates need the positions of images, not their bytes
        shown = (
            set()
            if settings.offline
            else {image.sha256 or "" for item in items for image in item.piece.document.images}
        )
        images = all_as_sent(image_bytes(inputs, part, shown), config.image_px)
        outcomes += await asyncio.gather(
            *(rewrite_piece(item, settings, clients, images, questions, left, beaten) for item in items)
        )
    return outcomes, {item.piece.document.language or "" for item in items}


def _write(
    out: Artifact,
    part: Part,
    questions: Sequence[Question],
    examples: Sequence[Example],
    dropped: Sequence[Refused | LeftOut],
    beaten: Sequence[Example] | None,
) -> None:
    """Write the tables of a part. beaten: None without an examiner."""
    in_order = sorted(
        questions, key=lambda one: (one.document_id, one.example, one.round, one.purpose != "rewrite")
    )
    rows = (
        asked.row_of(one.document_id, asdict(one.answer))
        | {"example": one.example, "round": one.round, "purpose": one.purpose}
        for one in in_order
    )
    with writing(out.file("asked", part.name)) as temporary:
        table.write(temporary, rows, asked.ROUNDS)
    with writing(out.file("examples", part.name)) as temporary:
        table.write(temporary, map(table.example_row, examples), table.EXAMPLES)
    with writing(out.file("dropped", part.name)) as temporary:
        table.write(temporary, map(dropped_row, dropped), table.DECISIONS)
    if beaten is not None:
        with writing(out.file("rejected", part.name)) as temporary:
            table.write(temporary, map(table.example_row, beaten), table.EXAMPLES)


def _repaired(clients: Clients) -> dict[str, int]:
    """Damaged stored answers that were dropped, by what they are."""
    return dict(sum((Counter(client.repaired()) for client in clients.distinct), Counter()))


def _lost(questions: Sequence[Question], kept: set[str]) -> dict[str, Question]:
    """Example -> a question about it that has no answer yet, for the examples that were kept nevertheless. An
    outage comes before a question that the server declined."""
    found = [one for one in questions if one.example in kept and one.answer.state in UNDECIDED]
    return {one.example: one for one in sorted(found, key=lambda one: one.answer.state == "failed")}


def _reasons(refused: Sequence[Refused], kept: set[str]) -> tuple[Counter[str], Counter[str]]:
    """Reasons of documents without any example, one per document; and of the images of lost pieces of the
    other documents."""
    first = {item.document.id: item.reason for item in reversed(refused) if item.document.id not in kept}
    lost: Counter[str] = Counter()
    for item in refused:
        if item.document.id in kept and item.document.images:
            lost[item.reason] += len(item.document.images)
    return Counter(first.values()), lost


def _documents(inputs: Artifact, part: Part) -> tuple[list[Document], dict[str, Sequence[Drop]]]:
    """The kept documents of a part, and the images that filter dropped from each, by id."""
    decisions = list(table.decisions(inputs.checked("documents", part.name)))
    return [document for document, _ in decisions], {document.id: drops for document, drops in decisions}


def _cells(inputs: Artifact, part: Part, wanted: set[str]) -> dict[str, tuple[Cell, ...]]:
    """The scores of the wanted documents, dropped images included."""
    found: dict[str, list[Cell]] = {document: [] for document in wanted}
    for document, cell in table.scores(inputs.checked("scores", part.name)):
        if document in found:
            found[document].append(cell)
    return {document: tuple(cells) for document, cells in found.items()}


def _refuse_failures(
    settings: RewriteSettings, out: Artifact, parts: Sequence[Part], reports: Sequence[RewriteReport]
) -> None:
    """Raise ProviderError if too many answers failed. A part with failures is not up to date, so the next run
    asks again. An example whose examination the server declined is kept, so it does not count here. parts:
    of this share."""
    counts = total(filter(None, (out.report(part.name) for part in parts))).counts
    failed, asked = counts["failed"] - counts["kept_declined"], counts["outcomes"]
    if failed > settings.llm.tolerate_failures * asked:
        counts = Counter({**counts, "failed": failed})
        purpose, why = next(detail for report in reports for detail in report.details)
        examiner = settings.examiner
        if purpose == examine.PURPOSE and examiner is not None and examiner.llm != settings.llm:
            raise too_many_failed(examiner.llm, counts, asked, why, "examiner", "answered")
        raise too_many_failed(settings.llm, counts, asked, why, "rewriter", "answered")


def _identity(settings: RewriteSettings) -> dict[str, object]:
    questions = {code: file.sha256 for code, file in settings.questions.items()}
    # Pillow decodes the images that an edit compares
    libraries = {"regex": words.VERSION, **{name: version(name) for name in (*language.LIBRARIES, "pillow")}}
    model = settings.model if settings.offline or settings.config.mode == "keep" else settings.llm.answerer
    shaping = {
        "model": model,
        "prompt": settings.prompt.sha256,
        "turns": settings.turns_prompt.sha256,
        "seed": settings.seed,
        "examiner": settings.examiner and settings.examiner.prompt.sha256,
        "questions": questions,
        "libraries": libraries,
    }
    if settings.examiner is not None and settings.examiner.llm != settings.llm:
        other = settings.examiner.llm
        shaping["examined_by"] = {"model": other.answerer, **other.sampling_identity}
    section = settings.config.model_dump(mode="json", exclude={"refine": {"llm"}})
    return {"rewrite": section, **shaping, **settings.llm.sampling_identity}


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


STAGE = Stage(settings=RewriteSettings.of, fingerprint=fingerprint, run=run, reopen=reopen)
