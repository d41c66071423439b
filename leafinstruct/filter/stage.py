"""filter: score, then decide. Documents -> kept documents, dropped documents with their reasons, scores,
images.

    scan    (processes)   personal data, sentences that address a model -> findings
    collect (processes)   paragraphs of many pages of a host
    fetch   (event loop)  images on the web, of documents that pass the text rules
    look    (processes)   text scores, images of remaining documents, image scores; scores of installed
                          packages; with a GPU in a process per device, scores of classifiers and language
                          models, and embeddings, alignment and coherence if the recipe needs them -> keys
    reduce  (here)        duplicates over the keys of all parts (near images of a large corpus: in processes)
                          -> duplicates
    judge   (event loop)  one question about every remaining document, to each judge
    decide  (processes)   repeat every document's decision with all scores -> documents-, dropped-, scores-

Intermediate files (images-, embeddings-, the judge's answers in the cache of llm/) are kept when rules
change; decisions are not. A moved threshold only repeats decisions; a loosened rule reads, embeds and asks
only for the documents that it brings back. Each file of a part carries the key of what determined it, and an
up-to-date file is not computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import cast

from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.filter import deciding, extending, fetching, materialize
from leafinstruct.filter.catalog import versions
from leafinstruct.filter.config import Rule, named
from leafinstruct.filter.deciding import FilterReport
from leafinstruct.filter.embedders.weights import published_sha256
from leafinstruct.filter.index import referring
from leafinstruct.filter.index.reduce import reduce as duplicates_of
from leafinstruct.filter.index.reference import Reference
from leafinstruct.filter.judging import asking
from leafinstruct.filter.judging.agreeing import agreements
from leafinstruct.filter.passes import (
    CODE,
    INTERMEDIATE,
    embeddings_key,
    gather,
    images_key,
    libraries,
    look,
    predictions_key,
    run_models,
)
from leafinstruct.filter.predictors import predicting
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.texts import scan
from leafinstruct.records import table
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.engine.share import DUPLICATES, barrier, once, own, remaining
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.record import Fingerprint, ReferenceFacts, RuleFacts, StageFacts
from leafinstruct.runtime.stage import Stage


def fingerprint(settings: FilterSettings, inputs: Artifact, out: Artifact, engine: Engine) -> Fingerprint:  # noqa: ARG001 - interface of all stages
    """Config, active rules, versions of scores, prompt, models, weights, libraries that can change scores,
    and ingest's output."""
    record = inputs.record
    assert record is not None, "ingest is done"
    extensions = {score.name: score.identity for score in settings.extensions}
    predictors = {predictor.name: predictor.identity for predictor in settings.predictors}
    packages = dict(score.package.rsplit(" ", 1) for score in settings.extensions)
    return {
        "code": CODE,
        "filter": settings.shaping,
        "active_rules": [rule.score for rule in settings.rules],
        "scores": settings.scores,
        **({"extensions": extensions} if extensions else {}),
        **({"predictors": predictors} if predictors else {}),
        "weights": settings.weights.identity if settings.weights else None,
        "judge": settings.judge_identity,
        "libraries": {**libraries(settings), **packages},
        "input": record["output"],
        **({"reference": read} if (read := referring.identity(settings, out)) else {}),
        **({"removed": digest(sorted(settings.removed))} if settings.removed else {}),
    }


