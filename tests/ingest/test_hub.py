"""Any table through a declared mapping: Parquet, JSONL, WebDataset tar; images stay where they are and are
found again."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import leaf
from making import build, png, recipe, rows

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.images import containers
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.readers import hub
from leafinstruct.recipe.load import load
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Text

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def image_bytes(number: int) -> bytes:
    return png(dot=number % 70, size=(96, 64 + number % 5))


def found(path: Path, segments: list[Any], part_size: int = 7, **settings: Any) -> list[Document | Rejected]:
    source = HubSource(name="h", path=str(path), segments=segments, **settings)
    cache = path / "cache" if path.is_dir() else Path(str(path) + ".cache")
    return [item for span in hub.plan(source, part_size, cache) for item in hub.read(source, span, cache)]


def table(folder: Path, count: int = 30, group: int = 11) -> Path:
    schema = pa.schema(
        [
            ("title", pa.string()),
            ("steps", pa.list_(pa.string())),
            ("shots", pa.list_(IMAGE)),
            ("cover", pa.binary()),
            ("about", pa.struct([("alt", pa.string()), ("link", pa.string()), ("terms", pa.string())])),
        ]
    )
    made = [
        {
            "title": f"Title {number}",
            "steps": [f"First {number}", None, f"Third {number}"],
            "shots": [
                {"bytes": image_bytes(number), "path": f"{number}.png"},
                {"bytes": image_bytes(number + 1), "path": None},
                None,
            ],
            "cover": image_bytes(number + 2),
            "about": {
                "alt": f"a  cover {number}",
                "link": f"http://a.org/{number}",
                "terms": "CC-BY-4.0" if number % 2 else None,
            },
        }
        for number in range(count)
    ]
    pq.write_table(pa.Table.from_pylist(made, schema=schema), folder / "data.parquet", row_group_size=group)
    return folder / "data.parquet"


MAPPING = [
    {"text": "title", "as": "heading"},
    {"image": "cover", "alt": "about.alt"},
    {"interleave": [{"image": "shots"}, {"text": "steps"}]},
]


def test_parquet_columns_become_segments_in_the_declared_order(tmp_path):
    pages = found(
        table(tmp_path), MAPPING, url_column="about.link", license_column="about.terms", license="CC0-1.0"
    )
    assert len(pages) == 30
    page = pages[13]
    assert page.segments == (
        Text(0, "Title 13", "heading"),
        ImageRef(
            1, Ref(file="data.parquet", member="row=13,column=cover"), "a cover 13", license="CC-BY-4.0"
        ),
        ImageRef(
            2,
            Ref(file="data.parquet", member="row=13,column=shots,item=0"),
            license="CC-BY-4.0",
            owner=3,
            owner_found="stated",
        ),
        Text(3, "First 13"),
        ImageRef(4, Ref(file="data.parquet", member="row=13,column=shots,item=1"), license="CC-BY-4.0"),
        Text(5, "Third 13"),
    )
    assert (page.url, page.license, page.provenance.locator) == ("http://a.org/13", "CC-BY-4.0", "row=13")
    assert pages[14].license == "CC0-1.0"


def test_the_bytes_of_every_cell_are_found_again_in_any_order(tmp_path):
    pages = found(table(tmp_path), MAPPING)
    order = [*range(30), 5, 29, 0, 11, 10]
    for number in order:
        data = [fetch(image.ref, tmp_path) for image in pages[number].images]
        assert data == [image_bytes(number + 2), image_bytes(number), image_bytes(number + 1)]


def test_one_pass_over_the_cells_decodes_the_column_once(tmp_path, monkeypatch):
    path = table(tmp_path, 60, 60)
    opened: list[int] = []
    whole = containers._Cursor.__init__

    def counted(self, *arguments):
        opened.append(1)
        whole(self, *arguments)

    monkeypatch.setattr(containers._Cursor, "__init__", counted)
    containers._cursor.cache_clear()
    assert all(isinstance(containers.cell(path, f"row={row},column=cover"), bytes) for row in range(60))
    assert len(opened) == 1


def test_images_of_a_struct_are_not_read_when_ingesting(tmp_path):
    from leafinstruct.ingest.tables import parquet

    path = table(tmp_path, 4)
    ((_, row), *_) = parquet.rows(path, 0, 1, ["shots"])
    assert row == {"shots": [{"path": "0.png"}, {"path": None}, None]}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("row=99,column=cover", "missing_cell"),
        ("row=0,column=nothing", "missing_cell"),
        ("row=0,column=shots,item=9", "missing_cell"),
        ("row=0,column=cover,item=0", "missing_cell"),
        ("row=0,column=shots,item=2", "not_an_image_value"),
        ("row=0,column=title", "not_an_image_value"),
        ("nonsense", "missing_cell"),
    ],
)
def test_cells_that_hold_no_image(tmp_path, member, reason):
    table(tmp_path, 2)
    assert fetch(Ref(file="data.parquet", member=member), tmp_path).reason == reason


def test_a_misspelt_column_stops_the_build_with_the_nearest_name(tmp_path):
    with pytest.raises(RecipeError, match="no column 'titel'; did you mean 'title'"):
        found(table(tmp_path), [{"text": "titel"}])


def test_jsonl_names_and_addresses(tmp_path):
    lines = [
        {"t": "One.\n\nTwo.", "i": ["a/b.png", "http://x.org/c.png", {"path": "d.png"}]},
        {"t": 7, "i": ["../up.png"]},
        {"t": None, "i": None},
        {"other": 1, "t": "Only text"},
        {"t": "said\n\nwhole", "i": 5},
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nnonsense\n")
    items = found(tmp_path / "d.jsonl", [{"text": "t"}, {"image": "i"}])
    assert items[0].segments == (
        Text(0, "One."),
        Text(1, "Two."),
        ImageRef(2, Ref(file="a/b.png")),
        ImageRef(3, Ref(url="http://x.org/c.png"), url="http://x.org/c.png"),
        ImageRef(4, Ref(file="d.png")),
    )
    assert [(item.reason, item.whole) for item in items if isinstance(item, Rejected)] == [
        ("empty", True),
        ("not_text", False),
        ("unsafe_path", False),
        ("empty", True),
        ("bad_reference", False),
        ("broken_json", True),
    ]


def test_a_text_with_a_role_stays_whole(tmp_path):
    (tmp_path / "d.jsonl").write_text(json.dumps({"q": "a\n\nb", "a": "c"}))
    (page,) = found(tmp_path / "d.jsonl", [{"text": "q", "role": "user"}, {"text": "a", "role": "assistant"}])
    assert [(item.text, item.role) for item in page.texts] == [("a\n\nb", "user"), ("c", "assistant")]


def test_a_conversation_column_takes_its_images_from_another(tmp_path):
    turns = [{"role": "user", "content": "<image> q"}, {"role": "assistant", "content": "a <image>"}]
    (tmp_path / "d.jsonl").write_text(
        "\n".join(json.dumps({"m": turns, "i": names}) for names in (["a.png", "b.png"], ["a.png"]))
    )
    page, lost = found(tmp_path / "d.jsonl", [{"conversation": "m", "images": "i"}])
    assert [item.ref.file if isinstance(item, ImageRef) else item.text for item in page.segments] == [
        "a.png",
        "q",
        "a",
        "b.png",
    ]
    assert [item.role for item in page.segments] == ["user", "user", "assistant", "assistant"]
    assert lost.reason == "too_few_images"


def tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as out:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def samples(count: int = 9) -> list[tuple[str, bytes]]:
    members = []
    for number in range(count):
        members += [
            (f"d/{number:03d}.png", image_bytes(number)),
            (f"d/{number:03d}.txt", f"text {number}".encode()),
            (f"d/{number:03d}.json", json.dumps({"by": {"url": f"http://a.org/{number}"}}).encode()),
        ]
    return members


def test_webdataset_members_are_ranges_of_the_tar(tmp_path):
    path = tar(tmp_path / "a.tar", samples())
    pages = found(path, [{"text": "txt"}, {"image": "png"}], part_size=4, url_column="json.by.url")
    assert [page.provenance.locator for page in pages] == [f"key=d/{number:03d}" for number in range(9)]
    for number, page in enumerate(pages):
        assert page.texts[0].text == f"text {number}"
        assert page.url == f"http://a.org/{number}"
        assert fetch(page.images[0].ref, tmp_path) == image_bytes(number)


def test_tars_that_are_odd_or_cut(tmp_path):
    path = tar(
        tmp_path / "a.tar",
        [*samples(2), ("d/002.png", image_bytes(2)), ("d/002.txt", b"\xff\xfe broken"), ("README", b"x")],
    )
    with tarfile.open(path, "a") as out:
        link = tarfile.TarInfo("d/003.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    mapping = [{"text": "txt"}, {"image": "png"}]
    assert [item.reason if isinstance(item, Rejected) else "kept" for item in found(path, mapping)] == [
        "kept",
        "kept",
        "not_utf8",
    ]
    data = tar(tmp_path / "b.tar", samples(4)).read_bytes()
    (tmp_path / "b.tar").write_bytes(data[:4000])
    assert found(tmp_path / "b.tar", mapping)[-1].reason == "truncated"
    (tmp_path / "c.tar").write_bytes(b"no tar" * 1000)
    assert [item.reason for item in found(tmp_path / "c.tar", mapping)] == ["not_a_tar"]


def test_broken_parquet_is_a_reason_and_no_files_is_a_wrong_recipe(tmp_path):
    data = table(tmp_path).read_bytes()
    (tmp_path / "data.parquet").write_bytes(data[:-9])
    assert [item.reason for item in found(tmp_path / "data.parquet", MAPPING)] == ["truncated"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no"):
        found(tmp_path / "empty", MAPPING)


def test_a_build_from_parquet_ends_in_rows_with_the_very_bytes(tmp_path):
    table(tmp_path, 6)
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "hub", "name": "own", "path": "data.parquet", "segments": MAPPING}]},
        filter={"min_words": 2, "alignment": {"allow_toy": True}, "judge": {"enabled": False}},
    )
    build(path)
    published = rows(tmp_path / "runs" / "t" / "shard")
    assert len(published) == 6
    known = {image_bytes(number) for number in range(9)}
    assert all(item["bytes"] in known for row in published for item in row["images"])
    assert all(info["ref"].startswith("data.parquet!row=") for row in published for info in row["image_info"])
    assert all(outcome.up_to_date for outcome in build(path))


PATH_ONLY = pa.list_(pa.struct([("bytes", pa.null()), ("path", pa.string())]))


@pytest.mark.parametrize("kind", [PATH_ONLY, pa.list_(IMAGE)], ids=["no type", "no bytes"])
def test_structs_without_bytes_are_their_paths(tmp_path, kind):
    """How Mantis-Instruct is published: images in a zip beside the table, only their names in it."""
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots/1.png").write_bytes(image_bytes(1))
    made = {
        "images": pa.array(
            [[{"bytes": None, "path": "shots/1.png"}, {"bytes": None, "path": "http://a.org/2.png"}]], kind
        ),
        "conversation": pa.array(
            [[{"role": "user", "content": "<image> and <image>?"}, {"role": "assistant", "content": "Two."}]]
        ),
    }
    pq.write_table(pa.table(made), tmp_path / "train.parquet")
    (page,) = found(tmp_path / "train.parquet", [{"conversation": "conversation", "images": "images"}])
    assert [image.ref for image in page.images] == [Ref(file="shots/1.png"), Ref(url="http://a.org/2.png")]
    assert fetch(page.images[0].ref, tmp_path) == image_bytes(1)


def test_dots_lead_through_lists_of_structs(tmp_path):
    step = pa.struct([("text", pa.string()), ("shot", IMAGE)])
    made = [
        [
            {
                "text": f"Step {index}",
                "shot": {"bytes": image_bytes(index), "path": None} if index != 1 else None,
            }
            for index in range(3)
        ]
    ] * 9
    pq.write_table(pa.table({"steps": pa.array(made, pa.list_(step))}), tmp_path / "a.parquet")
    pages = found(tmp_path / "a.parquet", [{"interleave": [{"image": "steps.shot"}, {"text": "steps.text"}]}])
    assert len(pages) == 9
    for page in pages:
        assert [segment.text if isinstance(segment, Text) else "image" for segment in page.segments] == [
            "image",
            "Step 0",
            "Step 1",
            "image",
            "Step 2",
        ]
        assert [fetch(image.ref, tmp_path) for image in page.images] == [image_bytes(0), image_bytes(2)]


def test_questions_and_answers_in_structs_are_a_conversation(tmp_path):
    """How The Cauldron is published."""
    texts = [
        [
            {"user": "What?", "assistant": "A bar.", "source": "s"},
            {"user": "And?", "assistant": "No more.", "source": "s"},
        ]
    ]
    made = {
        "images": pa.array([[{"bytes": image_bytes(3), "path": None}]], pa.list_(IMAGE)),
        "texts": pa.array(texts),
    }
    pq.write_table(pa.table(made), tmp_path / "a.parquet")
    columns = {
        "interleave": [
            {"text": "texts.user", "role": "user"},
            {"text": "texts.assistant", "role": "assistant"},
        ]
    }
    (page,) = found(tmp_path / "a.parquet", [{"image": "images"}, columns])
    assert [(text.role, text.text) for text in page.texts] == [
        ("user", "What?"),
        ("assistant", "A bar."),
        ("user", "And?"),
        ("assistant", "No more."),
    ]


def turns(*parts: dict[str, Any]) -> pa.Array:
    """A column of one conversation, each part a turn of the user, and an answer."""
    blank = {"type": "text", "text": None, "index": None, "image": None}
    messages = [{"role": "user", "content": [{**blank, **part}]} for part in parts]
    return pa.array([[*messages, {"role": "assistant", "content": [{**blank, "text": "Yes."}]}]])


def test_a_part_with_an_index_gets_that_image(tmp_path):
    images = pa.array(
        [[{"bytes": image_bytes(number), "path": None} for number in range(2)]], pa.list_(IMAGE)
    )
    messages = turns({"type": "image", "index": 1}, {"type": "image", "index": 0})
    pq.write_table(pa.table({"messages": messages, "images": images}), tmp_path / "a.parquet")
    (page,) = found(tmp_path / "a.parquet", [{"conversation": "messages", "images": "images"}])
    assert [image.ref.member for image in page.images] == [
        "row=0,column=images,item=1",
        "row=0,column=images,item=0",
    ]


@pytest.mark.parametrize(("indexes", "reason"), [((0, 2), "too_few_images"), ((1, 1), "too_many_images")])
def test_a_part_that_names_no_image_or_leaves_one_out_loses_the_record(tmp_path, indexes, reason):
    images = pa.array(
        [[{"bytes": image_bytes(number), "path": None} for number in range(2)]], pa.list_(IMAGE)
    )
    messages = turns(*({"type": "image", "index": index} for index in indexes))
    pq.write_table(pa.table({"messages": messages, "images": images}), tmp_path / "a.parquet")
    (item,) = found(tmp_path / "a.parquet", [{"conversation": "messages", "images": "images"}])
    assert item.reason == reason


def test_turns_may_be_written_as_json(tmp_path):
    turns = [{"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "A bar."}]
    made = {"turns": [json.dumps(turns), "[" * 100_000], "cover": [image_bytes(1), image_bytes(2)]}
    pq.write_table(pa.table(made), tmp_path / "a.parquet")
    page, lost = found(tmp_path / "a.parquet", [{"conversation": "turns", "images": "cover"}])
    assert [text.text for text in page.texts] == ["What?", "A bar."]
    assert (lost.locator, lost.reason) == ("row=1", "bad_turns")


def test_facts_about_an_image_are_in_columns_beside_it(tmp_path):
    facts = [
        {
            "url": "http://a.org/0.png",
            "license": "https://creativecommons.org/licenses/by/4.0/",
            "time": 2.5,
            "alt": " a  bar ",
        },
        {"url": "ftp://a.org/1.png", "license": None, "time": -1.0, "alt": None},
    ]
    made = {
        "shots": pa.array(
            [[{"bytes": image_bytes(number), "path": None} for number in range(2)]], pa.list_(IMAGE)
        ),
        "info": pa.array([facts]),
        "terms": pa.array(["CC0-1.0"]),
    }
    pq.write_table(pa.table(made), tmp_path / "a.parquet")
    columns = {"image": "shots", **{key: f"info.{key}" for key in ("url", "license", "time", "alt")}}
    (page,) = found(tmp_path / "a.parquet", [columns], license_column="terms")
    assert [(image.url, image.license, image.time, image.alt) for image in page.images] == [
        ("http://a.org/0.png", "CC-BY-4.0", 2.5, "a bar"),
        (None, "CC0-1.0", None, ""),
    ]


def test_a_name_that_no_struct_has_is_reported_with_its_neighbor(tmp_path):
    with pytest.raises(RecipeError, match=r"no column 'about\.lnk'; did you mean 'about\.link'"):
        found(table(tmp_path), [{"text": "title"}], url_column="about.lnk")


def test_a_file_that_lacks_a_column_of_the_others_is_a_reason(tmp_path):
    table(tmp_path, 3)
    pq.write_table(pa.table({"titel": ["x"] * 40}), tmp_path / "other.parquet")
    items = found(tmp_path, [{"text": "title"}])
    assert [item.reason if isinstance(item, Rejected) else "kept" for item in items] == [
        "kept",
        "kept",
        "kept",
        "missing_columns",
    ]
    assert (items[-1].file, items[-1].detail) == ("other.parquet", "no column title; the file has titel")


def test_one_row_that_has_no_value_is_lost_alone(tmp_path):
    wrong = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    texts = pa.concat_arrays([pa.array(["a", "b"]), wrong, pa.array(["d", "e"])])
    days = pa.array([0, 1, 2, 1 << 61, 4], pa.timestamp("us"))
    pq.write_table(pa.table({"t": texts, "day": days}), tmp_path / "a.parquet")
    items = found(tmp_path / "a.parquet", [{"text": "t"}, {"text": "day"}], part_size=4)
    whole = [
        (item.locator, item.reason) if isinstance(item, Rejected) else item.provenance.locator
        for item in items
    ]
    kept = [item for item in whole if isinstance(item, str)]
    assert kept == ["row=0", "row=1", "row=4"]
    assert [item for item in whole if item[1] in ("not_utf8", "bad_value")] == [
        ("row=2", "not_utf8"),
        ("row=3", "bad_value"),
    ]


PUBLISHED = {
    "conversation": "messages",
    "images": "images",
    "url": "image_info.url",
    "license": "image_info.license",
    "time": "image_info.frame_time",
}


def test_published_rows_are_read_back_without_loss(tmp_path):
    columns = {"image": "shots", "url": "links", "time": "times"}
    made = [
        {
            "title": f"How to draw bar {number}",
            "steps": [
                f"Take a sheet of paper number {number} and a pencil.",
                "  Code:\n    draw(bar)  ",
                "Say <image> and be done.",
            ],
            "shots": [
                {"bytes": image_bytes(number), "path": None},
                {"bytes": image_bytes(number + 20), "path": None},
            ],
            "links": [f"http://a.org/{number}.png", None],
            "times": [None, 1.5],
            "terms": "CC-BY-4.0" if number % 2 else "CC0-1.0",
            "link": f"http://a.org/{number}",
        }
        for number in range(8)
    ]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("title", "terms", "link")),
            *((name, pa.list_(pa.string())) for name in ("steps", "links")),
            ("shots", pa.list_(IMAGE)),
            ("times", pa.list_(pa.float64())),
        ]
    )
    pq.write_table(pa.Table.from_pylist(made, schema=schema), tmp_path / "data.parquet")
    lax = {"min_words": 2, "min_images": 1, "alignment": {"allow_toy": True}, "judge": {"enabled": False}}
    segments = [{"text": "title", "as": "heading"}, {"interleave": [{"text": "steps"}, columns]}]
    first = {
        "kind": "hub",
        "name": "own",
        "path": "data.parquet",
        "segments": segments,
        "url_column": "link",
        "license_column": "terms",
    }
    build(recipe(tmp_path, ingest={"sources": [first]}, filter=lax))
    second = {
        "kind": "hub",
        "name": "again",
        "path": "runs/t/shard/*.parquet",
        "segments": [PUBLISHED],
        "url_column": "url",
    }
    again = {"sources": [{**second, "license_column": "license"}]}
    build(recipe(tmp_path, name="u", ingest=again, filter=lax, rewrite={"mode": "keep"}))

    def reasons(run: str) -> list[Any]:
        kept = ("sha256", "url", "license", "frame_time", "width", "height")
        return sorted(
            json.dumps(
                [
                    row["messages"],
                    [[info[key] for key in kept] for info in row["image_info"]],
                    row["url"],
                    row["license"],
                ]
            )
            for row in rows(tmp_path / "runs" / run / "shard")
        )

    assert len(reasons("t")) == 8
    assert reasons("u") == reasons("t")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.arrow", "Dataset.from_file('a.arrow').to_parquet('a.arrow.parquet')"),
        ("a.jsonl.zst", "run `zstd -d` on it"),
        ("a.parquet.gz", "run `gunzip` on it"),
        ("a.tar.gz", "run `gunzip` on it"),
        ("a.7z", "unpack it, or convert it to one of these"),
    ],
)
def test_a_format_that_nobody_reads_is_one_line_with_the_hint(tmp_path, name, hint):
    (tmp_path / name).write_bytes(b"t,i\nx,y\n" * 9)
    for path in (tmp_path / name, tmp_path / "a.*"):
        with pytest.raises(SourceError, match=re.escape(hint)):
            found(path, [{"text": "t"}])


def test_a_packed_file_in_a_folder_is_reported_unless_it_is_there_unpacked(tmp_path):
    for name in ("a.jsonl", "a.jsonl.zst", "notes.csv"):
        (tmp_path / name).write_text('{"t": "Fold it."}\n')
    assert len(found(tmp_path, [{"text": "t"}])) == 1
    (tmp_path / "b.jsonl.zst").write_bytes(b"")
    with pytest.raises(
        SourceError, match=r"b\.jsonl\.zst: this source reads .* run `zstd -d` on it, and move this one away"
    ):
        found(tmp_path, [{"text": "t"}])


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "d.jsonl"


def described(page: Document) -> list[str]:
    """A line a segment: a text, or the file of an image and the text that owns it, if that is stated."""
    texts = {text.position: text.text for text in page.texts}
    assert all((image.owner is None) == (image.owner_found == "unknown") for image in page.images)
    return [
        segment.text
        if isinstance(segment, Text)
        else f"<{segment.ref.file or segment.ref.member}> of {texts.get(segment.owner)}"
        for segment in page.segments
    ]


ZEBRA = {
    "<image_start>[problem_image_{n}]<image_end>": "problem_image_{n}",
    "<image_start>[reasoning_image_{n}]<image_end>": "reasoning_image_{n}",
}
TRACE = [
    {"text": "Question", "placeholders": ZEBRA},
    {"text": "Text Reasoning Trace", "placeholders": ZEBRA},
    {"text": "Final Answer"},
]


def zebra(images: dict[str, Any]) -> dict[str, Any]:
    """A row as Zebra-CoT has them, its images as given."""
    return {
        "Question": "Where does the ball land? <image_start>[problem_image_1]<image_end>",
        "Text Reasoning Trace": "THOUGHT 0: The ramp ends here.\n\n<image_start>[reasoning_image_2]<image_end>\n\nTHOUGHT 1: "  # noqa: E501
        "So it falls, "
        "<image_start>[reasoning_image_1]<image_end> as <image_start>[reasoning_image_2]<image_end> shows.",
        "Final Answer": "In the cup.",
        **images,
    }


def test_numbered_columns_are_placed_at_their_placeholders(tmp_path):
    images = {
        "problem_image_1": "p1.png",
        "reasoning_image_1": "r1.png",
        "reasoning_image_2": "r2.png",
        "reasoning_image_3": None,
    }
    (page,) = found(lines(tmp_path, zebra(images)), TRACE)
    assert described(page) == [
        "Where does the ball land?",
        "<p1.png> of Where does the ball land?",
        "THOUGHT 0: The ramp ends here.",
        "<r2.png> of THOUGHT 0: The ramp ends here.",
        "THOUGHT 1: So it falls,",
        "<r1.png> of THOUGHT 1: So it falls,",
        # placed already: a further mention stays text
        "as <image_start>[reasoning_image_2]<image_end> shows.",
        "In the cup.",
    ]


def test_the_tags_around_a_placeholder_go_with_it_also_where_the_pattern_is_without_them(tmp_path):
    short = {"[problem_image_{n}]": "problem_image_{n}", "[reasoning_image_{n}]": "reasoning_image_{n}"}
    images = {"problem_image_1": "p1.png", "reasoning_image_1": "r1.png", "reasoning_image_2": "r2.png"}
    path = lines(tmp_path, zebra(images))
    (page,) = found(
        path, [{**entry, "placeholders": short} if "placeholders" in entry else entry for entry in TRACE]
    )
    (same,) = found(path, TRACE)
    assert page.segments == same.segments


def test_numbered_columns_of_parquet_are_read_and_their_bytes_found_again(tmp_path):
    images = {
        name: {"bytes": image_bytes(number), "path": None}
        for number, name in enumerate(("problem_image_1", "reasoning_image_1"))
    }
    second = {**zebra({**images, "reasoning_image_2": {"bytes": image_bytes(2), "path": None}}), "other": "x"}
    made = pa.Table.from_pylist(
        [second], schema=pa.schema([(name, IMAGE if "image" in name else pa.string()) for name in second])
    )
    pq.write_table(made, tmp_path / "a.parquet")
    (page,) = found(tmp_path / "a.parquet", TRACE)
    assert [image.ref.member for image in page.images] == [
        f"row=0,column={name}_image_{n}" for name, n in (("problem", 1), ("reasoning", 2), ("reasoning", 1))
    ]
    assert [fetch(image.ref, tmp_path) for image in page.images] == [
        image_bytes(number) for number in (0, 2, 1)
    ]


def test_a_numbered_name_that_no_file_has_stops_the_build(tmp_path):
    wrong = [{"text": "title", "placeholders": {"[image_{n}]": "image_{n}"}}]
    with pytest.raises(RecipeError, match=r"no column 'image_\{n\}'"):
        found(table(tmp_path), wrong)
    with pytest.raises(RecipeError, match="no column 'shost'; did you mean 'shots'"):
        found(table(tmp_path), [{"text": "title", "placeholders": {"[image_{n}]": "shost"}}])


@pytest.mark.parametrize(
    ("text", "placeholders", "wanted"),
    [
        (
            "Draw Image #2, then Image #1.",
            {"Image #{n}": "i"},
            ["Draw", "<b> of Draw", ", then", "<a> of , then", "."],
        ),
        ("a <|image_1|> b", {"<|image_{n}|>": "i"}, ["a", "<a> of a", "b"]),
        ("a <|image_0|> b", {"<|image_{n}|>": {"image": "i", "from": 0}}, ["a", "<a> of a", "b"]),
        (
            "<image>\nFirst. <image> Second.",
            {"<image>": "i"},
            ["<a> of First.", "First.", "<b> of First.", "Second."],
        ),
        ("see [cover] here", {"[cover]": "c"}, ["see", "<c> of see", "here"]),
        ("a <img><1></img> b", {"<{n}>": "i"}, ["a", "<a> of a", "b"]),
        ("Image #1 is Image #1", {"Image #{n}": "i"}, ["<a> of is Image #1", "is Image #1"]),
        ("<image_2><image_1>", {"<image_{n}>": "i"}, ["<b> of None", "<a> of None"]),
        ("One.\n\nTwo. [1]\n\nThree.", {"[{n}]": "i"}, ["One.", "Two.", "<a> of Two.", "Three."]),
    ],
)
def test_forms_of_placeholders(tmp_path, text, placeholders, wanted):
    pages = found(
        lines(tmp_path, {"t": text, "i": ["a", "b"], "c": "c"}), [{"text": "t", "placeholders": placeholders}]
    )
    assert described(pages[0]) == wanted


@pytest.mark.parametrize("text", ["Image #12 and MyImage #1", "Image #1b", "image #1", "Image 1", "[image_1"])
def test_what_only_begins_like_a_placeholder_is_text(tmp_path, text):
    page, *_ = found(
        lines(tmp_path, {"t": text.replace("Image #12", "Image #1x"), "i": ["a"]}),
        [{"text": "t", "placeholders": {"Image #{n}": "i"}}],
    )
    assert [item.text for item in page.texts] == [text.replace("Image #12", "Image #1x")]
    assert page.images == ()


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (
            {"t": "a Image #3", "i": ["a", "b"]},
            "'Image #3' is in the text, but i has 2 images, none of them is item 2",
        ),
        (
            {"t": "a Image #0", "i": ["a", "b"]},
            "'Image #0' is in the text, but i has 2 images, none of them is item -1",
        ),
        ({"t": "a Image #2", "i": ["a", None]}, "'Image #2' is in the text, but i, item 1, has no image"),
        ({"t": "a Image #1", "i": ["../up.png"]}, "'Image #1' is in the text, but i, item 0, has no image"),
        ({"t": "a Image #1", "i": None}, "'Image #1' is in the text, but i has no image"),
        (
            {"t": "a Image #1", "ii": ["a"]},
            "'Image #1' is in the text, but the row has no column 'i'; did you mean 'ii'?",
        ),
        (
            {"t": "a [img_2]", "img_1": "a"},
            "'[img_2]' is in the text, but the row has no column 'img_2'; did you mean 'img_1'?",
        ),
        ({"t": "a [img_1]", "img_1": None}, "'[img_1]' is in the text, but img_1 has no image"),
    ],
)
def test_a_placeholder_without_its_image_loses_the_row(tmp_path, row, detail):
    items = found(
        lines(tmp_path, row), [{"text": "t", "placeholders": {"Image #{n}": "i", "[img_{n}]": "img_{n}"}}]
    )
    assert [(item.reason, item.detail) for item in items if item.whole] == [
        ("placeholder_without_image", detail)
    ]
    assert not any(isinstance(item, Document) for item in items)


def test_an_image_that_no_placeholder_names_is_a_loss_or_is_where_its_column_is_mapped(tmp_path):
    row = {
        "t": "a Image #2 b",
        "i": ["a", "b", "c"],
        "img_1": "x",
        "img_10": "z",
        "img_2": "y",
        "u": "b [img_2]",
    }
    marked = [
        {"text": "t", "placeholders": {"Image #{n}": "i"}},
        {"text": "u", "placeholders": {"[img_{n}]": "img_{n}"}},
    ]
    page, *lost = found(lines(tmp_path, row), marked)
    assert [image.ref.file for image in page.images] == ["b", "y"]
    assert [(item.reason, item.detail.partition(":")[0], item.whole) for item in lost] == [
        ("unnamed_image", "i, item 0", False),
        ("unnamed_image", "i, item 2", False),
        ("unnamed_image", "img_1", False),
        ("unnamed_image", "img_10", False),
    ]
    (page,) = found(lines(tmp_path, row), [{"image": "i"}, *marked, {"image": "img_{n}"}])
    assert [image.ref.file for image in page.images] == ["a", "c", "b", "y", "x", "z"]
    assert [image.owner_found for image in page.images] == [
        "unknown",
        "unknown",
        "stated",
        "stated",
        "unknown",
        "unknown",
    ]


def test_placeholders_in_parallel_lists_are_read_in_reading_order(tmp_path):
    row = {
        "q": ["one Image #1", "two Image #2"],
        "a": ["answer Image #2", "answer Image #1"],
        "i": ["a", "b"],
    }
    placeholders = {"placeholders": {"Image #{n}": "i"}}
    (page,) = found(
        lines(tmp_path, row), [{"interleave": [{"text": "q", **placeholders}, {"text": "a", **placeholders}]}]
    )
    assert described(page) == [
        "one",
        "<a> of one",
        "answer",
        "<b> of answer",
        "two Image #2",
        "answer Image #1",
    ]


def test_facts_about_an_image_come_to_its_placeholder(tmp_path):
    row = {
        "t": "a <image_1> b <image_2>",
        "i": ["a", "b"],
        "alts": ["first", None],
        "links": [None, "http://a.org/b"],
    }
    path = lines(tmp_path, row)
    (page,) = found(
        path, [{"text": "t", "placeholders": {"<image_{n}>": {"image": "i", "alt": "alts", "url": "links"}}}]
    )
    assert [(image.alt, image.url) for image in page.images] == [("first", None), ("", "http://a.org/b")]
    (same,) = found(
        path,
        [{"text": "t", "placeholders": {"<image_{n}>": "i"}}, {"image": "i", "alt": "alts", "url": "links"}],
    )
    assert same.segments == page.segments


@pytest.mark.parametrize("more", [{}, {"images": "images"}])
def test_a_conversation_with_declared_placeholders(tmp_path, more):
    """How WEAVE speaks of its images."""
    turns = [
        {"from": "human", "value": "Put Image #1 on Image #2."},
        {"from": "gpt", "value": "Done: Image #3, from Image #1 and <image>."},
    ]
    rows = [
        {"chats": turns, "images": ["a", "b", "c"]},
        {"chats": turns, "images": ["a", "b"]},
        {"chats": turns, "images": ["a", "b", "c", "d"]},
    ]
    items = found(
        lines(tmp_path, *rows), [{"conversation": "chats", "placeholders": {"Image #{n}": "images"}, **more}]
    )
    pages = [item for item in items if isinstance(item, Document)]
    for page in pages:
        assert [segment.ref.file if isinstance(segment, ImageRef) else segment.text for segment in page.segments] == [  # noqa: E501
            "Put", "a", "on", "b", ".", "Done:", "c", ", from Image #1 and <image>.",
        ]  # fmt: skip
        assert [segment.role for segment in page.segments] == ["user"] * 5 + ["assistant"] * 3
    assert [item.provenance.locator for item in pages] == ["line=1", "line=3"]
    lost = [
        (item.locator, item.reason, item.whole)
        for item in items
        if isinstance(item, Rejected) and item.reason != "unmapped_placeholder"
    ]
    assert lost == [("line=2", "placeholder_without_image", True), ("line=3", "unnamed_image", False)]


def test_parts_of_messages_beside_declared_placeholders_take_the_images_that_are_left(tmp_path):
    parts = [{"type": "text", "text": "See Image #1."}, {"type": "image"}]
    turns = [{"role": "user", "content": parts}, {"role": "assistant", "content": "Yes."}]
    (page,) = found(
        lines(tmp_path, {"m": turns, "i": ["a", "b"]}),
        [{"conversation": "m", "images": "i", "placeholders": {"Image #{n}": "i"}}],
    )
    assert [image.ref.file for image in page.images] == ["a", "b"]


def test_numbered_members_of_a_tar_are_its_images(tmp_path):
    members = [
        ("d/0.txt", b"a [image_2] b [image_1]"),
        ("d/0.image_1.png", image_bytes(1)),
        ("d/0.image_2.png", image_bytes(2)),
    ]
    (page,) = found(
        tar(tmp_path / "a.tar", members), [{"text": "txt", "placeholders": {"[image_{n}]": "image_{n}.png"}}]
    )
    assert [fetch(image.ref, tmp_path) for image in page.images] == [image_bytes(2), image_bytes(1)]


@pytest.mark.parametrize(
    ("placeholders", "message"),
    [
        (
            {"[image]": "image_{n}"},
            (
                "the column 'image_{n}' has {n} and the placeholder '[image]' has none; write {n} where "
                "the placeholder has its number"
            ),
        ),
        ({"[image_{i}]": "image_{n}"}, "write a number as {n}, not '{i}'"),
        ({"[{n}_{n}]": "images"}, "has {n} 2 times; use it once"),
        ({"{n}": "images"}, "would match ordinary text"),
        ({"": "images"}, "would match ordinary text"),
        ({"[image_{n}]": "a_{n}.b_{n}"}, "the column 'a_{n}.b_{n}' has {n} 2 times"),
        ({"[image_{n}]": {"imag": "images"}}, "needs the column of its images"),
        ({"[image_{n}]": {"image": "images", "form": 0}}, "has the unknown key 'form'; did you mean 'from'?"),
        ({"[image_{n}]": {"image": "image_{n}", "from": 0}}, "`from` counts the items of a list"),
        ({"<image>": {"image": "images", "from": 0}}, "`from` is for placeholders with {n}"),
        ({"[image_{n}]": None}, "needs the column of its images"),
    ],
)
def test_a_wrong_placeholder_is_one_line_when_the_recipe_is_read(tmp_path, placeholders, message):
    source = {
        "kind": "hub",
        "name": "z",
        "path": "d.jsonl",
        "segments": [{"text": "t", "placeholders": placeholders}],
    }
    with pytest.raises(RecipeError) as error:
        load(recipe(tmp_path, ingest={"sources": [source]}))
    assert "ingest.sources[0].segments[0].placeholders: the " in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "segments", "pattern", "hint"),
    [
        (
            "a [reasoning_image_3]",
            [{"text": "t"}],
            "[reasoning_image_{n}]",
            '"[reasoning_image_{n}]": "reasoning_image_{n}"',
        ),
        ("a <|image_1|>", [{"text": "t"}, {"image": "i"}], "<|image_{n}|>", '"<|image_{n}|>": "i"'),
        ("a <image_2>", [{"text": "t"}, {"image": "i"}], "<image_{n}>", '"<image_{n}>": "i"'),
        ("a <image>", [{"text": "t"}, {"image": "i"}], "<image>", '"<image>": "i"'),
        ("a Image #1 b", [{"text": "t"}, {"image": "i"}], "Image #{n}", '"Image #{n}": "i"'),
        ("a [cover]", [{"text": "t"}], "[cover]", '"[cover]": "cover"'),
        ("a [cover]", [{"text": "t"}, {"image": "cover"}], "[cover]", '"[cover]": "cover"'),
        (
            "a reasoning_image_3 b",
            [{"text": "t"}],
            "reasoning_image_{n}",
            '"reasoning_image_{n}": "reasoning_image_{n}"',
        ),
        (
            "a <image_start>[reasoning_image_3]<image_end>",
            [{"text": "t"}],
            "<image_start>[reasoning_image_{n}]<image_end>",
            '"<image_start>[reasoning_image_{n}]<image_end>": "reasoning_image_{n}"',
        ),
        (
            "a <image_1> <|image_1|>",
            [{"text": "t", "placeholders": {"<image_{n}>": "i"}}],
            "<|image_{n}|>",
            '"<|image_{n}|>": "i"',
        ),
    ],
)
def test_text_that_looks_like_an_unmapped_placeholder_is_reported(tmp_path, text, segments, pattern, hint):
    row = {"t": text, "reasoning_image_3": "r.png", "cover": "c.png", "i": ["a.png"]}
    page, *lost = found(lines(tmp_path, row), segments)
    (item,) = [item for item in lost if item.reason == "unmapped_placeholder"]
    assert (item.whole, item.pattern, item.times, item.rows, item.source) == (False, pattern, 1, 1, "h")
    assert item.hint == f"declare it at the text's column: placeholders: {{{hint}}}"
    assert (
        item.detail
        == f'"{pattern}" in the text looks like an image placeholder but matches none of the recipe, so it '
        f"stays text; {item.hint}"
    )
    assert page.texts


@pytest.mark.parametrize(
    "text",
    [
        "An image of two images.",
        "Figure 3 and [3] and [title] and {x}",
        "a < b > c",
        "Image of #1",
        "an array[0]",
    ],
)
def test_prose_is_no_unmapped_placeholder(tmp_path, text):
    (page,) = found(lines(tmp_path, {"t": text, "title": "x"}), [{"text": "t"}, {"text": "title"}])
    assert page.texts[0].text == text


def test_a_build_reports_once_for_each_source_and_pattern_what_is_not_mapped(tmp_path):
    made = [
        {
            "title": f"How to draw {number} bars",
            "t": f"See [shot_{number}] and [shot_{number + 1}], then Image #1.",
            "shot_1": "a.png",
        }
        for number in range(12)
    ]
    (tmp_path / "a.png").write_bytes(image_bytes(1))
    lines(tmp_path, *made)
    source = {
        "kind": "hub",
        "name": "own",
        "path": "d.jsonl",
        "segments": [{"text": "title"}, {"text": "t"}, {"image": "shot_1"}],
    }
    lax = {"min_words": 2, "min_images": 1, "alignment": {"allow_toy": True}, "judge": {"enabled": False}}
    path = recipe(tmp_path, part_size=5, ingest={"sources": [source]}, filter=lax)
    for arguments in (("build", path), ("build", path, "--limit", "6"), ("status", path)):
        done = leaf(*arguments)
        assert done.returncode == 0, done.stderr
        rows_read = 6 if "--limit" in arguments else 12
        reported = [line for line in done.stdout.splitlines() if "looks like an image placeholder" in line]
        hint = "but is not mapped, so it remains text; declare it at the text's column: placeholders:"
        count = f'{rows_read} x "Image #{{n}}" in the text of {rows_read} rows'
        assert reported == [
            f'ingest: source own: {2 * rows_read} x "[shot_{{n}}]" in the text of {rows_read} rows '
            f'(first: d.jsonl line=1) looks like an image placeholder {hint} {{"[shot_{{n}}]": '
            '"shot_{n}"}',
            (
                f"ingest: source own: {count} (first: d.jsonl line=1) looks like an image placeholder "
                f'{hint} {{"Image #{{n}}": "shot_1"}}'
            ),
        ]


def test_numbered_fields_of_a_struct_are_images(tmp_path):
    row = {"t": "a [2] b [1]", "shots": {"s1": "a.png", "s2": "b.png", "s3": "c.png"}}
    page, lost = found(lines(tmp_path, row), [{"text": "t", "placeholders": {"[{n}]": "shots.s{n}"}}])
    assert [image.ref.file for image in page.images] == ["b.png", "a.png"]
    assert (lost.reason, lost.detail.partition(":")[0]) == ("unnamed_image", "shots.s3")


def test_items_of_a_list_keep_one_marker_around_their_images(tmp_path):
    row = {"s": ["Cut it [1] here.", "[2] Fold it."], "t": "Cut it [1] here.\nFold it.", "i": ["a", "b"]}
    placeholders = {"as": "list", "placeholders": {"[{n}]": "i"}}
    (page,) = found(lines(tmp_path, row), [{"text": "s", **placeholders}])
    assert described(page) == ["- Cut it", "<a> of - Cut it", "  here.", "<b> of - Fold it.", "- Fold it."]
    page, _ = found(lines(tmp_path, row), [{"text": "t", **placeholders}])
    assert described(page) == ["- Cut it", "<a> of - Cut it", "  here.\n- Fold it."]


def test_the_images_and_the_text_of_one_index_belong_together(tmp_path):
    """Parallel lists of steps, images first: no direction has to be inferred."""
    row = {"shots": ["a.png", "b.png", None, "c.png"], "steps": ["Peel them.", "Cut them.", "Wait.", None]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (page,) = found(tmp_path / "a.jsonl", [{"interleave": [{"image": "shots"}, {"text": "steps"}]}])
    assert isinstance(page, Document)
    texts = {text.position: text.text for text in page.texts}
    assert [texts.get(image.owner) for image in page.images] == ["Peel them.", "Cut them.", None]
    assert [image.owner_found for image in page.images] == ["stated", "stated", "unknown"]
    assert [segment.position for segment in page.segments] == list(range(6))
