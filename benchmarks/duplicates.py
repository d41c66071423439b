"""Find duplicates: sketches of texts and images side by side with other libraries, and the global step.

    python benchmarks/duplicates.py texts [--peer PATH/bin/python]
                                                                 sketches a CPU second, one thread
    python benchmarks/duplicates.py images --folder FOLDER [--peer PATH/bin/python]
                                                                 hashes a CPU second, with decoding
    python benchmarks/duplicates.py reduce --documents 1000 10000 100000
                                                                 growth of the global step, in time and memory

Set OPENBLAS_NUM_THREADS=1, as the workers of a build do. datasketch, rensa and imagehash are compared if they
are installed. --peer: a Python with data-juicer (pip install py-data-juicer imagededup aiohttp, in its own
environment), which is measured in turn with ours: the best of three rounds of each item, texts with runs of 3
words and 160 hashes as ours, images of which neither fails. Texts have 375 words.

Documents of the global step have 2 images each; 1 in 20 is nearly the text of another, 1 image in 20 is near
to another. Each size is measured in a process of its own, after a small corpus has loaded the libraries.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from leafinstruct.filter.index.groups import Texts
from leafinstruct.filter.index.image import HASH_PX, hash_of
from leafinstruct.filter.index.reduce import reduce
from leafinstruct.filter.index.text import bands_of, runs_of
from leafinstruct.filter.scores import image as image_scores
from leafinstruct.images.decode import decode, decode_gray
from leafinstruct.records import table
from leafinstruct.records.rows import KeyRow
from leafinstruct.records.text.words import identity
from leafinstruct.runtime.engine.local import LocalEngine

WORDS = 375


PEER = """
import contextlib, json, os, sys, time
os.environ["OMP_NUM_THREADS"] = "1"
import torch
torch.set_num_threads(1)
# imagededup imports torchvision, whose published wheel does not load beside a CPU build of torch
library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    with contextlib.suppress(RuntimeError):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
what, items = json.load(open(sys.argv[1]))
if what == "texts":
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator as Kind
    operator, key = Kind(window_size=3, num_permutations=160, num_bands=40, num_rows_per_band=4), "text"
else:
    from data_juicer.ops.deduplicator.image_deduplicator import ImageDeduplicator as Kind
    operator, key = Kind(method="phash"), "images"
best = []
for item in items:
    times = []
    for _ in range(2):
        started = time.process_time()
        try:
            Kind.compute_hash(operator, {key: item if what == "texts" else [item]})
        except Exception:
            break
        times.append(time.process_time() - started)
    best.append(min(times, default=0))
print(json.dumps(best))
"""


def beside(python: Path, what: str, items: list[str], ours: Callable[[str], object]) -> None:
    """Print CPU seconds of data-juicer and ours for the same items: the best of three rounds of each item,
    in turn. what: texts, or images (file names)."""
    best = [(float("inf"), float("inf"))] * len(items)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([what, items], file)
        file.flush()
        command = [str(python), "-c", PEER, file.name]
        for _ in range(3):
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            theirs = json.loads(output.splitlines()[-1])
            for at, item in enumerate(items):
                started = time.process_time()
                ours(item)
                used = time.process_time() - started
                best[at] = min(best[at][0], used), min(best[at][1], theirs[at])
    done = [(own, other) for own, other in best if other]
    own, other = (sum(times) for times in zip(*done, strict=True))
    print(
        f"{len(done)} of {len(items)} {what}: ours {len(done) / own:,.0f}/CPU-s, data-juicer "
        f"{len(done) / other:,.0f}/CPU-s, ratio {other / own:.1f}"
    )


def rate(work: Callable[[], object], count: int) -> float:
    """Items a CPU second, the best of three runs. count: items of one run."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return count / min(times)


def made_texts(count: int, seed: int = 5) -> list[str]:
    source = random.Random(seed)
    letters = "etaoinshrdlu"
    known = ["".join(source.choices(letters, k=source.randint(2, 9))) for _ in range(8000)]
    return [" ".join(source.choices(known, k=WORDS)) for _ in range(count)]


def texts(python: Path | None) -> None:
    """Sketches a CPU second."""
    made = made_texts(1000)
    if python is not None:
        beside(python, "texts", made[:300], lambda text: bands_of(runs_of(identity(text))))
    ready = [identity(text) for text in made]
    runs = [runs_of(text) for text in ready]
    found = {
        "ours: words, runs and bands": rate(
            lambda: [bands_of(runs_of(identity(text))) for text in made], 1000
        ),
        "ours: runs of ready words": rate(lambda: [runs_of(text) for text in ready], 1000),
        "ours: bands of runs": rate(lambda: [bands_of(one) for one in runs], 1000),
    }
    for name in ("datasketch", "rensa"):
        if importlib.util.find_spec(name) is not None:
            peer = import_module(name)
            found[f"{name}: words, runs of 3 and 160 hashes"] = rate(partial(sketched, peer, made[:300]), 300)
    report(found)


def sketched(peer: object, made: list[str]) -> list[object]:
    return [by_peer(peer, text) for text in made]


