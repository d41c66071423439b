"""Every recipe for a published corpus, run on files in that corpus's own layout and names: what its comments
promise is where it looks.

The corpora are made here, field for field as they are published. Only two lines of a recipe are changed: the
CLIP, which would be fetched, is the packaged one (so its bound is lifted), and images on the web come from a
server on this machine.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import leaf_process as leaf
from hub_server import Hub
from images.videos import write_video
from ingest.reading import record
from making import build, rows
from PIL import Image
from serving import Answering, Serving

PIPELINES = Path(__file__).parent.parent.parent / "pipelines"
WORDS = [
    "take",
    "draw",
    "cut",
    "fold",
    "paint",
    "glue",
    "turn",
    "hold",
    "mark",
    "leave",
    "press",
    "lift",
    "place",
    "trace",
    "shade",
    "wipe",
    "stick",
    "bend",
    "roll",
    "the",
    "a",
    "one",
    "two",
    "both",
    "each",
    "every",
    "small",
    "large",
    "round",
    "square",
    "thin",
    "thick",
    "soft",
    "hard",
    "flat",
    "bright",
    "dark",
    "warm",
    "dry",
    "wet",
    "clean",
    "red",
    "green",
    "blue",
    "yellow",
    "purple",
    "orange",
    "white",
    "brown",
    "gray",
    "pencil",
    "brush",
    "paper",
    "ruler",
    "string",
    "card",
    "box",
    "lid",
    "leaf",
    "stone",
    "wheel",
    "house",
    "tree",
    "door",
    "roof",
    "window",
    "table",
    "lamp",
    "basket",
    "ladder",
    "bridge",
    "boat",
    "cloud",
    "river",
    "hill",
    "beside",
    "under",
    "over",
    "near",
    "behind",
    "between",
    "along",
    "around",
    "across",
    "before",
    "after",
    "until",
    "slowly",
    "gently",
    "twice",
    "again",
    "together",
    "apart",
]


def photo(seed: int) -> bytes:
    """An image with something on it, 240 x 180."""
    generator, buffer = np.random.default_rng(seed), io.BytesIO()
    small = Image.fromarray(generator.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    small.resize((240, 180), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def sentence(page: int, step: int) -> str:
    """Some twenty words that no other step says."""
    picked = random.Random(page * 1000 + step).sample(WORDS, 20)
    return f"Step {step + 1}: {' '.join(picked)}."


class Gallery(Serving):
    """Answers every address with an image of its own, /robots.txt with 404."""

    def __init__(self) -> None:
        super().__init__(_Image)


class _Image(Answering):
    def do_GET(self) -> None:
        found = self.path.endswith(".jpg")
        body = photo(zlib.crc32(self.path.encode())) if found else b""
        self.send(200 if found else 404, body, ("Content-Type", "image/jpeg" if found else "text/plain"))


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with Gallery() as server:
        yield server


def run(folder: Path, name: str, *changes: str, limit: int = 10, **variables: str) -> list[dict[str, Any]]:
    """`leaf build pipelines/<name>.yaml --limit 10` beside the folder's data/; the rows that it published."""
    (folder / "pipelines").mkdir()
    text = (PIPELINES / f"{name}.yaml").read_text(encoding="utf-8")
    assert "model: ViT-B/32" in text
    text = text.replace("min: 0.20, model: ViT-B/32", "min: -1, model: leaf:tiny-clip-1").replace(
        "ViT-B/32", "leaf:tiny-clip-1"
    )
    (folder / "pipelines" / f"{name}.yaml").write_text(text, encoding="utf-8")
    changes = ("filter.alignment.allow_toy=true", "workdir=..", *changes)
    if variables:  # which are read when libraries are imported
        words = [word for change in changes for word in ("--set", change)]
        done = leaf("build", f"pipelines/{name}.yaml", "--limit", str(limit), *words, cwd=folder, **variables)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    else:
        build(folder / "pipelines" / f"{name}.yaml", *changes, limit=limit)
    found = rows(folder / "runs" / f"{name}-limit{limit}" / "shard")
    assert found
    for row in found:
        shown = [part for turn in row["messages"] for part in turn["content"] if part["type"] == "image"]
        assert len(shown) == len(row["images"]) == len(row["image_info"])
    return found