def run(settings: FilterSettings, inputs: Artifact, out: Artifact, engine: Engine) -> StageFacts:
    """Run every pass over the parts that are not up to date. Returns facts for the record.

    Raises SourceError or ProviderError if more images or answers failed than the recipe tolerates,
    LeafInstructError if no document is left.
    """
    parts = [Part(name) for name in inputs.parts()]
    out.keep_only([part.name for part in parts])
    scan.run(settings.config, inputs, out, parts, engine)
    if settings.config.images.fetch is not None:
        fetching.run(settings, inputs, out, parts, engine)
    else:
        for part in parts:
            out.file("fetches", part.name).unlink(missing_ok=True)
    _look(settings, inputs, out, parts, engine)
    reference = _reduce(settings, inputs, out, parts, engine)
    mine = own(engine, parts)
    if settings.config.judge.enabled:
        asked = [Part(part.name, _ask_key(settings, out, part)) for part in mine]
        asking.run(settings, inputs, out, asked, engine)
    else:
        for part in mine:
            out.file("asked", part.name).unlink(missing_ok=True)
    deciding.run(settings, inputs, out, parts, engine, partial(_decide_key, settings, out))
    fetching.forget_urls(out, parts)
    agreed = agreements(settings, out, parts) if settings.config.judge.enabled else []
    totals, unfetched = out.totals(), fetching.unfetched(settings, out, parts)
    if not totals.counts["kept"]:
        images = f" (single images: {removed_by(totals.image_reasons)})" if totals.image_reasons else ""
        images += (
            f"; {unfetched:,} images are on the web: add filter.images.fetch to the recipe"
            if unfetched
            else ""
        )
        raise LeafInstructError(
            f"no document is left after filter: {removed_by(totals.reasons)}{images}; `leaf explain ID` "
            "shows why one of them was dropped"
        )
    return {
        "models": {
            "alignment": settings.weights.label if settings.weights else None,
            "judge": settings.judge_model if settings.config.judge.enabled else None,
            **{score.name: score.package for score in settings.extensions},
            **{predictor.name: predictor.weights.label for predictor in settings.predictors},
        },
        "weights": published_sha256(settings.weights) if settings.weights else None,
        "prompts": {settings.prompt.name: settings.prompt.sha256}
        if settings.config.judge.enabled and not settings.rule_based
        else {},
        "toy": settings.weights is not None and settings.weights.toy,
        "unfetched": unfetched,
        "unscreened": settings.unscreened,
        "failed": [item for report in out.reports_as(FilterReport) for item in report.failed],
        "rules": [_described(rule) for rule in settings.rules],
        **({} if reference is None else {"reference": reference}),
        **({"agreement": agreed} if agreed else {}),
    }


def _described(rule: Rule) -> RuleFacts:
    return cast("RuleFacts", named(rule.model_dump(exclude_defaults=True)) | {"level": rule.declared.level})


def asked_now(settings: FilterSettings, out: Artifact) -> list[Path]:
    """The files of the parts whose documents the judges were asked about, as this recipe asks."""
    judged = [path.stem.partition("-")[2] for path in out.files("judged")]
    return [
        out.file("asked", part)
        for part in judged
        if table.key_of(out.file("judged", part)) == _ask_key(settings, out, Part(part))
    ]


def moved(out: Artifact, engine: Engine) -> tuple[str, ...]:
    """The number of parts whose image files changed, as a change of the stage."""
    assert out.upstream is not None, "filter is made from ingest"
    found = materialize.outdated(out.upstream, out, engine, out.upstream.parts())
    return (f"image files of {len(found)} parts",) if found else ()


def forget(out: Artifact, path: Path) -> None:
    """Have a damaged file computed again. images- is kept: `look` keeps its intact row groups and reads the
    other images again. Embeddings of a part are computed all together, since other batches could give other
    last digits."""
    kind, _, part = path.stem.partition("-")
    if kind in (*INTERMEDIATE, "reference"):
        gone = {"images": ("keys",), "embeddings": ("keys", "embeddings"), "asked": ("judged", "asked")}.get(
            kind, (kind,)
        )
        for name in gone:
            out.file(name, part).unlink(missing_ok=True)
    else:
        out.discard(path)


def reopen(out: Artifact, parts: Sequence[str]) -> None:
    """Ask the judge again about the documents of these parts that it refused. Other answers are in the
    cache."""
    for name in parts:
        out.file("judged", name).unlink(missing_ok=True)
        out.open(name)


