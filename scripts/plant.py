"""Plant defects into pages of your own, and write them as a source with labels.

    python scripts/plant.py PAGES [PAGES ...] --out planted --each 8 --seed 1
    python scripts/plant.py --list

PAGES are files or folders that `leaf init --from` recognizes: HTML, WARC, MMC4, OBELICS and others with their
images. Nothing is fetched. Each page is used once: with one defect, or clean. `--out` then has

    page-00012/index.html and its images     read it with {kind: html, name: planted, path: planted}
    planted.jsonl                            labels: aspect keep for `leaf calibrate`, and defect
    planted.json                             planted texts and images of each page, and originals of copies

A tenth of the pages, at least four, only gives pieces that are foreign to the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import leafinstruct
from leafinstruct.evaluate.labels import KEEP, Label
from leafinstruct.evaluate.labels import write as write_labels
from leafinstruct.images.read import Unreadable, fetch
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.corpus import Source, Truth, blocks_of, planted_into, write
from leafinstruct.sketchbook.planting.planter import images_of, prose_of
from leafinstruct.sketchbook.world.chance import stream

NAME, ANNOTATOR, ASPECT = "planted", "planter", "defect"
LEAST_DONORS = 4


def sources_of(paths: Sequence[Path]) -> list[Source]:
    """Read pages with two or more images that decode and a paragraph, in the order of the readers. Raises
    SourceError if nothing can be read."""
    found: list[Source] = []
    for path in paths:
        reading = leafinstruct.read(path)
        for document in reading:
            blocks = blocks_of(document, partial(_data, reading.roots[document.source]))
            if len(images_of(blocks)) > 1 and prose_of(blocks):
                found.append(Source(blocks, document.language or "en", document.id))
    return found


def divided(sources: list[Source], seed: int) -> tuple[list[Source], list[Source]]:
    """Divide sources into those of the corpus and the donors."""
    deck = stream(seed, "donors").sample(sources, len(sources))
    count = max(LEAST_DONORS, len(deck) // 10)
    return deck[count:], deck[:count]


def labels_of(documents: Iterator[Document], truths: Sequence[Truth]) -> Iterator[Label]:
    """The labels of written pages. A page of which only images are planted is judged by image."""
    by_file = {truth.file: truth for truth in truths}
    for document in documents:
        truth = by_file[document.provenance.file]
        yield Label(document.id, "document", ASPECT, truth.defect or "none", ANNOTATOR)
        if not truth.images:
            verdict = "keep" if truth.defect is None else "drop"
            yield Label(document.id, "document", KEEP, verdict, ANNOTATOR)
            continue
        assert truth.defect is not None
        wrong = truth.images[-1:] if PLANTERS[truth.defect].gone == "copy" else truth.images
        for image in document.images:
            verdict = "drop" if image.ref.file in wrong else "keep"
            yield Label(document.id, f"image:{image.position}", KEEP, verdict, ANNOTATOR)


def _data(root: Path, image: ImageRef) -> bytes | None:
    data = fetch(image.ref, root)
    return None if isinstance(data, Unreadable) else data


def listing() -> str:
    """The table of the classes."""
    return "".join(
        f"{planter.name:<22} {planter.level:<10} {planter.does} ({', '.join(planter.seen_by)})\n"
        for planter in PLANTERS.values()
    )


def main() -> None:
    """Read, plant, write, label."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=Path, nargs="*", help="Files or folders of pages.")
    parser.add_argument("--out", type=Path, help="Folder to write. It must not exist.")
    parser.add_argument("--classes", default=",".join(PLANTERS), help="Classes of defects. Default: all.")
    parser.add_argument("--each", type=int, default=1, help="Pages with each defect. Default: 1.")
    parser.add_argument("--seed", type=int, default=1, help="Of all choices. Default: 1.")
    parser.add_argument("--list", action="store_true", help="List the classes of defects.")
    given = parser.parse_args()
    if given.list:
        print(listing(), end="")
        return
    classes = given.classes.split(",")
    if unknown := [name for name in classes if name not in PLANTERS]:
        parser.error(f"unknown class {unknown[0]!r}; see --list")
    if not given.pages or given.out is None:
        parser.error("give pages, and a folder with --out")
    sources, donors = divided(sources_of(given.pages), given.seed)
    given.out.mkdir(parents=True)
    truths = write(given.out, planted_into(sources, classes, given.each, given.seed), donors, given.seed)
    documents = leafinstruct.read({"kind": "html", "name": NAME, "path": str(given.out)})
    write_labels(given.out / "planted.jsonl", labels_of(iter(documents), truths))
    planted = [truth.defect for truth in truths if truth.defect is not None]
    print(f"{given.out}: {len(planted)} pages with a defect, {len(truths) - len(planted)} clean pages")
    if absent := [name for name in classes if name not in planted]:
        print(f"no page was left for {', '.join(absent)}; give more pages, or fewer --classes")


if __name__ == "__main__":
    main()
