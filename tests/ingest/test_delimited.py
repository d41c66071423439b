"""CSV and TSV as tables: rows in order, every lost row with its reason, bounded memory."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ingest.reading import documents, outline, read_all, rejected

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.readers import hub
from leafinstruct.ingest.tables import delimited
from leafinstruct.ingest.tables.lines import MAX_LINE

STEP = [{"image": "image"}, {"text": "text"}]
ROWS = 'text,image\n"Fold it, then cut.",a.png\n"Line one\nline two",b.png\n'


def written(folder: Path, name: str, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def read(path: Path, segments: Any = STEP, part_size: int = 5, **keys: Any) -> list[Any]:
    source = HubSource(name="t", path=str(path), segments=segments, **keys)
    cache = (path if path.is_dir() else path.parent).parent / f"cache-{path.name}"
    cache.mkdir(exist_ok=True)
    return read_all(hub, source, cache, part_size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize("part_size", [1, 5])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV"])
def test_rows_are_documents(folder, name, part_size):
    items = read(written(folder, name, ROWS), part_size=part_size)
    assert [outline(item) for item in documents(items)] == [
        ["<a.png>", "prose: Fold it, then cut."],
        ["<b.png>", "prose: Line one\nline two"],
    ]
    assert [item.provenance.locator for item in documents(items)] == ["row=0", "row=1"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "text\timage\nFold it, then cut.\ta.png\n"),
        ("a.tsv.gz", "text\timage\nFold it, then cut.\ta.png\n"),
        ("a.csv", "text;image\r\nFold it, then cut.;a.png\r\n"),
        ("a.csv", "sep=|\ntext|image\nFold it, then cut.|a.png"),
        ("a.csv", '\ufefftext,image\n"Fold it, then cut.",a.png\n'),
        ("a.csv", ',text,image\n0,"Fold it, then cut.",a.png\n'),
        ("a.csv", 'text , image,text\n"Fold it, then cut.",a.png,other\n'),
        ("a.csv", '\n"text","image"\n"Fold it, then cut.",a.png,\n\n'.lstrip("\n")),
        ("a.csv", "text\timage\nFold it, then cut.\ta.png\n"),
    ],
    ids=["tab", "gz", "semicolon", "sep=", "mark", "index", "twice", "comma at the end", "tabs in a .csv"],
)
def test_the_separator_is_the_files_own(folder, name, text):
    (found,) = read(written(folder, name, text))
    assert outline(found) == ["<a.png>", "prose: Fold it, then cut."]


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_files_of_a_spreadsheet_have_other_encodings(folder, codec):
    (found,) = read(written(folder, "a.csv", "text\timage\nKäse\ta.png\n".encode(codec)))
    assert outline(found) == ["<a.png>", "prose: Käse"]


def test_a_lost_row_has_a_reason_and_the_others_are_read(folder):
    rows = [
        "text,image",
        "one,a.png",
        "a comma, too,b.png",
        "few",
        'a "quote" inside,c.png',
        '"no" end,d.png',
    ]
    data = "\n".join(rows).encode() + "\nKäse,e.png\n".encode("cp1252") + b"last,f.png\n"
    items = read(written(folder, "a.csv", data))
    assert rejected(items) == [
        ("row=1", "wrong_columns", True),
        ("row=2", "wrong_columns", True),
        ("row=4", "broken_row", True),
        ("row=5", "not_utf8", True),
    ]
    assert [item.texts[0].text for item in documents(items)] == ["one", 'a "quote" inside', "last"]


def test_a_quote_that_is_not_closed_ends_the_file(folder):
    items = read(written(folder, "a.csv", 'text,image\none,a.png\n"two,b.png\nthree,c.png\n'))
    assert rejected(items) == [("row=1", "truncated", True)]
    assert len(documents(items)) == 1


def test_a_quote_in_a_tsv_may_be_text(folder):
    """As in captions that no program quoted; a spreadsheet's lines in one cell stay one cell."""
    rows = ["text\timage", '"Fold it\ta.png', 'He said "cut it"\tb.png', '"tab\there"\tc.png', 'end"\td.png']
    items = read(written(folder, "a.tsv", "\n".join(rows) + "\n"))
    assert [item.texts[0].text for item in documents(items)] == [
        '"Fold it',
        'He said "cut it"',
        "tab\there",
        'end"',
    ]
    items = read(written(folder, "b.tsv", 'image\ttext\na.png\t"one\ntwo\nthree"\nb.png\tfour\n'))
    assert [item.texts[0].text for item in documents(items)] == ["one\ntwo\nthree", "four"]


def test_a_header_that_cannot_be_read_is_one_reason(folder):
    items = read(written(folder, "a.csv", '"text" x,image\none,a.png\n'))
    assert rejected(items) == [("row=0", "damaged", True)]


