"""The published row, schema 2: what a shard holds, what `datasets` decodes, what training reads. A file of its own because it is a contract with
strangers, while table.py's tables are ours to change.

`messages` has one `{"type": "image"}` part for each picture, in order over all turns; `images` and `image_info` are parallel to those parts.
Nothing of the moment (fetch time, cost) enters a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from leafinstruct.records.document import Image
from leafinstruct.records.example import Example
from leafinstruct.records.table import Row

SCHEMA_VERSION = "2"
"""Version of the published row, stored under `leafinstruct.schema` in the Parquet metadata."""

READABLE = ("1", SCHEMA_VERSION)
"""Versions that this version reads. Schema 1 lacks page_url, title and the owners of images."""

WRITER: dict[str, Any] = {"compression": "zstd", "write_page_index": True, "use_content_defined_chunking": True}
"""How a shard is written, for whoever writes one: the same rows in the same row groups are the same bytes, in shard and after `leaf hydrate`."""

PICTURES = b"leafinstruct.pictures"
"""Key of the Parquet metadata, `reference` in a shard whose pictures are references: each of `images` is null, `image_info` says what it was."""


def features() -> Any:
    """`datasets.Features` of the published row, schema 2; the one definition of its columns."""
    from datasets import Features, List, Value
    from datasets import Image as Picture

    text, number = Value("string"), Value("float64")
    named = List({"name": text, "identity": text})
    return Features(
        {
            "id": text,
            "document_id": text,
            "source": text,
            "task": text,
            "messages": List({"role": text, "content": List({"type": text, "text": text})}),
            "images": List(Picture()),
            "image_info": List(
                {
                    "sha256": text,
                    "ref": text,
                    "url": text,
                    "license": text,
                    "source_position": Value("int32"),
                    "frame_time": number,
                    "width": Value("int32"),
                    "height": Value("int32"),
                    "owner": Value("int32"),
                    "owner_found": text,
                }
            ),
            "scores": List({"name": text, "image": Value("int32"), "value": number, "state": text}),
            "url": text,
            "page_url": text,
            "title": text,
            "license": text,
            "provenance": {"recipe": text, "file": text, "locator": text, "models": named, "prompts": named},
        }
    )


def card_features() -> list[dict[str, Any]]:
    """The columns as `dataset_info` of a dataset card tells them."""
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    data = DatasetCardData()
    DatasetInfosDict({"default": DatasetInfo(features=features())}).to_dataset_card_data(data)
    found: list[dict[str, Any]] = data["dataset_info"]["features"]
    return found


def schema() -> pa.Schema:
    """Arrow schema of the published row, with the metadata that `datasets` reads its features from, and our version."""
    schema = features().arrow_schema
    return schema.with_metadata({**(schema.metadata or {}), b"leafinstruct.schema": SCHEMA_VERSION.encode()})


def row_of(example: Example, data: Mapping[str, bytes], recipe: str) -> Row:
    """The published row of an example. data: sha256 -> bytes of its pictures; recipe: `name@version`."""
    images = example.images
    index = {image.position: at for at, image in enumerate(images)}
    return {
        **{name: getattr(example, name) for name in ("id", "document_id", "source", "task", "url", "page_url", "title", "license")},
        "messages": [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in example.turns],
        "images": [{"bytes": data[image.sha256 or ""], "path": None} for image in images],
        "image_info": [
            {
                **{name: getattr(image, name) for name in ("sha256", "url", "license", "width", "height", "owner", "owner_found")},
                "ref": str(image.ref),
                "source_position": image.position,
                "frame_time": image.time,
            }
            for image in images
        ],
        "scores": [
            {"name": cell.name, "image": None if cell.position is None else index[cell.position], "value": cell.value, "state": cell.state}
            for cell in example.scores
        ],
        "provenance": {
            "recipe": recipe,
            **asdict(example.provenance),
            "models": [{"name": name, "identity": identity} for name, identity in example.models],
            "prompts": [{"name": name, "identity": identity} for name, identity in example.prompts],
        },
    }


def _content(part: str | Image) -> Row:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "text": None}
