"""CPU time per document and peak memory of every step of a build, and how both grow with the corpus.

    python benchmarks/growth.py 1000 10000 100000 --folder /tmp/growth [--clip]

A corpus of each size is written as Parquet (two small images and 120 words a document, 20 documents a host,
5,000 a file), built in a fresh process with one worker, and measured per step; `--clip` adds alignment with
the embedded tiny CLIP. No network, no language model. A finished size is read from the folder instead of
measured again, so an interrupted benchmark continues with the next size. A step is a `map` of the engine, and
what the process does before one (runtime/engine/metered.py): `before deciding` is the search for duplicates.

The last columns compare the last size with the one before. What every process pays once (imports, models) is
a larger share of a small size, so figures of 1,000 documents show that and not growth.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from leafinstruct.pipeline import build
from leafinstruct.recipe.load import load
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.runtime.engine.metered import Metered

FILE, GROUP, PART = 5_000, 500, 500
"""Documents of a file, of a row group and of a part."""
WORDS, IMAGES, PX, PER_HOST = 120, 2, 96, 20
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def vocabulary() -> list[str]:
    """1,000 words: English ones, so that the language is found, and made ones, so that texts differ."""
    common = (
        "the of and a to in is it you that was for on are with as they be at one have this from by hot word"
    )
    random = np.random.default_rng(3)
    made = ["".join(random.choice(list("aeioulnrst"), 7)) for _ in range(1_000 - len(common.split()))]
    return common.split() * 10 + made


def document(number: int, words: list[str]) -> dict[str, Any]:
    """One document. Its texts and images are unlike those of any other."""
    random = np.random.default_rng(number)
    images = []
    for _ in range(IMAGES):
        field = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8)).resize(
            (PX, PX), Image.Resampling.BICUBIC
        )
        buffer = io.BytesIO()
        field.save(buffer, "JPEG", quality=85)
        images.append({"bytes": buffer.getvalue(), "path": None})
    texts = [" ".join(random.choice(words, WORDS // IMAGES)).capitalize() + "." for _ in range(IMAGES)]
    return {"url": f"https://site{number // PER_HOST}.example/{number}", "texts": texts, "images": images}


def write(folder: Path, documents: int) -> None:
    """Write the corpus; files that exist are complete."""
    folder.mkdir(parents=True, exist_ok=True)
    words = vocabulary()
    schema = pa.schema([("url", pa.string()), ("texts", pa.list_(pa.string())), ("images", pa.list_(IMAGE))])
    for start in range(0, documents, FILE):
        path = folder / f"rows-{start:09d}.parquet"
        if path.exists():
            continue
        rows = [document(number, words) for number in range(start, min(start + FILE, documents))]
        pq.write_table(pa.Table.from_pylist(rows, schema), path.with_suffix(".tmp"), row_group_size=GROUP)
        path.with_suffix(".tmp").rename(path)


def recipe(data: Path, workdir: Path, clip: bool) -> dict[str, Any]:
    """A recipe with text rules, image rules and duplicates, without a language model."""
    interleave = [{"image": "images"}, {"text": "texts"}]
    source = {"kind": "hub", "name": "made", "path": str(data), "url_column": "url", "license": "CC0-1.0"}
    rules: list[dict[str, Any]] = [
        {"score": "text.links", "max": 3},
        {"score": "text.repetition", "max": 0.8},
        {"score": "image.decoded", "min": 1, "drop": "step"},
        {"score": "image.side", "min": 64},
        {"score": "duplicate.text", "max": 0},
        {"score": "duplicate.images", "max": 0.5},
    ]
    if clip:
        rules.append({"score": "alignment.own", "min": -1, "model": "leaf:tiny-clip-1", "uncalibrated": True})
    return {
        "name": "growth",
        "workdir": str(workdir),
        "part_size": PART,
        "ingest": {"sources": [{**source, "segments": [{"interleave": interleave}]}]},
        "filter": {
            "min_images": 2,
            "min_words": 20,
            "rules": rules,
            "alignment": {"model": "leaf:tiny-clip-1" if clip else None, "allow_toy": clip},
            "judge": {"enabled": False},
        },
    }


def measure(documents: int, data: Path, clip: bool) -> dict[str, Any]:
    """Build the corpus in a new folder. Returns CPU seconds and peak bytes of every step, in order."""
    steps: dict[str, dict[str, float]] = defaultdict(lambda: {"cpu": 0.0, "memory": 0.0})
    with tempfile.TemporaryDirectory() as folder, LocalEngine(1) as engine:
        meter, seen = Metered(engine), 0
        rows = 0
        for outcome in build(load(recipe(data, Path(folder), clip)), meter, lambda _: None):
            meter.between("before the end")
            for used in meter.used[seen:]:
                step = steps[f"{outcome.stage}: {used.step}"]
                step["cpu"] += used.cpu
                step["memory"] = max(step["memory"], used.memory)
            seen = len(meter.used)
            rows = outcome.record["counts"].get("rows", rows)
    return {"documents": documents, "rows": rows, "steps": steps}


def show(found: list[dict[str, Any]]) -> None:
    """Print a table: CPU microseconds a document and peak MB of each size."""
    sizes = [one["documents"] for one in found]
    heads = [f"{size:,}: us | MB" for size in sizes]
    print("| step | " + " | ".join(heads) + " | last / before: time | memory |")
    print("|---|" + "---|---|" * len(sizes) + "---|---|")
    names = list(dict.fromkeys(name for one in found for name in one["steps"]))
    stages = list(dict.fromkeys(name.partition(":")[0] for name in names))
    for stage in stages:
        for name in [*(name for name in names if name.startswith(f"{stage}:")), f"{stage}, all steps"]:
            _line(name, found)


def _line(name: str, found: list[dict[str, Any]]) -> None:
    cells, figures = [], []
    for one in found:
        stage = name.removesuffix(", all steps")
        steps = [step for key, step in one["steps"].items() if key == name or key.startswith(f"{stage}: ")]
        micro = sum(step["cpu"] for step in steps) / one["documents"] * 1e6
        figures.append((micro, max((step["memory"] for step in steps), default=0.0)))
        cells += [f"{micro:,.1f}", f"{figures[-1][1] / 1e6:,.0f}"]
    if len(figures) > 1 and all(figures[-2]):
        cells += [f"{last / before:.2f}" for last, before in zip(figures[-1], figures[-2], strict=True)]
    print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure each size in a fresh process and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=int, nargs="+")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--clip", action="store_true")
    parser.add_argument("--one", action="store_true", help="Measure the size in this process; print JSON.")
    arguments = parser.parse_args()
    if arguments.one:
        (size,) = arguments.documents
        print(json.dumps(measure(size, arguments.folder, arguments.clip)))
        return
    found = []
    for size in arguments.documents:
        result = arguments.folder / f"result-{size}{'-clip' if arguments.clip else ''}.json"
        if not result.exists():
            data = arguments.folder / f"data-{size}"
            write(data, size)
            command = [sys.executable, __file__, str(size), "--folder", str(data), "--one"]
            command += ["--clip"] if arguments.clip else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result.with_suffix(".tmp").write_text(done.stdout, encoding="utf-8")
            result.with_suffix(".tmp").rename(result)
        found.append(json.loads(result.read_text(encoding="utf-8")))
    show(found)


if __name__ == "__main__":
    main()
