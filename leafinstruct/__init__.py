"""leafinstruct: interleaved instruction-tuning datasets, and training on them.

The functions below are the public Python API (docs/python.md). `leaf` uses the same ones. Importing the
package loads nothing: each function imports what it needs when it is called, so `leaf --help` stays instant.

    import leafinstruct

    run = leafinstruct.build("recipe.yaml")        # or leafinstruct.open("runs/demo")
    run.funnel(), run.scores(), run.drops(), run.examples(), run.explain("2f1c9a0b7d3e4f56")

    pages = leafinstruct.read("my-pages")          # documents, without a build
    leafinstruct.score(pages, ["text.links", "image.side"])

    backbone = leafinstruct.load_backbone("chameleon", "leaf:tiny-1")
    leafinstruct.generate(backbone, "How do I draw a red house?").images

What is wrong with a run, a recipe or a file raises a LeafInstructError (leafinstruct.errors), whose text is
the message of `leaf`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if (
    TYPE_CHECKING
):  # type checkers read this; importing `typing` would double the time of `import leafinstruct`
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from os import PathLike
    from typing import Any

    import pandas as pd
    from PIL.Image import Image

    from leafinstruct.backbones.backbone import Backbone
    from leafinstruct.generation.answer import Generated
    from leafinstruct.ingest.reading import Reading
    from leafinstruct.pipeline import Outcome
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.records.document import Document
    from leafinstruct.report.run import Run
    from leafinstruct.runtime.engine.watched import OnProgress

__all__ = ["__version__", "build", "generate", "load_backbone", "open", "read", "score"]
__version__ = "0.1.0"


def open(run: str | PathLike[str]) -> Run:
    """Open a run by its folder, `runs/<name>`, finished or not.

    Its methods return tables as pandas frames. Raises SourceError if there is no run,
    DriftError if another version of leafinstruct wrote it.
    """
    from pathlib import Path

    from leafinstruct.report.run import open_run

    return open_run(Path(run))


def build(
    recipe: str | PathLike[str] | Mapping[str, Any] | Loaded,
    stage: str = "shard",
    *,
    changes: Sequence[str] = (),
    limit: int | None = None,
    workers: int | None = None,
    rebuild: bool = False,
    retry_failed: bool = False,
    retry_refused: bool = False,
    share: str | None = None,
    on_progress: OnProgress | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Run:
    """Build a dataset and return its run. Results that are up to date are reused.

    recipe: path of a recipe, or its content; relative paths in a mapping are relative to the current folder.
    stage: last stage to run (ingest, filter, rewrite, shard). changes: `key=value`, as `--set`. limit:
    maximum number of documents, in a run of its own. workers: number of processes, default one per CPU core
    (on a Ray cluster, maximum number of parts at a time; default what its CPUs allow).
    rebuild, retry_failed, retry_refused: as the flags of `leaf build`. share: `3/16`, to make only the third
    sixteenth of the parts (docs/cluster.md); raises Waiting (runtime/engine/share.py), which is no error, if
    other shares have to be done first. on_progress: called with a Progressed
    (runtime/engine/watched.py) for every finished part. on_outcome: called with the `pipeline.Outcome` of
    every stage.

    An interrupt (KeyboardInterrupt, also from a callback) keeps finished work, and the same call continues.
    One process builds a run at a time. Workers are spawned processes, so a script calls this under
    `if __name__ == "__main__":`; a notebook needs nothing. Raises LeafInstructErrors, such as RecipeError.
    """
    from leafinstruct import pipeline
    from leafinstruct.errors import RecipeError, suggestion
    from leafinstruct.recipe.load import Loaded, load
    from leafinstruct.report.run import Run
    from leafinstruct.runtime.artifact import STAGES
    from leafinstruct.runtime.engine.config import opened
    from leafinstruct.runtime.engine.notebook import outside_loop
    from leafinstruct.runtime.engine.share import Share

    if stage not in STAGES:
        raise RecipeError(f"stage {stage!r}: there is no such stage; {suggestion(stage, STAGES)}")
    loaded = recipe if isinstance(recipe, Loaded) else load(recipe, tuple(changes), limit)

    def run(report: OnProgress) -> None:
        with opened(loaded.recipe.engine, workers, loaded.directory) as engine:
            for outcome in pipeline.build(
                loaded,
                engine,
                report,
                stage,
                rebuild,
                retry_failed,
                retry_refused,
                None if share is None else Share.parse(share),
            ):
                if on_outcome is not None:
                    on_outcome(outcome)

    outside_loop(run, on_progress or (lambda _: None))
    return Run(loaded.directory)


def read(source: str | PathLike[str] | Mapping[str, Any]) -> Reading:
    """Read documents without a build, as ingest reads them.

    source: a file or folder, whose format is recognized as by `leaf init --from`; or a source section of a
    recipe, e.g. `{"kind": "warc", "path": "crawl"}`, whose name is its kind by default. Returns an iterable
    of `Document`, which reads the files again whenever it is iterated. A record that cannot be read raises
    nothing: `losses` of the result counts it by reason and lists it.

    Raises SourceError if nothing can be read there, RecipeError for a wrong section.
    """
    from collections.abc import Mapping
    from pathlib import Path

    from leafinstruct.ingest.reading import Reading
    from leafinstruct.recipe.draft import sources_at
    from leafinstruct.recipe.load import load

    if isinstance(source, Mapping):
        sections: Sequence[Mapping[str, Any]] = [{"name": source.get("kind"), **source}]
    else:
        sections = sources_at(Path(source))
    return Reading(load({"name": "read", "ingest": {"sources": sections}}).recipe.ingest)


def score(
    documents: Iterable[Document],
    names: Collection[str],
    filter: Mapping[str, Any] | None = None,
    *,
    llm: Mapping[str, Any] | None = None,
    roots: Mapping[str, str | PathLike[str]] | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Score documents by name, without rules and without a build.

    documents: what `read` returned, or any documents with different ids. names: scores of the catalog
    (filter/catalog.py). filter, llm: sections of a recipe, for the settings of scores: `alignment.model` for
    `alignment.*` and `coherence.*`, `llm` for `judge.*`; rules and minimums are not applied. roots: source
    name -> folder of its files, for documents that are not a result of `read`. workers: number of processes.

    Returns the columns of `Run.scores`: document_id, name, position (of the image, `<NA>` for a score of the
    document), value, state, model, detail; by source, then in the order of the documents. A score that a
    document cannot have (coherence of one image) has no value or no row, and an image that cannot be decoded
    has only image.decoded. Images on the web are fetched only with `images.fetch` in filter.

    Raises RecipeError for a wrong section or name, LeafInstructError for images without a root.
    """
    from collections.abc import Mapping
    from pathlib import Path

    from leafinstruct.filter.scoring import scored, section_for
    from leafinstruct.filter.settings import FilterSettings
    from leafinstruct.ingest.reading import Reading
    from leafinstruct.recipe.load import load
    from leafinstruct.report.tables import frame, of_names
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.notebook import outside_loop

    judge = (filter or {}).get("judge")
    judges = judge.get("judges") if isinstance(judge, Mapping) else None
    section = section_for(names, dict(filter or {}), online=bool(llm or judges))
    ingest: Mapping[str, Any] = {"sources": [{"kind": "html", "name": "given", "path": "."}]}
    folders = {name: Path(folder) for name, folder in (roots or {}).items()}
    if isinstance(documents, Reading):
        ingest, folders = documents.config.model_dump(exclude_unset=True), documents.roots | folders
    recipe = {"name": "score", "ingest": ingest, "filter": section, "llm": dict(llm or {})}
    settings = FilterSettings.of(load(recipe))

    def run(_: object) -> pd.DataFrame:
        with LocalEngine(workers) as engine:
            found = scored(settings, documents, names, folders, engine)
            return frame([of_names(batch, names) for batch in found], "scores")

    return outside_loop(run, lambda _: None)