def test_a_cut_gzip_file_keeps_its_rows(folder):
    whole = gzip.compress(("text,image\n" + "".join(f"{n * 7919},a.png\n" for n in range(9_999))).encode())
    (folder / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    items = read(folder / "a.csv.gz", part_size=5_000)
    assert [reason for _, reason, _ in rejected(items)] == ["truncated"]
    assert len(documents(items)) > 1_000


def test_cells_may_contain_lists_and_objects(folder):
    """As JSON, and as pandas stores them; what only looks like one stays a text."""
    frame = pd.DataFrame({"images": [["a.png", "b.png"]], "texts": [["Fold.", "Cut."]], "id": ["007"]})
    frame.to_csv(folder / "a.csv", index=False)
    both = [{"interleave": [{"image": "images"}, {"text": "texts"}]}, {"text": "id"}]
    (found,) = read(folder / "a.csv", both)
    assert outline(found) == ["<a.png>", "prose: Fold.", "<b.png>", "prose: Cut.", "prose: 007"]
    turns = [{"from": "human", "value": "What?\n<image>"}, {"from": "gpt", "value": "A leaf."}]
    pd.DataFrame({"turns": [json.dumps(turns)], "image": ["a.png"]}).to_csv(folder / "b.csv", index=False)
    (found,) = read(folder / "b.csv", [{"conversation": "turns", "images": "image"}])
    assert outline(found) == ["prose: What?", "<a.png>", "prose: A leaf."]
    (found,) = read(written(folder, "c.csv", "text,image\n[1] see below [2],a.png\n"))
    assert outline(found) == ["<a.png>", "prose: [1] see below [2]"]


def test_an_empty_cell_is_null_and_na_is_a_text(folder):
    items = read(written(folder, "a.csv", "text,image\nNA,\n,b.png\n,\n"))
    assert [outline(item) for item in documents(items)] == [["prose: NA"], ["<b.png>"]]
    assert rejected(items) == [("row=2", "empty", True)]


def test_columns_may_have_dots_in_their_names(folder):
    (found,) = read(written(folder, "a.csv", "image.url,text.en\nhttp://e.org/a.png,Fold.\n"),
                    [{"image": "image.url"}, {"text": "text.en"}])  # fmt: skip
    assert outline(found) == ["<http://e.org/a.png>", "prose: Fold."]


def test_a_column_that_the_file_lacks_is_one_line(folder):
    path = written(folder, "a.csv", ROWS)
    with pytest.raises(RecipeError, match=r"a\.csv has no column 'txt'; did you mean 'text'\?"):
        read(path, [{"text": "txt"}])


def test_the_columns_of_a_file_are_listed_in_one_line(folder):
    path = written(folder, "a.csv", '"tit\nle","x\x0bt\x00"\na,b\n')
    with pytest.raises(RecipeError) as caught:
        read(path, [{"text": "nothing"}])
    assert str(caught.value).endswith("""a.csv has no column 'nothing'; it has 'tit\\nle', 'x\\x0bt\\x00'""")


def test_a_file_without_rows_is_no_source(folder):
    for text in ("", "text,image\n", "\n\n"):
        with pytest.raises((SourceError, RecipeError)):
            read(written(folder, "a.csv", text))


def test_a_csv_beside_other_tables_is_not_searched_for(folder):
    written(folder, "a.jsonl", json.dumps({"text": "Fold.", "image": "a.png"}))
    written(folder, "notes.csv", "name,size\na.png,3\n")
    assert len(read(folder)) == 1


def test_hostile_files_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_LINE", 100_000)
    for text in (
        "text,image\n" + '"' + "x" * 200_000 + '",a.png\n',
        "text,image\n" + "x" * 200_000 + ",a.png\n",
        "text,image\none,a.png\n" + '"' + "x\n" * 200_000,
    ):
        items = read(written(folder, "a.csv", text))
        assert [reason for _, reason, _ in rejected(items)] == ["too_large"]
    for text in ("," * 20_000 + "\na,b\n", "x" * 200_000):
        items = read(written(folder, "a.csv", text), [{"text": "x"}])
        assert {reason for _, reason, _ in rejected(items)} <= {"too_many_values", "too_large"}
        assert not documents(items)
    assert MAX_LINE > 100_000


@pytest.mark.e2e
def test_a_packed_bomb_is_not_unpacked(folder, monkeypatch):
    monkeypatch.setattr(delimited, "FREE", 1_000_000)
    items = read(written(folder, "a.csv.gz", "text,image\n" + "x,a.png\n" * 500_000), part_size=500_000)
    assert [reason for _, reason, _ in rejected(items)] == ["too_large"]


def test_an_image_in_a_cell_is_a_reason(folder):
    value = "data:image/png;base64," + "A" * 100
    items = read(written(folder, "a.csv", f'text,image\nFold.,"{value}"\n'))
    assert rejected(items) == [("row=0", "data_uri", False)]
    assert "Parquet or JSONL" in items[-1].detail
