"""Measure CLIP on the CPU: texts and images per CPU second, in one thread, with a model of ViT-B/32's size
and random weights (they do not affect speed), so nothing is downloaded.

    python benchmarks/alignment.py --images 64
    python benchmarks/alignment.py --pages FOLDER [--documents 12]
    python benchmarks/alignment.py --loading

The first compares batch sizes. The second measures the texts and images of HTML pages: texts in order of
arrival, padded to the context, and images in float32, as at ea452d2 (before); then as
filter/embedders/embedder embeds them, in float32 and, if this CPU has its instructions, in bfloat16. A page
counts as many images as it has; missing files are replaced by images of noise. The third measures what one
process pays before its first batch, after importing clip with torchvision (as before), and without.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import Dtype
from leafinstruct.filter.embedders.clip import load_clip
from leafinstruct.filter.embedders.devices import check_dtype
from leafinstruct.filter.embedders.embedder import Embedder, tower_of
from leafinstruct.filter.embedders.tower import Tower
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.readers import html
from leafinstruct.records.document import Document

CONTEXT, BATCH = 77, 32


def checkpoint(folder: Path) -> Path:
    """A state dict of ViT-B/32's shape: 224 px, patches of 32, width 768 x 12 layers, text width 512 x 12."""
    load_clip()
    from clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
    path = folder / "random-vit-b-32.pt"
    torch.save(model.state_dict(), path)
    return path


def dtypes() -> list[Dtype]:
    """The number formats that this CPU computes fast."""
    try:
        check_dtype("bfloat16", "cpu")
    except RecipeError as error:
        sys.stderr.write(f"{error}\n")
        return ["float32"]
    return ["float32", "bfloat16"]


def seconds(model: Embedder, images: list[Image.Image]) -> float:
    """CPU seconds for one pass, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        model.images(images)
        best = min(best, time.process_time() - started)
    return best


def padded(tower: Tower, texts: list[str]) -> NDArray[np.float32]:
    """Unit vectors of all pieces as computed before: in order of arrival, each padded to the context."""
    pieces = [piece for text in texts for piece in tower.pieces(text)]
    rows = []
    for at in range(0, len(pieces), BATCH):
        tokens = np.zeros((len(pieces[at : at + BATCH]), CONTEXT), np.int64)
        for row, piece in zip(tokens, pieces[at : at + BATCH], strict=True):
            row[: len(piece)] = piece
        rows.append(tower.of_texts(tokens, np.ones_like(tokens)))
    found = np.concatenate(rows)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def read(folder: Path, made: Path, documents: int) -> list[Document]:
    """That many documents with images, evenly over the pages of a folder."""
    source = HtmlSource(kind="html", name="pages", path=str(folder))
    found = [
        item
        for span in html.plan(source, 500, made)
        for item in html.read(source, span, made)
        if isinstance(item, Document) and item.images
    ]
    return found[:: max(1, len(found) // documents)][:documents]


def of_pages(folder: Path, documents: int) -> None:
    """Print the cost of the texts and images of real pages, before and after."""
    with tempfile.TemporaryDirectory() as made:
        found = read(folder, Path(made), documents)
        weights = str(checkpoint(Path(made)))
        towers = {
            dtype: tower_of(Weights("random-vit-b-32", weights, None, dtype=dtype), "cpu")
            for dtype in dtypes()
        }
    texts = [text.text for document in found for text in document.texts]
    images = [Image.effect_noise((640, 480), 40).convert("RGB")] * sum(len(each.images) for each in found)
    plain = towers["float32"]
    pieces = [piece for text in texts for piece in plain.pieces(text)]
    print(
        f"{len(found)} pages, {len(images)} images, {len(texts)} texts, {len(pieces)} pieces of "
        f"{np.mean([len(piece) for piece in pieces]):.1f} tokens"
    )
    started = time.process_time()
    padded(plain, texts)
    texts_before = time.process_time() - started
    before = 0.0
    exact = None
    for dtype, tower in towers.items():
        model = Embedder(tower, BATCH)
        started = time.process_time()
        shown = model.images(images).rows
        middle = time.process_time()
        text_rows = model.texts(texts).rows
        of_images, of_texts = middle - started, time.process_time() - middle
        before = before or of_images + texts_before
        if exact is None:
            exact = shown @ text_rows.T
            print(
                f"before: texts {len(texts) / texts_before:.1f}/CPU-s, page {before / len(found):.2f} CPU-s"
            )
        print(
            f"{dtype}: images {len(images) / of_images:.1f}/CPU-s, texts {len(texts) / of_texts:.1f}/CPU-s, "
            f"page {(of_images + of_texts) / len(found):.2f} CPU-s: "
            f"{before / (of_images + of_texts):.2f} times the pages; cosines differ by at most "
            f"{np.abs(shown @ text_rows.T - exact).max():.1e}"
        )


LOADING = """
import time
from pathlib import Path
started = time.process_time()
import torch
torched = time.process_time()
if {before}:
    from leafinstruct.filter.embedders.clip import load_clip
    load_clip()
imported = time.process_time()
from leafinstruct.filter.embedders.embedder import load
from leafinstruct.filter.embedders.weights import Weights
load(Weights("random", {path!r}, None), 32)
print(f"torch {{torched - started:.2f}}, clip with torchvision {{imported - torched:.2f}}, "
      f"model {{time.process_time() - imported:.2f}}, all {{time.process_time() - started:.2f}} CPU-s")
"""


def loading() -> None:
    """Print what a process pays before its first batch, with clip and torchvision as before and without."""
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint(Path(folder))
        for before in (True, False) * 2:
            code = LOADING.format(path=str(path), before=before)
            subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--loading", action="store_true")
    arguments = parser.parse_args()
    count = arguments.images
    torch.set_num_threads(1)
    if arguments.loading:
        loading()
        return
    if arguments.pages is not None:
        of_pages(arguments.pages, arguments.documents)
        return
    images = [Image.effect_noise((640, 480), 20 + number).convert("RGB") for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = str(checkpoint(Path(folder)))
        for dtype in dtypes():
            tower = tower_of(Weights("random-vit-b-32", path, None, dtype=dtype), "cpu")
            rates = {size: count / seconds(Embedder(tower, size), images) for size in (1, 16, 32)}
            for size, rate in rates.items():
                print(
                    f"{dtype}, batch {size:>2}: {rate:5.1f} images/CPU-s, "
                    f"{rate / rates[1]:.2f} of one at a time"
                )


if __name__ == "__main__":
    main()
