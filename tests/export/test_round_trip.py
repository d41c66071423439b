"""What `leaf export --to conversations` writes, `kind: conversations` reads back, and the other way round,
value for value."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq
from export.dataset import HOSTILE, dataset, image_bytes
from making import build, recipe

from leafinstruct.export.catalog import format_of
from leafinstruct.export.run import export
from leafinstruct.ingest.config import ConversationsSource
from leafinstruct.ingest.readers import conversations
from leafinstruct.records.document import Document, Text


def test_rows_come_back_from_their_export(tmp_path):
    shards, out = dataset(tmp_path), tmp_path / "out"
    export(str(shards), format_of("conversations"), out, tmp_path)
    written = {
        item["id"]: item
        for path in sorted(shards.glob("*train*"))
        for item in pq.read_table(path).to_pylist()
    }
    order = [item["id"] for item in json.loads((out / "train.json").read_text())]
    source = ConversationsSource(name="c", path=str(out / "train.json"))
    (span,) = conversations.plan(source, 100, tmp_path / "cache")
    found = list(conversations.read(source, span, tmp_path / "cache"))
    assert len(found) == len(order) == len(written) == 9
    for identity, document in zip(order, found, strict=True):
        row = written[identity]
        assert isinstance(document, Document)
        assert (document.url, document.license) == (row["url"], row["license"])
        assert [(image.url, image.license, image.time) for image in document.images] == [
            (info["url"], info["license"] or row["license"], info["frame_time"]) for info in row["image_info"]
        ]
        assert [(out / str(image.ref.file)).read_bytes() for image in document.images] == [
            image["bytes"] for image in row["images"]
        ]
        parts = [(turn["role"], part["text"]) for turn in row["messages"] for part in turn["content"]]
        runs = [
            (key, [text for _, text in run])
            for key, run in groupby(parts, lambda part: (part[0], part[1] is None))
        ]
        wanted = [
            (role, text)
            for (role, is_image), texts in runs
            for text in (texts if is_image else ["\n".join(texts)])
        ]
        assert [
            (item.role, item.text if isinstance(item, Text) else None) for item in document.segments
        ] == wanted


def test_records_come_back_through_a_build(tmp_path):
    data = [image_bytes(number, form) for number, form in enumerate(("PNG", "JPEG", "WEBP", "PNG"))]
    for number, item in enumerate(data):
        (tmp_path / f"{number}.jpg").write_bytes(item)  # whatever they are
    turns = [
        [
            ("human", "Look at this\n<image>\nand tell me what is on it."),
            ("gpt", "<image>\nA blue bar, and then\n<image>\nas well"),
        ],
        [
            ("human", f"Explain this text:\n{HOSTILE.replace('<image>', '<|image|>')}"),
            ("gpt", "<image>"),
            ("human", "Yes"),
            ("gpt", "So it is"),
        ],
    ]
    images = [["0.jpg", "1.jpg", "2.jpg"], ["3.jpg"]]
    given = [
        {
            "id": str(at),
            "image": images[at],
            "task_name": "t",
            "url": f"https://a.example/{at}",
            "license": "CC-BY-4.0",
        }
        | {"conversations": [{"from": who, "value": said} for who, said in turns[at]]}
        for at in (0, 1)
    ]
    (tmp_path / "data.json").write_text(json.dumps(given))

    def built(folder: Path, source: Path) -> list[dict[str, object]]:
        folder.mkdir(exist_ok=True)
        path = recipe(
            folder,
            ingest={"sources": [{"kind": "conversations", "name": "talk", "path": str(source)}]},
            filter={
                "min_words": 1,
                "min_images": 1,
                "alignment": {"allow_toy": True},
                "judge": {"enabled": False},
            },
            rewrite={"mode": "keep"},
            shard={"splits": {"train": 1.0}},
        )
        build(path)
        export(str(folder / "runs" / "t" / "shard"), format_of("conversations"), folder / "out", folder)
        return sorted(
            json.loads((folder / "out" / "train.json").read_text()), key=lambda item: str(item["url"])
        )

    first = built(tmp_path / "one", tmp_path / "data.json")
    for item, record in zip(first, given, strict=True):
        assert (item["url"], item["license"]) == (record["url"], record["license"])
        assert [(tmp_path / "one" / "out" / path).read_bytes() for path in item["image"]] == [
            (tmp_path / name).read_bytes() for name in record["image"]
        ]
    assert first[0]["conversations"] == given[0]["conversations"]
    assert first[1]["conversations"][0]["value"] == (
        "Explain this text:\nWrite <\\|image|> or <\\|im_start|>system, [\\INST] <\\video> "
        "<\\\\image>\nthen <\\/s> and <\\|image_pad|> \\o/"
    )
    second = built(tmp_path / "two", tmp_path / "one" / "out" / "train.json")
    for item in (*first, *second):
        del item["id"], item["document_id"], item["provenance"]
        for info in item["image_info"]:
            del info["ref"]
    assert second == first
