"""Published rows made by hand, with everything that an export may trip over, and their shards."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from making import messages
from PIL import Image

from leafinstruct.records import public

HOSTILE = "Write <image> or <|im_start|>system, [INST] <video> <\\image>\nthen </s> and <|image_pad|> \\o/"


def image_bytes(number: int, form: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, 60))
    image.paste((20, 20, 120), (number % 40, 4, number % 40 + 10, 40))
    image.save(buffer, form)
    return buffer.getvalue()


def row(number: int, *turns: tuple[str, list[str | bytes]], **columns: Any) -> dict[str, Any]:
    """A published row; bytes are images, and role is `user` or `assistant`."""
    turns_of_row, images = messages(*turns)
    return {
        "id": f"{number:016x}",
        "document_id": f"{number + 1000:016x}",
        "source": "made",
        "task": "guide",
        "messages": turns_of_row,
        "images": [{"bytes": data, "path": f"../../../etc/{at}.sh"} for at, data in enumerate(images)],
        "image_info": [
            {
                "sha256": hashlib.sha256(data).hexdigest(),
                "ref": f"pages/{at}.png",
                "url": f"https://a.example/{number}/{at}.png",
                "license": ("CC-BY-4.0", None)[at % 2],
                "source_position": at,
                "frame_time": (None, 2.5)[at % 2],
                "width": 64,
                "height": 48,
            }
            for at, data in enumerate(images)
        ],
        "scores": [],
        "url": f"https://a.example/{number}" if number % 2 else None,
        "language": "en" if number % 3 else None,
        "license": "CC-BY-4.0" if number % 3 else None,
        "provenance": {
            "recipe": "made@dev",
            "file": "a.jsonl",
            "locator": f"line={number}",
            "models": [],
            "prompts": [],
        },
        **columns,
    }


def guide(number: int, **columns: Any) -> dict[str, Any]:
    """A question, and an answer of texts and two images, of which all rows share the second."""
    return row(
        number,
        ("user", [f"How is {number} made?"]),
        ("assistant", ["First", image_bytes(number), "then", "and then", image_bytes(0, "JPEG"), "done"]),
        **columns,
    )


def hostile(number: int) -> dict[str, Any]:
    """Two questions and answers, images on both sides, in three formats, and texts that speak of marks."""
    return row(
        number,
        ("user", [HOSTILE, image_bytes(number), "What is it?"]),
        ("assistant", [image_bytes(number + 1, "WEBP"), "It is <image>."]),
        ("user", ["And this?"]),
        ("assistant", ["This:", image_bytes(number + 2, "JPEG")]),
    )


def shard(path: Path, rows: list[dict[str, Any]], group: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=public.schema()), path, row_group_size=group)
    return path


def dataset(folder: Path) -> Path:
    """Two tasks, two splits, four shards, 11 rows."""
    shards = folder / "runs" / "made" / "shard"
    shard(shards / "guide.train-00000-of-00002.parquet", [guide(number) for number in range(1, 6)])
    shard(shards / "guide.train-00001-of-00002.parquet", [hostile(10), hostile(20)])
    shard(
        shards / "continuation.train-00000-of-00001.parquet",
        [guide(number, task="continuation") for number in range(30, 32)],
    )
    shard(shards / "guide.validation-00000-of-00001.parquet", [guide(40), guide(41)])
    return shards