def removed_by(reasons: Mapping[str, int]) -> str:
    """Which rule removed how many, the largest count first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{rule} removed {count:,}" for rule, count in ordered) or "there was none before it"


def _look(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Run `look` on the parts without a current key. Raises SourceError if too many images could not be read,
    or not embedded, for a temporary reason; RecipeError if the model cannot be used on this machine."""
    mine = own(engine, parts)
    wanted = [Part(part.name, _look_key(settings, inputs, out, part)) for part in mine]
    moved = materialize.outdated(inputs, out, engine, [part.name for part in mine]) | _incomplete(
        settings, inputs, out, mine
    )

    def is_seen(part: Part, accepted: bool = False) -> bool:
        return _is_seen(out, part, accepted) and part.name not in moved

    missing = remaining(engine, DUPLICATES, wanted, is_seen, partial(is_seen, accepted=True))
    task, needs = partial(look, settings, inputs, out), Needs(what="looking")
    if missing and (devices := settings.devices(engine.remote)):
        # a process per device loads each model once; the others read and decode meanwhile
        task = partial(run_models, settings, inputs, out)
        before = partial(gather, settings, inputs, out)
        needs = Needs("gpu", what="looking", devices=devices, before=before)
    reports = list(engine.map(task, missing, needs))
    _check_failures(settings, out, mine, reports)


def _is_seen(out: Artifact, part: Part, accepted: bool) -> bool:
    """Whether a part has the keys of this recipe. accepted: also if items of it failed. part.payload: the key
    of `look`, which a digest of the images follows."""
    key = table.key_of(out.file("keys", part.name)) or ""
    key = table.without_failures(key) if accepted else key
    return bool(key.partition(" ")[0] == part.payload)


def _check_failures(
    settings: FilterSettings, out: Artifact, parts: Sequence[Part], reports: Sequence[TaskResult]
) -> None:
    """Raise SourceError if too many images could not be read, or too many items failed in a model."""
    images = sum(table.count(out.file("images", part.name)) for part in parts)
    again = "run the same command again when the disk is readable"
    smaller = "the model failed ({}); if its memory was too small, set a smaller {}batch_size"
    for count, what, of in (
        ("images_failed", "images could not be read", "images"),
        ("embeddings_failed", "images could not be embedded", "embeddings"),
        ("predictions_failed", "scores of models could not be computed", "predictions"),
    ):
        failed = sum(report.counts.get(count, 0) for report in reports)
        files = [path for part in parts if (path := out.file(of, part.name)).exists()]
        total = sum(map(table.count, files)) if of == "predictions" else images
        if failed > settings.config.images.tolerate_failures * total:
            hint = again
            if of == "embeddings":
                hint = smaller.format(_first_fault(files), "filter.alignment.")
            elif of == "predictions":
                hint = smaller.format(predicting.first_fault(files), "")
            raise SourceError(
                f"{failed:,} of {total:,} {what} just now, more than "
                f"filter.images.tolerate_failures allows; the others are saved: {hint}"
            )


def _first_fault(files: Sequence[Path]) -> str:
    """Why the model failed on the first image on which it did."""
    return next(str(fault) for path in files for (fault,) in table.columns(path, "fault") if fault)


def _incomplete(settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part]) -> set[str]:
    """Parts of which a file of `look` is missing, damaged, or has another key."""

    def is_here(part: Part) -> bool:
        wanted = {"images": images_key(settings, inputs, part)}
        if settings.extensions:
            pixels = settings.config.images.max_pixels
            wanted["extensions"] = extending.key_of(settings.extensions, pixels, inputs, part)
        if settings.predictors:
            wanted["predictions"] = predictions_key(settings, inputs, part)
        if settings.weights is not None:
            wanted["embeddings"] = embeddings_key(settings, settings.weights, inputs, part)
        return all(table.key_of(out.file(kind, part.name)) == key for kind, key in wanted.items())

    return {part.name for part in parts if not is_here(part)}


