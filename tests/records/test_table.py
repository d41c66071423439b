"""Tables: what goes in comes out, for any document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.errors import SchemaError
from leafinstruct.records import public, table
from leafinstruct.records.document import Document, Image, Provenance, Ref, Text
from leafinstruct.records.example import Cell, Example, Turn

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
    Image,
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
    assert [table.example_of(row) for row in table.read(path)] == [example]


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
