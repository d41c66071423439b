"""Measure how long `leaf explain` searches for one record, and how that grows: runs of synthetic documents,
by id, sha256, URL, and one that does not exist.

    python benchmarks/explain.py [--documents 1000 5000 20000] [--part-size 100]

Tables are written by the package's writers with 13 segments a document (5 images of 2 KB), 40 scores, an
example, and two exchanges in the journal. The figures are milliseconds of CPU (wall time is the same on an
idle machine) for the search and for the lineage of the result, best of three.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.llm import lines
from leafinstruct.records import asked, public, table
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Text, document_id
from leafinstruct.records.example import Cell, Example, Turn, example_id
from leafinstruct.report.explain import lineage
from leafinstruct.report.explain.find import find
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.stage_report import StageReport

STAGES = ("ingest", "filter", "rewrite", "shard")
IMAGES, SCORES = 5, 40
SENTENCE = (
    "Draw a red wall on the green grass of the meadow, then a brown roof on top of it, and a blue door "
    "in the middle of the wall."
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def document(number: int) -> Document:
    url = f"https://host{number % 97}.example/page/{number}"
    segments: list[Text | ImageRef] = []
    for step in range(IMAGES):
        image = f"{url}/{step}.jpg"
        segments.append(Text(len(segments), f"{number}.{step} {SENTENCE}"))
        segments.append(
            ImageRef(
                len(segments),
                Ref(url=image),
                "",
                image,
                state="ok",
                sha256=sha256(image),
                width=64,
                height=48,
                format="JPEG",
            )
        )
    segments += [Text(len(segments) + more, SENTENCE) for more in range(3)]
    place = Provenance(f"docs_{number // 1000:04d}.jsonl", f"line={number % 1000}")
    return Document(
        document_id("made", place.file, place.locator), "made", tuple(segments), place, url, "CC0-1.0"
    )


def write(stages: dict[str, Artifact], part: str, documents: list[Document], answers: lines.Appender) -> None:
    ingest, filtered, rewrite = (stages[name] for name in STAGES[:3])
    for stage in (ingest, filtered, rewrite):
        stage.path.mkdir(parents=True, exist_ok=True)
    images = [image for made in documents for image in made.images]
    rows = ({**image_row(image), "bytes": sha256(str(image.ref)).encode() * 32} for image in images)
    cells = [Cell(f"text.score{number}", 0.5) for number in range(SCORES)]
    examples = [
        Example(example_id(made.id, "guide"), made.id, "made", "guide", turns(made), made.provenance)
        for made in documents
    ]
    keys = [
        {"document_id": made.id, "text": made.id, "images": [str(image.sha256)[:24] for image in made.images]}
        for made in documents
    ]
    questions = [{"document_id": made.id, "key": sha256(made.id), "state": "ok"} for made in documents]
    table.write(ingest.file("documents", part), map(table.document_row, documents), table.DOCUMENTS)
    table.write(
        filtered.file("documents", part),
        (table.document_row(made, []) for made in documents),
        table.DECISIONS,
    )
    table.write(filtered.file("images", part), rows, table.IMAGES)
    scores = (table.score_row(made.id, cell) for made in documents for cell in cells)
    table.write(filtered.file("scores", part), scores, table.SCORES)
    table.write(filtered.file("keys", part), keys, table.KEYS)
    table.write(rewrite.file("examples", part), map(table.example_row, examples), table.EXAMPLES)
    for stage in (filtered, rewrite):
        table.write(stage.file("asked", part), questions, asked.ASKED)
    for question in questions * 2:
        answers.append(question["key"], {"at": "", "sent": {"messages": [SENTENCE * 30]}, "tries": []})
    for stage in (ingest, filtered, rewrite):
        stage.commit(part, "", StageReport(), ())


def image_row(image: ImageRef) -> table.Row:
    known: table.Row = {
        "ref": str(image.ref),
        "file": None,
        "stamp": "",
        "state": "ok",
        "reason": "",
        "scores": [],
    }
    return {**known, **{name: getattr(image, name) for name in ("sha256", "width", "height", "format")}}


def turns(made: Document) -> tuple[Turn, ...]:
    return (
        Turn("user", (SENTENCE,)),
        Turn("assistant", tuple(item.text if isinstance(item, Text) else item for item in made.segments)),
    )


def run(folder: Path, count: int, part_size: int) -> tuple[dict[str, Artifact], Path]:
    stages: dict[str, Artifact] = {}
    for name in STAGES:
        stages[name] = Artifact(folder / "run" / name)
    answers = lines.Appender(folder / ".answers", "exchanges")
    for first in range(0, count, part_size):
        write(
            stages,
            f"made-{first:012x}",
            [document(number) for number in range(first, min(first + part_size, count))],
            answers,
        )
    answers.close()
    stages["shard"].path.mkdir(parents=True)
    ids = (
        {"id": example_id(document(number).id, "guide"), "document_id": document(number).id}
        for number in range(count)
    )
    columns = table.EXAMPLES.field("id"), table.EXAMPLES.field("document_id")
    stored = pa.schema(columns, metadata=public.schema().metadata)
    shard = pa.Table.from_pylist(list(ids), stored)
    pq.write_table(shard, stages["shard"].path / "guide.train-00000-of-00001.parquet")
    return stages, folder / ".answers"


def best(work: Callable[[], object]) -> float:
    """Milliseconds of CPU, the best of three."""

    def times() -> Iterator[float]:
        for _ in range(3):
            began = time.process_time()
            work()
            yield (time.process_time() - began) * 1e3

    return min(times())


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--documents", type=int, nargs="+", default=[1_000, 5_000, 20_000])
    arguments.add_argument("--part-size", type=int, default=100)
    wanted = arguments.parse_args()
    sys.stdout.write(
        f"{'documents':>9} {'id':>9} {'sha256':>9} {'url':>9} {'nothing':>9} {'lineage':>9}   ms of CPU\n"
    )
    for count in wanted.documents:
        with tempfile.TemporaryDirectory() as folder:
            stages, answers = run(Path(folder), count, wanted.part_size)
            last = document(count - 1)
            (match,) = find(stages, last.id)
            asks = (last.id, str(last.images[0].sha256), str(last.url), "0" * 16)
            searches = [best(partial(find, stages, ask)) for ask in asks]
            whole = best(partial(lineage.explain, stages, match, answers))
            sys.stdout.write(f"{count:9,} {' '.join(f'{took:9,.0f}' for took in [*searches, whole])}\n")


if __name__ == "__main__":
    main()
