"""Measure CLIP on the CPU, in images a second: batched over documents as in filter/scores/clip, against
one image at a time as in filters that work sample by sample. One run, one thread, a model of ViT-B/32's size
with random weights (they do not affect speed), so nothing is downloaded.

    python benchmarks/alignment.py --images 64
    python benchmarks/alignment.py --pages FOLDER [--documents 12]

The second measures the texts and images of HTML pages. Texts are embedded in order of arrival, padded to the
context (before), and as filter/scores/clip embeds them. A page counts as many images as it has; missing
files are replaced by images of noise.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from leafinstruct.filter.scores.clip import Clip, Weights, load_clip
from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.readers import html
from leafinstruct.records.document import Document


def checkpoint(folder: Path) -> Path:
    """A state dict of ViT-B/32's shape: 224 px, patches of 32, width 768 x 12 layers, text width 512 x 12."""
    load_clip()
    from clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
    path = folder / "random-vit-b-32.pt"
    torch.save(model.state_dict(), path)
    return path


def seconds(model: Clip, images: list[Image.Image]) -> float:
    """CPU seconds for one pass, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        model.images(images)
        best = min(best, time.process_time() - started)
    return best


def padded(model: Clip, texts: list[str]) -> np.ndarray:
    """Unit vectors of all pieces as computed before: in order of arrival, each padded to the context."""
    pieces = [piece for text in texts for piece in model._pieces(text)]
    rows = []
    with torch.inference_mode():
        for at in range(0, len(pieces), 32):
            tokens = torch.zeros(len(pieces[at : at + 32]), model._context, dtype=torch.int)
            for row, piece in zip(tokens, pieces[at : at + 32], strict=True):
                row[: len(piece)] = torch.tensor(piece, dtype=torch.int)
            rows.append(model._model.encode_text(tokens).float().numpy())
    found = np.concatenate(rows)
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def of_pages(folder: Path, documents: int) -> None:
    """Print the cost of the texts and images of real pages, before and after."""
    source = HtmlSource(kind="html", name="pages", path=str(folder))
    with tempfile.TemporaryDirectory() as made:
        spans = html.plan(source, 500, Path(made))
        found = [
            item
            for span in spans
            for item in html.read(source, span, Path(made))
            if isinstance(item, Document) and item.images
        ]
        model = Clip(Weights("random-vit-b-32", str(checkpoint(Path(made))), None), 32)
    found = found[:: max(1, len(found) // documents)][:documents]
    texts = [text.text for document in found for text in document.texts]
    images = [Image.effect_noise((640, 480), 40).convert("RGB")] * sum(
        len(document.images) for document in found
    )
    pieces = [piece for text in texts for piece in model._pieces(text)]
    cost = {}
    for name, work in (
        ("images", partial(model.images, images)),
        ("before", partial(padded, model, texts)),
        ("after", partial(model.texts, texts)),
    ):
        started = time.process_time()
        work()
        cost[name] = time.process_time() - started
    before, after = cost["images"] + cost["before"], cost["images"] + cost["after"]
    vectors = model._of_pieces(set(pieces))
    apart = np.abs(padded(model, texts) - np.stack([vectors[piece] for piece in pieces])).max()
    print(
        f"{len(found)} pages, {len(images)} images, {len(pieces)} texts of "
        f"{np.mean([len(piece) for piece in pieces]):.1f} tokens"
    )
    print(f"CPU-s: images {cost['images']:.1f}, texts {cost['before']:.1f} before, {cost['after']:.1f} after")
    print(
        f"a page: {before / len(found):.2f} before, {after / len(found):.2f} after: {before / after:.2f} "
        "times less"
    )
    print(f"vectors differ by at most {apart:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--documents", type=int, default=12)
    arguments = parser.parse_args()
    count = arguments.images
    torch.set_num_threads(1)
    if arguments.pages is not None:
        of_pages(arguments.pages, arguments.documents)
        return
    images = [Image.effect_noise((640, 480), 20 + number).convert("RGB") for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        weights = Weights("random-vit-b-32", str(checkpoint(Path(folder))), None)
        rates = {size: count / seconds(Clip(weights, size), images) for size in (1, 16, 32)}
    for size, rate in rates.items():
        print(f"batch {size:>2}: {rate:5.1f} images/CPU-s, {rate / rates[1]:.2f} of one at a time")


if __name__ == "__main__":
    main()
