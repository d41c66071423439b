"""Measure CLIP on the CPU: texts and images per CPU second, in one thread, with a model of ViT-B/32's size
and random weights (they do not affect speed), so nothing is downloaded.

    python benchmarks/alignment.py --images 64
    python benchmarks/alignment.py --pages FOLDER [--documents 12]
    python benchmarks/alignment.py --pages FOLDER --peer PATH/bin/python [--documents 2]
    python benchmarks/alignment.py --loading

The first compares batch sizes. The second measures the texts and images of HTML pages: texts in order of
arrival, padded to the context, and images in float32, as at ea452d2 (before); then as
filter/embedders/embedder embeds them, in float32 and, if this CPU has its instructions, in bfloat16. A page
counts as many images as it has; missing files are replaced by images of noise.

With --peer, a Python with data-juicer (pip install py-data-juicer==1.6.1 torch transformers, in its own
environment), the texts of the pages are put into pages of 28 texts and 4 images, with the same random
weights for both. Its image_text_similarity_filter compares the images of a chunk with the first 77 tokens of
the chunk's text. So it is measured twice: with a chunk per image, which holds a quarter of the page's texts,
all but 77 tokens of them cut; and with a chunk per text, beside an image, so that each text is compared once.
leafinstruct compares every image with every text, in full. Rounds alternate, and the best one counts.
Decoding is included.

The last measures what one process pays before its first batch, after importing clip with torchvision (as
before), and without.
"""

from __future__ import annotations

import argparse
import json
import os
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
from leafinstruct.filter.embedders.clip import load_clip, module_of_clip
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


PEER = """
import json, sys, time
import torch
torch.set_num_threads(1)
library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    try:
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
from data_juicer.ops.filter.image_text_similarity_filter import ImageTextSimilarityFilter
from data_juicer.utils.constant import Fields
from data_juicer.utils.mm_utils import SpecialTokens
folder, pages = json.load(open(sys.argv[1]))
operator = ImageTextSimilarityFilter(hf_clip=folder, accelerator="cpu")
def sample(chunks):
    text = SpecialTokens.eoc.join(SpecialTokens.image + text for text, _ in chunks)
    return {"text": text, "images": [image for _, image in chunks], Fields.stats: {}}
def spent(chunked):
    started = time.process_time()
    for page in pages:
        operator.compute_stats_single(sample(chunked(*page)))
    return (time.process_time() - started) / len(pages)
def by_image(texts, images):
    share = len(texts) // len(images)
    return [(" ".join(texts[at * share:][:share]), image) for at, image in enumerate(images)]
def by_text(texts, images):
    return [(text, images[at * len(images) // len(texts)]) for at, text in enumerate(texts)]
spent(by_image)  # loads the model
print(json.dumps([spent(by_image), spent(by_text)]))
"""
TEXTS, IMAGES = 28, 4
"""Of a page."""


def published_form(folder: Path) -> Path:
    """Random weights of ViT-B/32's shape as transformers stores them, with the tokenizer of clip."""
    load_clip()
    import transformers

    words = module_of_clip("simple_tokenizer").SimpleTokenizer()
    merges = [" ".join(pair) for pair in words.bpe_ranks]
    (folder / "vocab.json").write_text(json.dumps(words.encoder), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=CONTEXT)
    torch.manual_seed(0)
    transformers.CLIPModel(transformers.CLIPConfig()).save_pretrained(folder)
    images = transformers.CLIPImageProcessor()
    transformers.CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def beside_peer(folder: Path, count: int, python: Path) -> None:
    """Print the cost of a page of 28 texts and 4 images here and in data-juicer."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        texts = [text.text for document in read(folder, made, 12) for text in document.texts]
        assert len(texts) >= TEXTS * count, f"only {len(texts)} texts"
        files = [str(made / f"{number}.png") for number in range(IMAGES * count)]
        for number, file in enumerate(files):
            Image.effect_noise((640, 480), 20 + number).convert("RGB").save(file)
        pages = [(texts[at * TEXTS :][:TEXTS], files[at * IMAGES :][:IMAGES]) for at in range(count)]
        weights = made / "weights"
        weights.mkdir()
        published_form(weights)
        (made / "given.json").write_text(json.dumps([str(weights), pages]), encoding="utf-8")
        towers = {
            dtype: tower_of(Weights("b", str(weights), None, backend="transformers", dtype=dtype), "cpu")
            for dtype in dtypes()
        }
        best: dict[str, float] = {}
        for _ in range(2):
            command = [str(python), "-c", PEER, str(made / "given.json")]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            by_image, by_text = json.loads(printed.splitlines()[-1])
            spent = {"data-juicer, a chunk per image": by_image, "data-juicer, a chunk per text": by_text}
            for dtype, tower in towers.items():
                model, started = Embedder(tower, BATCH), time.process_time()
                # a part of filter has hundreds of pages, so batches cross pages
                model.images([file for _, images in pages for file in images], opened_file)
                model.texts([text for some, _ in pages for text in some])
                spent[dtype] = (time.process_time() - started) / count
            best = {name: min(took, best.get(name, took)) for name, took in spent.items()}
    for name, took in best.items():
        ratios = ", ".join(f"{took / best[dtype]:.2f} times that of {dtype}" for dtype in towers)
        print(f"{name}: {took:.2f} CPU-s a page, {ratios}")
    print(f"load average {os.getloadavg()[0]:.1f}")


def opened_file(path: str) -> Image.Image:
    return Image.open(path).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--loading", action="store_true")
    arguments = parser.parse_args()
    count = arguments.images
    torch.set_num_threads(1)
    if arguments.loading:
        loading()
        return
    if arguments.pages is not None and arguments.peer is not None:
        beside_peer(arguments.pages, arguments.documents, arguments.peer)
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