def load_backbone(
    name: str,
    weights: str | PathLike[str],
    *,
    decoder: str | PathLike[str] | None = None,
    adapter: str | PathLike[str] | None = None,
    device: str = "auto",
) -> Backbone:
    """Load a vision-language generalist, with an adapter or without.

    name: chameleon (also Anole), emu3 or emu2. weights: folder of its published weights, or the packaged
    `leaf:tiny-1`, a chameleon. decoder: image decoder if it is not in `weights` (vqgan.ckpt of Chameleon, the
    folder of Emu2-Gen). adapter: a trained run, a folder of a MoSS or LoRA adapter, or ORG/NAME of the Hub.
    device: auto, cpu, cuda, cuda:1 ... Returns the backbone in evaluation mode (backbones/backbone.py).

    Raises BackboneError for files that are missing or do not fit each other, SourceError for an unknown
    adapter, TrainError for an unfinished run.
    """
    import warnings

    from leafinstruct.generation.adapter import Base, Found, adapted, find
    from leafinstruct.generation.answer import device_of

    base = Base(name, str(weights), None if decoder is None else str(decoder))
    found = Found(base) if adapter is None else find(str(adapter), base, None)
    return adapted(found, device_of(device), lambda line: warnings.warn(line, stacklevel=2))


def generate(
    backbone: Backbone,
    prompt: str | Sequence[str | Image],
    *,
    seed: int = 0,
    temperature: float = 0.7,
    image_temperature: float | None = None,
    top_k: int = 0,
    guidance: float = 1.0,
    max_images: int = 8,
    max_tokens: int = 8192,
    stop: Sequence[str] | None = None,
    image_tokens: int | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> Generated:
    """Answer a prompt with text and images, as `leaf generate` does.

    backbone: from `load_backbone`. prompt: a text, or texts and PIL images in order. temperature,
    image_temperature: of sampling text and images, 0 is greedy; images have 1 by default, 0 with leaf:tiny-1.
    top_k: sample from the K most probable tokens, 0 for all. guidance: of images, 1 turns it off. stop: the
    answer ends before these texts; by default the beginning of the user's next turn. image_tokens:
    `train.image_tokens` of the adapter's run, if it set any. on_token: called with the numbers of tokens and
    of finished images so far.

    Returns texts and PIL images in order (`segments`; also `text` and `images`), why the answer ended, and
    warnings. The same arguments give the same answer on one device. Raises BackboneError, e.g. for a prompt
    that is too long.
    """
    from leafinstruct.backbones.patch_vq import PatchVq
    from leafinstruct.generation.answer import generated, settings_of

    if image_temperature is None:
        image_temperature = 0.0 if isinstance(getattr(backbone, "images", None), PatchVq) else 1.0
    settings = settings_of(
        seed, temperature, image_temperature, top_k, guidance, max_images, max_tokens, stop
    )
    segments = [prompt] if isinstance(prompt, str) else [*prompt]
    return generated(backbone, segments, settings, image_tokens, on_token or (lambda *_: None))