def local(gallery: Gallery) -> str:
    return f"filter.images.fetch.allow_hosts=['127.0.0.1:{gallery.server_address[1]}']"


def mmc4_record(number: int, address: str) -> dict[str, Any]:
    sentences = [sentence(number, step) for step in range(6)]
    images = [
        {
            "image_name": f"{number:08x}{step:04x}.jpg",
            "raw_url": f"{address}/lesson-{number}/{step}.jpg",
            "matched_text_index": step,
            "matched_sim": 0.27694183588027954,
            "face_detections": None,
        }
        for step in (1, 4)
    ]
    return {
        "text_list": sentences,
        "url": f"{address}/lesson-{number}.html",
        "image_info": images,
        "similarity_matrix": [[0.25] * 6] * 2,
        "could_have_url_duplicate": 0,
    }


@pytest.mark.parametrize("suffix", ["_v3.jsonl", "_v2.jsonl.zip", "_v3.jsonl.gz"])
def test_mmc4(tmp_path, gallery, suffix):
    text = "".join(json.dumps(mmc4_record(number, gallery.url)) + "\n" for number in range(14))
    path = tmp_path / "data/mmc4" / f"docs_no_face_shard_0{suffix}"
    path.parent.mkdir(parents=True)
    if suffix.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.name.removesuffix(".zip"), text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    found = run(tmp_path, "mmc4", local(gallery))
    assert len(found) == 10
    assert all(row["license"] is None and len(row["images"]) == 2 for row in found)
    assert {info["url"].rpartition("/")[2] for row in found for info in row["image_info"]} == {
        "1.jpg",
        "4.jpg",
    }


def test_obelics(tmp_path, gallery):
    made = []
    for number in range(14):
        page = f"{gallery.url}/lesson-{number}.html"
        about = {
            "document_url": page,
            "unformatted_src": "2.jpg",
            "alt_text": f"a house {number}",
            "original_width": 240,
            "format": "jpg",
        }
        warc = {"filename": "crawl-data/x.warc.gz", "offset": 1, "length": 2}
        addresses = [f"{gallery.url}/lesson-{number}/{step}.jpg" for step in range(2)]
        made.append(
            {
                "images": [addresses[0], None, addresses[1], None],
                "metadata": json.dumps(
                    [{**about, "src": addresses[0]}, None, {**about, "src": addresses[1]}, None]
                ),
                "general_metadata": json.dumps({"url": page, "warc_filename": "x", "warc": warc}),
                "texts": [
                    None,
                    f"{sentence(number, 0)}\n\n{sentence(number, 1)}",
                    None,
                    f"{sentence(number, 2)}\n\n{sentence(number, 3)}",
                ],
            }
        )
    (tmp_path / "data/obelics").mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist(made), tmp_path / "data/obelics/train-00000-of-01335.parquet", row_group_size=4
    )
    found = run(tmp_path, "obelics", local(gallery))
    assert len(found) == 10
    assert {row["url"] for row in found} <= {f"{gallery.url}/lesson-{number}.html" for number in range(14)}
    assert all(len(row["images"]) == 2 for row in found)


