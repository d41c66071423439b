"""Published rows as typed records: all columns, some columns, and every fault."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from making import published
from records.test_public import SHARDS

from leafinstruct.errors import SchemaError
from leafinstruct.records import public
from leafinstruct.records.published_row import (
    FAULTS,
    NO_INFO,
    ImageInfo,
    PublishedImage,
    PublishedRow,
    PublishedTurn,
    rows_in,
)


def as_dictionary(row: PublishedRow) -> dict[str, Any]:
    """A row as Arrow gives it."""
    names = [field.name for field in public.schema().field("image_info").type.value_type]
    return {
        **{
            name: getattr(row, name)
            for name in (
                *("id", "document_id", "source", "task"),
                *("url", "page_url", "title", "language", "license"),
            )
        },
        "messages": [
            {
                "role": turn.role,
                "content": [
                    {"type": "text", "text": part}
                    if isinstance(part, str)
                    else {"type": "image", "text": None}
                    for part in turn.parts
                ],
            }
            for turn in row.turns
        ],
        "images": [{"bytes": data, "path": None} for data in row.images],
        "image_info": [{name: getattr(info, name) for name in names} for info in row.image_info],
        "scores": [
            {name: getattr(score, name) for name in ("name", "image", "value", "state")}
            for score in row.scores
        ],
        "provenance": {
            **{name: getattr(row.provenance, name) for name in ("recipe", "file", "locator")},
            **{
                kind: [
                    {"name": name, "identity": identity} for name, identity in getattr(row.provenance, kind)
                ]
                for kind in ("models", "prompts")
            },
        },
    }


@pytest.mark.parametrize("path", [path for paths in SHARDS.values() for path in paths], ids=lambda p: p.name)
def test_no_field_of_a_row_is_lost(path):
    shard = public.open_shard(path)
    given = [row for batch in shard.batches() for row in batch.to_pylist()]
    assert [as_dictionary(row) for row in shard.read()] == given
    for row in shard.read():
        shown = [part for turn in row.turns for part in turn.parts if isinstance(part, PublishedImage)]
        assert [(part.data, part.info) for part in shown] == list(
            zip(row.images, row.image_info, strict=True)
        )


def test_only_what_was_read_is_set():
    path = SHARDS["3"][1]
    (whole,) = public.open_shard(path).read()
    (some,) = public.open_shard(path).read(["image_info.license", "task"])
    assert some == PublishedRow(
        task=whole.task, image_info=tuple(ImageInfo(license=info.license) for info in whole.image_info)
    )
    (texts,) = public.open_shard(path).read(["messages"])
    assert texts.fault is None
    assert [[part if isinstance(part, str) else None for part in turn.parts] for turn in texts.turns] == [
        [part if isinstance(part, str) else None for part in turn.parts] for turn in whole.turns
    ]
    assert {part for turn in texts.turns for part in turn.parts if not isinstance(part, str)} == {
        PublishedImage(None, NO_INFO)
    }


def test_nulls_are_empty():
    assert published(dict.fromkeys(public.schema().names)) == PublishedRow(
        fault=published({"messages": []}).fault
    )
    infos = [None, {"license": "CC0-1.0"}]
    assert published({"image_info": infos}).image_info == (ImageInfo(), ImageInfo(license="CC0-1.0"))


def test_a_batch_is_cut_into_its_rows_wherever_it_begins():
    schema = pa.schema([public.schema().field("images"), public.schema().field("image_info")])
    rows = [
        {"images": [{"bytes": bytes([at]), "path": None}] * at, "image_info": None if at == 2 else [{}] * at}
        for at in range(6)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    for start in range(6):
        found = list(rows_in(batch.slice(start, 3)))
        assert [row.images for row in found] == [(bytes([at]),) * at for at in range(6)][start : start + 3]
        assert [len(row.image_info) for row in found] == [0, 1, 0, 3, 4, 5][start : start + 3]


TEXT, IMAGE = {"type": "text", "text": "a"}, {"type": "image", "text": None}


def turn(*content: Any, role: str | None = "user") -> dict[str, Any]:
    return {"role": role, "content": list(content)}


@pytest.mark.parametrize(
    ("messages", "images", "reason", "detail"),
    [
        ([], [], "bad_messages", "the row has no turns"),
        (None, [], "bad_messages", "the row has no turns"),
        ([turn(role="system")], [], "bad_messages", "a turn of role 'system'; roles are user and assistant"),
        ([turn(TEXT), None], [], "bad_messages", "a turn of role None; roles are user and assistant"),
        ([{"role": "user", "content": None}], [], "bad_messages", "a turn without content"),
        ([turn(TEXT, None)], [], "bad_messages", "a part is neither a text nor an image"),
        ([turn({"type": "video", "text": "a"})], [], "bad_messages", "a part is neither a text nor an image"),
        ([turn({"type": "text", "text": None})], [], "bad_messages", "a part is neither a text nor an image"),
        ([turn(IMAGE)], [], "images_differ", "1 image parts in messages, 0 images"),
        ([turn(IMAGE)], None, "images_differ", "1 image parts in messages, 0 images"),
        ([turn(TEXT)], [b"x"], "images_differ", "0 image parts in messages, 1 images"),
        (
            [turn(IMAGE, IMAGE)],
            [b"x", None],
            "no_bytes",
            "image 2: the dataset holds a reference, not the bytes",
        ),
        ([turn(IMAGE)], [b""], "no_bytes", "image 1: the dataset holds a reference, not the bytes"),
    ],
)
def test_what_messages_and_images_lack_is_a_fault(messages, images, reason, detail):
    stored = images and [{"bytes": data, "path": "a.png"} for data in images]
    row = published({"id": "r", "messages": messages, "images": stored})
    assert row.fault is not None
    assert (row.fault.reason, row.fault.detail) == (reason, detail)
    assert reason in FAULTS
    assert row.turns == ()
    with pytest.raises(SchemaError, match=f"^row r: {detail}$"):
        row.whole()


def test_an_image_without_its_own_info_is_shown_without_any():
    row = published(
        {"messages": [turn(IMAGE)], "images": [{"bytes": b"x"}], "image_info": [{"url": "u"}, {}]}
    )
    assert row.whole().turns == (PublishedTurn("user", (PublishedImage(b"x", NO_INFO),)),)
    assert row.image_info == (ImageInfo(url="u"), ImageInfo())
