"""Write public_schema.txt, the golden schema of the published row, and schema_3/, two golden shards. Run it
only together with a new SCHEMA_VERSION, or where a column was added before 0.1.0 is released:

python tests/records/regenerate.py

schema_1/ and schema_2/ were written by the last versions of their schemas and cannot be written again. The
examples of schema_3/ are made by hand and pass no stage, so they do not change when a stage does.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public
from leafinstruct.records.document import ImageRef, Provenance, Ref
from leafinstruct.records.example import Cell, Example, Turn
from leafinstruct.records.published_row import row_of
from leafinstruct.sketchbook.world.render import render
from leafinstruct.sketchbook.world.scene import Item, Scene

HERE = Path(__file__).parent
BALL = Item("ball", "yellow", 4, 4, 3, 3)
WALL, ROOF, DOOR = (
    Item("wall", "red", 2, 3, 4, 3),
    Item("roof", "blue", 2, 1, 4, 2),
    Item("door", "green", 3, 4, 1, 2),
)
MODELS = (("alignment", "leaf:tiny-clip-1"), ("rewrite", "offline-templates@2"))


def drawn(*items: Item) -> bytes:
    """A Sketchbook image of 32 x 32 pixels as PNG."""
    buffer = io.BytesIO()
    render(Scene("snow", None, items), 32).save(buffer, "PNG")
    return buffer.getvalue()


def image(position: int, data: bytes, name: str, **known: object) -> ImageRef:
    size = {"width": 32, "height": 32, "format": "PNG", "state": "ok"}
    return ImageRef(position, Ref(file=name), sha256=hashlib.sha256(data).hexdigest(), **size, **known)  # type: ignore[arg-type]


def edit() -> tuple[Example, list[bytes]]:
    """A page on the web with a title and a URL of its own; both images belong to a sentence that the source
    states."""
    before, after = drawn(BALL), drawn(BALL.painted("red"))
    known = {"license": "CC-BY-4.0", "owner_found": "stated"}
    first = image(2, before, "pages/ball-1.png", url="https://club.example/ball-1.png", owner=1, **known)
    second = image(4, after, "pages/ball-2.png", url="https://club.example/ball-2.png", owner=3, **known)
    turns = (
        Turn("user", ("Paint the ball red.", "A ball in the snow", "Here is a yellow ball.", first)),
        Turn("assistant", (second,)),
    )
    example = Example(
        id="2ed1700000000001",
        document_id="d2ed170000000001",
        source="club",
        task="edit",
        turns=turns,
        provenance=Provenance("pages.jsonl", "line=3"),
        scores=(
            Cell("text.words", 15.0),
            Cell("alignment.clip", 0.31, position=2),
            Cell("alignment.clip", None, "failed", position=4),
        ),
        url="https://club.example/ball",
        license="CC-BY-4.0",
        title="A ball in the snow",
        language="en",
        page_url="https://club.example/ball?from=feed",
        models=MODELS,
    )
    return example, [before, after]


def guide() -> tuple[Example, list[bytes]]:
    """A local page without a page URL; owners are inferred, and one is unknown."""
    steps = [drawn(WALL), drawn(WALL, ROOF), drawn(WALL, ROOF, DOOR)]
    known = {"license": "CC0-1.0", "owner_found": "inferred"}
    shown = [
        image(2 * at + 2, data, f"house/{at + 1}.png", owner=2 * at + 1, **known)
        for at, data in enumerate(steps)
    ]
    shown[2] = replace(shown[2], owner=None, owner_found="unknown", time=2.5)
    answer = (
        "Start with a red wall.",
        shown[0],
        "Put a blue roof on it.",
        shown[1],
        "Add a green door.",
        shown[2],
    )
    example = Example(
        id="2901de0000000001",
        document_id="d2901de000000001",
        source="house",
        task="guide",
        turns=(Turn("user", ("How do I draw a house?",)), Turn("assistant", answer)),
        provenance=Provenance("house/index.html"),
        scores=(Cell("text.words", 17.0),),
        license="CC0-1.0",
        title="How to draw a house",
        models=MODELS,
    )
    return example, steps


def write(name: str, example: Example, images: list[bytes]) -> None:
    row = row_of(example, {hashlib.sha256(data).hexdigest(): data for data in images}, "golden@dev")
    (HERE / "schema_3").mkdir(exist_ok=True)
    with pq.ParquetWriter(
        HERE / "schema_3" / f"{name}-00000-of-00001.parquet", public.schema(), **public.WRITER
    ) as file:
        file.write_table(pa.Table.from_pylist([row], schema=public.schema()))


if __name__ == "__main__":
    (HERE / "public_schema.txt").write_text(
        public.schema().to_string(show_schema_metadata=False) + "\n", encoding="utf-8"
    )
    write("edit.train", *edit())
    write("guide.test", *guide())