@pytest.mark.parametrize("layout", ["html", "pdf"])
def test_mint1t(tmp_path, gallery, layout):
    """Pages with URLs in Parquet; documents of a tar, each with a TIFF of its images, without URLs."""
    (tmp_path / "data/mint1t").mkdir(parents=True)
    made, members = [], list[tuple[str, bytes]]()
    for number in range(14):
        steps = [f"{sentence(number, step)}\n\n{sentence(number, step + 1)}" for step in (0, 2)]
        texts = [None, steps[0], None, steps[1]]
        addresses = [f"{gallery.url}/lesson-{number}/{step}.jpg" for step in range(2)]
        names = ["page_1_image_7", "page_2_image_9"]
        images = addresses if layout == "html" else names
        row: dict[str, Any] = {"texts": texts, "images": [images[0], None, images[1], None]}
        made.append({**row, "url": f"{gallery.url}/lesson-{number}.html"})
        shots = [Image.open(io.BytesIO(photo(number * 100 + shot))) for shot in range(2)]
        tiff = io.BytesIO()
        shots[0].save(tiff, "TIFF", save_all=True, append_images=shots[1:])
        row["image_metadata"] = [{"page": 1, "xref": 7}, {"page": 2, "xref": 9}]
        members += [(f"{number}.json", json.dumps(row).encode()), (f"{number}.tiff", tiff.getvalue())]
    if layout == "html":
        pq.write_table(pa.Table.from_pylist(made), tmp_path / "data/mint1t/data_v1_1_00001.parquet")
    else:
        with tarfile.open(tmp_path / "data/mint1t/CC-MAIN-00000.tar", "w") as archive:
            for name, data in members:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    found = run(tmp_path, "mint1t", local(gallery))
    assert len(found) == 10
    assert all(len(row["images"]) == 2 for row in found)
    assert all(bool(info["url"]) == (layout == "html") for row in found for info in row["image_info"])


def test_common_crawl(tmp_path, gallery):
    def page(number: int) -> bytes:
        steps = "".join(
            f"<p>{sentence(number, step)}</p><img src='/lesson-{number}/{step}.jpg'>" for step in range(4)
        )
        return (
            "<html><head><title>t</title></head><body><main><h1>Lesson "
            f"{number}</h1>{steps}</main></body></html>"
        ).encode()

    (tmp_path / "data/warc").mkdir(parents=True)
    archive = b"".join(
        gzip.compress(record(f"{gallery.url}/lesson-{number}.html", page(number)), mtime=0)
        for number in range(14)
    )
    (tmp_path / "data/warc/CC-MAIN-20240220211055-20240221001055-00000.warc.gz").write_bytes(archive)
    assert len(run(tmp_path, "common-crawl", local(gallery))) == 10


def test_youcook2(tmp_path):
    database = {}
    folder = tmp_path / "data/youcook2/videos/training/113"
    folder.mkdir(parents=True)
    for number in range(3):
        name = f"GLd3aX16zB{number}"
        images = [Image.open(io.BytesIO(photo(number * 100 + shot))) for shot in range(6) for _ in range(4)]
        write_video(folder / f"{name}.mp4", images, rate=1)
        steps = [
            {"segment": [shot * 4, shot * 4 + 3], "id": shot, "sentence": sentence(number, shot)}
            for shot in range(6)
        ]
        database[name] = {
            "duration": 24.0,
            "subset": "training" if number else "validation",
            "recipe_type": "113",
            "annotations": steps,
            "video_url": f"https://www.youtube.com/watch?v={name}",
        }
    database["gone1234567"] = {
        **database["GLd3aX16zB1"],
        "video_url": "https://www.youtube.com/watch?v=gone1234567",
    }
    (tmp_path / "data/youcook2/youcookii_annotations_trainval.json").write_text(
        json.dumps({"database": database})
    )
    found = run(tmp_path, "youcook2")
    assert {row["url"] for row in found} == {
        "https://www.youtube.com/watch?v=GLd3aX16zB1",
        "https://www.youtube.com/watch?v=GLd3aX16zB2",
    }
    assert all(info["frame_time"] is not None for row in found for info in row["image_info"])