def by_peer(peer: object, text: str) -> object:
    """A signature with runs as Python strings, as both libraries take them."""
    words = text.lower().split()
    runs = {" ".join(words[at : at + 3]) for at in range(len(words) - 2)}
    if hasattr(peer, "RMinHash"):
        fast = peer.RMinHash(num_perm=160, seed=1)
        fast.update(list(runs))
        return fast
    slow = peer.MinHash(num_perm=160, seed=1)  # type: ignore[attr-defined]
    slow.update_batch([run.encode() for run in runs])
    return slow


def images(folder: Path, python: Path | None) -> None:
    """Hashes a CPU second, and what a hash adds to an image that is decoded anyway."""
    suffixes = (".png", ".jpg", ".jpeg")
    names = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes]
    files = [path.read_bytes() for path in names]
    if python is not None:
        jpegs = [str(name) for name in names if name.suffix.lower() != ".png"]
        for some in (jpegs, [str(name) for name in names]):
            beside(python, "images", some, lambda name: hashed(Path(name).read_bytes()))
    small = [image for data in files if isinstance(image := decode(data, image_scores.MEASURE_PX), Pil.Image)]
    count = len(small)
    measured = rate(
        lambda: [
            image_scores.scores(1, 1, image, data)
            for data in files
            if isinstance(image := decode(data, image_scores.MEASURE_PX), Pil.Image)
        ],
        count,
    )
    alone = rate(lambda: [hash_of(image) for image in small], count)
    found = {
        "decode and measure, as filter does": measured,
        "hash of a decoded image": alone,
        "ours: decode in gray and hash": rate(lambda: [hashed(data) for data in files], count),
    }
    if importlib.util.find_spec("imagehash") is not None:
        peer = import_module("imagehash")
        found["imagehash: decode and phash"] = rate(
            lambda: [peer.phash(Pil.open(io.BytesIO(data)).convert("RGB"), 16) for data in files], len(files)
        )
    report(found)
    print(f"{measured / alone:.1%} added to an image that is decoded and measured")


def hashed(data: bytes) -> str | None:
    """The hash of an image that is decoded for it alone."""
    image, _ = decode_gray(data, HASH_PX)
    return hash_of(image) if isinstance(image, Pil.Image) else None


def report(found: dict[str, float]) -> None:
    for name, value in found.items():
        print(f"{value:10,.0f}/CPU-s  {name}")


def keys(start: int, count: int) -> Iterator[KeyRow]:
    """Keys of documents. The number of a document is the seed of its text and images."""
    for number in range(start, start + count):
        copied = number // 2 if number % 20 == 0 else number
        source = np.random.default_rng(copied)
        runs = np.unique(source.integers(1 << 30, size=WORDS, dtype=np.uint32))
        hashes = source.integers(1 << 63, size=8, dtype=np.uint64) | np.uint64(1 << 63)
        if copied != number:
            runs[: len(runs) // 10] = np.arange(number, number + len(runs) // 10) % (1 << 30)
            runs = np.unique(runs)
            hashes[:4] ^= np.uint64(0x8001)
        digests = [f"{number * 2 + at:024x}" for at in range(2)]
        yield KeyRow(f"{number:016x}", f"{number:024x}", WORDS, digests, bands_of(runs), runs, hashes)


def written(folder: Path, documents: int, part: int) -> dict[str, Path]:
    files = dict[str, Path]()
    for start in range(0, documents, part):
        files[f"{start:09d}"] = folder / f"keys-{start:09d}.parquet"
        table.write(files[f"{start:09d}"], keys(start, min(part, documents - start)), table.KEYS)
    return files


def globally(folder: Path, documents: int, part: int) -> None:
    """Reduce keys that are written, and print."""
    verifying = 0.0
    verify = Texts._join_similar

    def timed(*arguments: Any) -> None:
        nonlocal verifying
        started = time.process_time()
        verify(*arguments)
        verifying += time.process_time() - started

    setattr(Texts, verify.__name__, timed)
    starts = range(0, documents, part)
    files = {f"{start:09d}": folder / f"keys-{start:09d}.parquet" for start in starts}
    engine = LocalEngine(workers=1)
    list(reduce(dict(list(files.items())[:1]), folder, engine))
    verifying = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    used, grouped = time.process_time(), 0
    for _, rows in reduce(files, folder, engine):
        grouped += sum(row.group is not None for row in rows)
    used = time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{documents:,} documents, {2 * documents:,} images in {len(files):,} parts: "
        f"{used / documents * 1e6:.1f} us a document, of these {verifying / documents * 1e6:.1f} for "
        f"verifying candidates; {grouped:,} documents in groups; {(peak - before) / 1e6:.0f} MB more, "
        f"{(peak - before) / (3 * documents):.0f} bytes a key",
        flush=True,
    )


def growth(sizes: list[int], part: int) -> None:
    """Measure each size; the smaller ones are the beginning of the largest."""
    with tempfile.TemporaryDirectory() as name:
        written(Path(name), max(sizes), part)
        for size in sizes:
            worker = get_context("spawn").Process(target=globally, args=(Path(name), size, part))
            worker.start()
            worker.join()


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["texts", "images", "reduce"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000])
    parser.add_argument("--part", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.what == "texts":
        texts(arguments.peer)
    elif arguments.what == "images":
        images(arguments.folder, arguments.peer)
    else:
        growth(arguments.documents, arguments.part)


if __name__ == "__main__":
    main()