def _reduce(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> ReferenceFacts | None:
    """Find duplicates over all parts, after the other shares. Returns what the documents were compared
    with."""

    def is_made(part: Part) -> bool:
        if settings.config.images.fetch and table.key_of(out.file("fetches", part.name)) is None:
            return False  # it was lost
        return _is_seen(out, Part(part.name, _look_key(settings, inputs, out, part)), accepted=True)

    barrier(engine, DUPLICATES, (parts, is_made))
    return once(
        engine,
        DUPLICATES,
        lambda: [table.key_of(out.file("keys", part.name)) for part in parts],
        lambda: all(table.key_of(out.file("duplicates", part.name)) is not None for part in parts),
        lambda: _find_duplicates(settings, out, parts, engine),
    )


def _find_duplicates(
    settings: FilterSettings, out: Artifact, parts: Sequence[Part], engine: Engine
) -> ReferenceFacts | None:
    """Find duplicates over all parts, and what of the reference is in them. A part whose rows did not change
    keeps its file."""
    sketches = referring.sketches(settings, out, engine)
    reference = Reference.read(sketches) if settings.references else None
    keys = {part.name: out.file("keys", part.name) for part in parts}
    for name, rows in duplicates_of(keys, out.path, engine, reference):
        key = digest([asdict(row) for row in rows])
        if table.key_of(out.file("duplicates", name)) != key:
            with writing(out.file("duplicates", name)) as temporary:
                table.write(temporary, rows, table.DUPLICATES, key)
    if reference is None:
        return None
    documents, short, images, unread = reference.facts
    return {
        "sources": list(settings.references),
        "documents": documents,
        "short": short,
        "images": images,
        "unread": unread,
    }


def _look_key(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> str:
    """Digest of what determines the results of `look` and the documents that remain before duplicates."""
    early = [rule.identity for rule in settings.rules if rule.declared.turn < PASSES.index("duplicate")]
    config = settings.config.model_dump(
        include=dict.fromkeys(("min_images", "min_words", "languages", "licenses"), True)
        | {"images": {"max_pixels"}}
    )
    weights, alignment = settings.weights, named(settings.config.alignment.model_dump(exclude={"device"}))
    model = [weights.identity, weights.languages, alignment] if weights else None
    fetched = fetching.outcomes(out, part) if settings.config.images.fetch is not None else None
    removed = [sorted(settings.removed)] if settings.removed else []
    predictors = [[predictor.name, predictor.identity] for predictor in settings.predictors]
    return digest(
        [
            CODE,
            early,
            config,
            libraries(settings),
            versions(lambda score: score.family == "duplicate" and score.level == "document"),
            model,
            inputs.file_digest("documents", part.name),
            scan.edits_key(settings.config, out, part),
            fetched,
            *removed,
            *predictors,
        ]
    )


def _ask_key(settings: FilterSettings, out: Artifact, part: Part) -> str:
    duplicates = table.key_of(out.file("duplicates", part.name))
    middle = [
        rule.identity
        for rule in settings.rules
        if PASSES.index("duplicate") <= rule.declared.turn < PASSES.index("judge")
    ]
    config = settings.config.judge.model_dump(exclude={"judges"})
    judged = {family: settings.scores.get(family) for family in ("judge", "rules")}
    keys = table.key_of(out.file("keys", part.name))
    # which documents address a judge
    pleading = [] if settings.rule_based else [scan.CODE]
    return digest([keys, duplicates, middle, config, settings.judge_identity, judged, *pleading])


def _decide_key(settings: FilterSettings, out: Artifact, part: Part) -> str:
    judged = table.key_of(out.file("judged", part.name)) if settings.config.judge.enabled else None
    rules = [rule.identity for rule in settings.rules]
    return digest([_ask_key(settings, out, part), judged, rules, settings.scores])


STAGE = Stage(
    settings=FilterSettings.of,
    fingerprint=fingerprint,
    run=run,
    moved=moved,
    forget=forget,
    reopen=reopen,
    reads_sources=True,
)