def test_vist(tmp_path):
    (tmp_path / "data/vist/images").mkdir(parents=True)
    images, annotations = [], []
    for story in range(4):
        for order in range(5):
            photo_id = f"{story}{order}21"
            (tmp_path / f"data/vist/images/{photo_id}.jpg").write_bytes(photo(story * 10 + order))
            images.append(
                {
                    "id": photo_id,
                    "album_id": str(story),
                    "url_o": f"https://farm1.staticflickr.com/{photo_id}.jpg",
                    "license": "4",
                }
            )
            reported = {
                "original_text": sentence(story, order),
                "text": sentence(story, order).lower(),
                "photo_flickr_id": photo_id,
            }
            place = {
                "story_id": str(story),
                "worker_arranged_photo_order": order,
                "album_id": str(story),
                "setting": "first-2-pick",
            }
            annotations.append(
                [{**reported, **place, "tier": "story-in-sequence", "photo_order_in_story": order}]
            )
    whole = {"images": images, "annotations": annotations, "albums": [], "info": {}, "type": "vist"}
    (tmp_path / "data/vist/train.story-in-sequence.json").write_text(json.dumps(whole))
    found = run(tmp_path, "vist")
    assert len(found) == 4
    assert all(len(row["images"]) == 5 for row in found)


def test_own_videos(tmp_path):
    (tmp_path / "data/videos").mkdir(parents=True)
    for number in range(2):
        images = [Image.open(io.BytesIO(photo(number * 100 + shot))) for shot in range(5) for _ in range(5)]
        write_video(tmp_path / f"data/videos/{number}.mp4", images, rate=1)
        cues = [
            f"00:00:{shot * 5:02d}.000 --> 00:00:{shot * 5 + 4:02d}.500\n{sentence(number, shot)}\n"
            for shot in range(5)
        ]
        (tmp_path / f"data/videos/{number}.en.vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    found = run(tmp_path, "own-videos")
    assert Counter(row["license"] for row in found) == {"CC-BY-4.0": 2}


def test_interleavedbench(tmp_path):
    folder = tmp_path / "data/interleavedbench/images/wiki_images_test"
    folder.mkdir(parents=True)
    made = []
    for number in range(4):
        names = [f"wiki_images_test/{number}_0_{index}.png" for index in range(3)]
        for index in range(3):
            (folder / f"{number}_0_{index}.png").write_bytes(photo(number * 10 + index))
        message = [
            {"from": "human", "value": f"<image> {sentence(number, 0)} What comes next?"},
            {"from": "gpt", "value": f"{sentence(number, 1)} <image> {sentence(number, 2)} <image>"},
        ]
        made.append(
            {
                "id": f"wikihow_next_step_0_{number}",
                "image": names,
                "task_name": "wikihow_next_step",
                "conversations": message,
            }
        )
    (tmp_path / "data/interleavedbench/interleaved_bench.json").write_text(json.dumps(made))
    found = run(tmp_path, "interleavedbench")
    assert len(found) == 4
    assert {row["task"] for row in found} == {"conversation"}
    assert [part["type"] for part in found[0]["messages"][1]["content"]] == ["text", "image", "text", "image"]


def test_hub(tmp_path):
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    part = pa.struct([("index", pa.int64()), ("text", pa.string()), ("type", pa.string())])
    schema = pa.schema(
        [
            ("messages", pa.list_(pa.struct([("content", pa.list_(part)), ("role", pa.string())]))),
            ("images", pa.list_(image)),
        ]
    )
    made = [
        {
            "messages": [
                {
                    "role": "user",
                    "content": [text(sentence(number, 0)), {"index": 0, "text": None, "type": "image"}],
                },
                {"role": "assistant", "content": [text(sentence(number, 1))]},
            ],
            "images": [{"bytes": photo(number), "path": None}],
        }
        for number in range(12)
    ]
    content = [{"index": value("int64"), "text": value("string"), "type": value("string")}]
    features = {
        "messages": [{"content": content, "role": value("string")}],
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
    }
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(made, schema=schema), buffer)
    with Hub("HuggingFaceH4/llava-instruct-mix-vsft", buffer.getvalue()) as server:
        found = run(tmp_path, "hub", **server.variables(tmp_path / "home"))
    assert len(found) == 10
    assert all([turn["role"] for turn in row["messages"]] == ["user", "assistant"] for row in found)
    assert {item["bytes"] for row in found for item in row["images"]} == {
        photo(number) for number in range(10)
    }


def text(message: str) -> dict[str, Any]:
    return {"index": None, "text": message, "type": "text"}


def value(kind: str) -> dict[str, str]:
    return {"dtype": kind, "_type": "Value"}
