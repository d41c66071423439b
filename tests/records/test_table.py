"""Tables: what goes in comes out, for any document."""

from dataclasses import asdict, fields, replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.errors import DamagedError, SchemaError
from leafinstruct.images.web.store import Fetched
from leafinstruct.records import public, table
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Text
from leafinstruct.records.example import Cell, Example, Turn
from leafinstruct.records.rows import Drop, DuplicateRow, EmbeddingRow, ImageRow, KeyRow, Measurement

words = st.text(max_size=30)
optional = st.none() | words
texts = st.builds(
    Text,
    st.integers(0, 99),
    words,
    st.sampled_from(["prose", "heading", "caption", "code"]),
    st.sampled_from([None, "user"]),
)
refs = st.builds(
    Ref,
    file=optional,
    offset=st.none() | st.integers(0, 2**40),
    length=st.none() | st.integers(0, 2**40),
    url=optional,
)
images = st.builds(
    ImageRef,
    st.integers(0, 99),
    refs,
    words,
    optional,
    optional,
    sha256=optional,
    width=st.none() | st.integers(1, 9999),
)
segments = st.lists(st.one_of(texts, images), max_size=6).map(tuple)


@given(st.builds(Document, words, words, segments, st.builds(Provenance, words, words), optional, optional))
def test_a_document_survives_its_table(tmp_path_factory, page):
    path = tmp_path_factory.mktemp("t") / "d.parquet"
    table.write(path, [table.document_row(page)], table.DOCUMENTS, "k")
    assert list(table.documents(path)) == [page]
    assert table.key_of(path) == "k"
    assert table.count(path) == 1


@given(
    st.lists(st.one_of(words, images), max_size=5).map(tuple),
    st.lists(st.builds(Cell, words, st.none() | st.floats(-5, 5)), max_size=3),
)
def test_an_example_survives_its_table(tmp_path_factory, parts, cells):
    example = Example(
        "i",
        "d",
        "s",
        "guide",
        (Turn("user", ("ask",)), Turn("assistant", parts)),
        Provenance("f"),
        tuple(cells),
        models=(("a", "b"),),
    )
    path = tmp_path_factory.mktemp("t") / "e.parquet"
    table.write(path, [table.example_row(example)], table.EXAMPLES)
    assert list(table.examples(path)) == [example]


def test_a_row_that_does_not_fit_is_an_error_where_it_is_made(tmp_path):
    with pytest.raises(SchemaError, match=r"x\.parquet: a row does not fit"):
        table.write(tmp_path / "x.parquet", [{"document_id": "a", "value": "not a number"}], table.SCORES)


def test_a_missing_file_has_no_key(tmp_path):
    assert table.key_of(tmp_path / "none.parquet") is None


def test_the_same_rows_are_the_same_bytes(tmp_path):
    rows = [table.document_row(document("# T", "!a", "text"))] * 3
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        table.write(tmp_path / name / "documents.parquet", rows, table.DOCUMENTS)
    assert (tmp_path / "a/documents.parquet").read_bytes() == (tmp_path / "b/documents.parquet").read_bytes()


def test_a_reference_is_one_readable_line():
    assert str(Ref(file="a.png")) == "a.png"
    assert str(Ref(file="a.warc.gz", offset=17, length=204)) == "a.warc.gz#bytes=17,204"
    assert str(Ref(url="https://a.example/x.png")) == "https://a.example/x.png"
    assert str(Ref(file="a.mp4", time=2.5)) == "a.mp4#t=2.5"


def test_the_public_row_is_schema_3():
    from pathlib import Path

    golden = (Path(__file__).parent / "public_schema.txt").read_text(encoding="utf-8")
    assert public.schema().to_string(show_schema_metadata=False) + "\n" == golden


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (ImageRow, table.IMAGES),
        (EmbeddingRow, table.EMBEDDINGS),
        (KeyRow, table.KEYS),
        (DuplicateRow, table.DUPLICATES),
    ],
)
def test_records_have_the_columns_of_their_table_in_order(kind, schema):
    assert [each.name for each in fields(kind)] == schema.names


def test_fields_are_those_of_their_structs():
    drops = table.DECISIONS.field("drops").type.value_type
    assert {each.name for each in fields(Drop)} == {each.name for each in drops}
    scores = table.IMAGES.field("scores").type.value_type
    assert [each.name for each in scores] == list(Measurement.__annotations__)
    assert {each.name for each in fields(Fetched)} - {"terms"} == set(table.FETCHES.names)
    assert {"document_id", *(each.name for each in fields(Cell))} == set(table.SCORES.names)


IMAGE = ImageRow(
    "a.png",
    "a.png",
    "9 9",
    "ok",
    "",
    "ab",
    3,
    4,
    "PNG",
    [{"name": "image.side", "value": 3.0}],
    "f" * 64,
    b"t" * 1024,
    b"x",
)


def test_records_survive_their_table(tmp_path):
    none = ImageRow("http://a.example/b.png", None, "", "failed", "timeout: no answer", scores=[])
    path = tmp_path / "images.parquet"
    table.write(path, [IMAGE, none], table.IMAGES)
    assert list(table.records(path, ImageRow)) == list(table.whole_records(path, ImageRow)) == [IMAGE, none]
    assert list(table.records(path, ImageRow, ["bytes"])) == [replace(IMAGE, bytes=None), none]
    assert list(table.columns(path, "state", "ref")) == [("ok", "a.png"), ("failed", none.ref)]
    assert table.images(path, {"ab"} - {"ab"}) == {}
    assert table.image_sizes(path, {"ab", "cd"}) == {"ab": 1}
    same = tmp_path / "same" / "images.parquet"
    same.parent.mkdir()
    table.write(same, [asdict(IMAGE), asdict(none)], table.IMAGES)
    assert same.read_bytes() == path.read_bytes()


def test_columns_that_are_not_read_are_not_verified(tmp_path):
    path = tmp_path / "images.parquet"
    table.write(path, [replace(IMAGE, bytes=b"only here" * 9)], table.IMAGES)
    data = path.read_bytes()
    at = pq.read_metadata(path).row_group(0).column(len(table.IMAGES)).data_page_offset
    path.write_bytes(data[: at + 40] + bytes([data[at + 40] ^ 1]) + data[at + 41 :])
    assert list(table.columns(path, "ref")) == [("a.png",)]
    assert list(table.records(path, ImageRow, ["bytes"])) == [replace(IMAGE, bytes=None)]
    with pytest.raises(DamagedError):
        list(table.records(path, ImageRow))
    assert list(table.whole_records(path, ImageRow)) == []


def test_decisions_and_scores_survive_their_tables(tmp_path):
    drops = (Drop("text.links", 7.0, 5.0, "ok"), Drop("image.side", None, 48.0, "failed", 3, "why"))
    page = document("a", "!b")
    table.write(tmp_path / "d.parquet", [table.document_row(page, drops)], table.DECISIONS)
    assert list(table.decisions(tmp_path / "d.parquet")) == [(page, drops)]
    assert list(table.documents(tmp_path / "d.parquet")) == [page]
    cells = [Cell("text.links", 1.5), Cell("judge.image", None, "refused", 3, "m", "no")]
    table.write(tmp_path / "s.parquet", [table.score_row("d", cell) for cell in cells], table.SCORES)
    assert list(table.scores(tmp_path / "s.parquet")) == [("d", cell) for cell in cells]
