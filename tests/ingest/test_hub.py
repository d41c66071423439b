"""Any table through a declared mapping: Parquet, JSONL, WebDataset tar; pictures stay where they are and are found again."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import build, png, recipe, rows

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest import hub
from leafinstruct.ingest.config import HubSource
from leafinstruct.pictures import containers
from leafinstruct.pictures.read import fetch
from leafinstruct.records.document import Document, Image, Ref, Rejected, Text

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(number: int) -> bytes:
    return png(dot=number % 70, size=(96, 64 + number % 5))


def found(path: Path, segments: list[Any], part_size: int = 7, **settings: Any) -> list[Document | Rejected]:
    source = HubSource(name="h", path=str(path), segments=segments, **settings)
    cache = Path(str(path) + ".cache") if path.is_file() else path / "cache"
    return [item for span in hub.plan(source, part_size, cache) for item in hub.read(source, span, cache)]


def table(folder: Path, count: int = 30, group: int = 11) -> Path:
    schema = pa.schema(
        [
            ("title", pa.string()),
            ("steps", pa.list_(pa.string())),
            ("shots", pa.list_(PICTURE)),
            ("cover", pa.binary()),
            ("about", pa.struct([("alt", pa.string()), ("link", pa.string()), ("terms", pa.string())])),
        ]
    )
    made = [
        {
            "title": f"Title {number}",
            "steps": [f"First {number}", None, f"Third {number}"],
            "shots": [{"bytes": picture(number), "path": f"{number}.png"}, {"bytes": picture(number + 1), "path": None}, None],
            "cover": picture(number + 2),
            "about": {"alt": f"a  cover {number}", "link": f"http://a.org/{number}", "terms": "CC-BY-4.0" if number % 2 else None},
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
    pages = found(table(tmp_path), MAPPING, url_column="about.link", license_column="about.terms", license="CC0-1.0")
    assert len(pages) == 30
    page = pages[13]
    assert page.segments == (
        Text(0, "Title 13", "heading"),
        Image(1, Ref(file="data.parquet", member="row=13,column=cover"), "a cover 13", license="CC-BY-4.0"),
        Image(2, Ref(file="data.parquet", member="row=13,column=shots,item=0"), license="CC-BY-4.0"),
        Text(3, "First 13"),
        Image(4, Ref(file="data.parquet", member="row=13,column=shots,item=1"), license="CC-BY-4.0"),
        Text(5, "Third 13"),
    )
    assert (page.url, page.license, page.provenance.locator) == ("http://a.org/13", "CC-BY-4.0", "row=13")
    assert pages[14].license == "CC0-1.0"


def test_the_bytes_of_every_cell_are_found_again_in_any_order(tmp_path):
    pages = found(table(tmp_path), MAPPING)
    order = [*range(30), 5, 29, 0, 11, 10]
    for number in order:
        data = [fetch(image.ref, tmp_path) for image in pages[number].images]
        assert data == [picture(number + 2), picture(number), picture(number + 1)]


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


def test_pictures_of_a_struct_are_not_read_when_ingesting(tmp_path):
    from leafinstruct.ingest import parquet

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
        ("row=0,column=shots,item=2", "not_a_picture_value"),
        ("row=0,column=title", "not_a_picture_value"),
        ("nonsense", "missing_cell"),
    ],
)
def test_cells_that_hold_no_picture(tmp_path, member, reason):
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
        Image(2, Ref(file="a/b.png")),
        Image(3, Ref(url="http://x.org/c.png"), url="http://x.org/c.png"),
        Image(4, Ref(file="d.png")),
    )
    assert [(item.reason, item.whole) for item in items if isinstance(item, Rejected)] == [
        ("empty", True),
        ("not_text", False),
        ("unsafe_path", False),
        ("empty", True),
        ("bad_reference", False),
        ("broken_json", True),
    ]


def test_what_somebody_says_stays_whole(tmp_path):
    (tmp_path / "d.jsonl").write_text(json.dumps({"q": "a\n\nb", "a": "c"}))
    (page,) = found(tmp_path / "d.jsonl", [{"text": "q", "role": "user"}, {"text": "a", "role": "assistant"}])
    assert [(item.text, item.role) for item in page.texts] == [("a\n\nb", "user"), ("c", "assistant")]


def test_a_conversation_column_takes_its_pictures_from_another(tmp_path):
    turns = [{"role": "user", "content": "<image> q"}, {"role": "assistant", "content": "a <image>"}]
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps({"m": turns, "i": names}) for names in (["a.png", "b.png"], ["a.png"])))
    page, lost = found(tmp_path / "d.jsonl", [{"conversation": "m", "images": "i"}])
    assert [item.ref.file if isinstance(item, Image) else item.text for item in page.segments] == ["a.png", "q", "a", "b.png"]
    assert [item.role for item in page.segments] == ["user", "user", "assistant", "assistant"]
    assert lost.reason == "too_few_pictures"


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
            (f"d/{number:03d}.png", picture(number)),
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
        assert fetch(page.images[0].ref, tmp_path) == picture(number)


def test_tars_that_are_odd_or_cut(tmp_path):
    path = tar(tmp_path / "a.tar", [*samples(2), ("d/002.png", picture(2)), ("d/002.txt", b"\xff\xfe broken"), ("README", b"x")])
    with tarfile.open(path, "a") as out:
        link = tarfile.TarInfo("d/003.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    mapping = [{"text": "txt"}, {"image": "png"}]
    assert [item.reason if isinstance(item, Rejected) else "kept" for item in found(path, mapping)] == ["kept", "kept", "not_utf8"]
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
    known = {picture(number) for number in range(9)}
    assert all(item["bytes"] in known for row in published for item in row["images"])
    assert all(info["ref"].startswith("data.parquet!row=") for row in published for info in row["image_info"])
    assert all(outcome.stood for outcome in build(path))
