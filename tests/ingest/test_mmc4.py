"""MMC4: where images are placed, what is lost and why, and what a hostile record can not do."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import bare, documents, outline, read_all, rejected

from leafinstruct.errors import SourceError
from leafinstruct.ingest.config import Mmc4Source
from leafinstruct.ingest.readers import mmc4
from leafinstruct.ingest.tables import lines
from leafinstruct.records.document import Document, ImageRef, Text

COUNTS = json.loads((Path(__file__).parent / "real_counts.json").read_text(encoding="utf-8"))["mmc4"]
FIELDS = ["url", "text_list", "image_info", "image_name", "raw_url", "matched_text_index"]


def source(path: Path, **settings: str) -> Mmc4Source:
    return Mmc4Source(name="m", path=str(path), **settings)


def write(folder: Path, *records: object, name: str = "docs.jsonl") -> Path:
    (folder / "images").mkdir(exist_ok=True)
    path = folder / name
    path.write_text(
        "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in records),
        encoding="utf-8",
    )
    return path


def image(name: str, index: object, **more: object) -> dict[str, object]:
    return {"image_name": name, "raw_url": f"http://example.org/{name}", "matched_text_index": index, **more}


def test_real_records_keep_every_sentence_and_every_image_in_its_place(real, tmp_path):
    found = documents(read_all(mmc4, source(real / "mmc4"), tmp_path))
    assert {document.provenance.locator: len(document.images) for document in found} == {
        key: row["images"] for key, row in COUNTS.items()
    }
    for document in found:
        text = bare(" ".join(item.text for item in document.texts))
        assert text.startswith(bare(COUNTS[document.provenance.locator]["first"]))
        assert text.endswith(bare(COUNTS[document.provenance.locator]["last"]))
        assert all((real / "mmc4" / item.ref.file).is_file() for item in document.images)


def test_real_images_are_directly_before_their_sentence(real, tmp_path):
    raw = [
        json.loads(line)
        for line in (real / "mmc4" / "docs_shard_0.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for document, record in zip(documents(read_all(mmc4, source(real / "mmc4"), tmp_path)), raw, strict=True):
        sentences = {" ".join(text.split()): index for index, text in enumerate(record["text_list"])}
        expected = {item["image_name"]: item["matched_text_index"] for item in record["image_info"]}
        for item, following in zip(document.segments, document.segments[1:], strict=False):
            if isinstance(item, ImageRef) and isinstance(following, Text):
                wanted = record["text_list"][expected[Path(item.ref.file).name]]
                assert (
                    following.text == wanted
                    or sentences[following.text] == expected[Path(item.ref.file).name]
                )


def test_every_line_of_the_messy_file_has_its_reason(real, tmp_path):
    items = read_all(mmc4, source(real / "messy" / "broken_lines.jsonl"), tmp_path)
    assert [document.provenance.locator for document in documents(items)] == [
        "line=1",
        "line=4",
        "line=8",
        "line=9",
        "line=10",
    ]
    assert Counter(rejected(items)) == Counter(
        [
            ("line=2", "broken_json", True),
            ("line=3", "empty_line", True),
            ("line=5", "not_utf8", True),
            ("line=6", "not_an_object", True),
            ("line=7", "no_text_list", True),
            ("line=8", "index_out_of_range", False),
            *[("line=10", "index_out_of_range", False)] * 4,
            ("line=10", "null_text", False),
        ]
    )


def test_images_of_one_sentence_are_in_the_order_of_the_list(tmp_path):
    record = {
        "text_list": ["a", "b"],
        "image_info": [image("2.png", 1), image("1.png", 1), image("0.png", 0)],
    }
    (document,) = documents(read_all(mmc4, source(write(tmp_path, record)), tmp_path))
    assert outline(document) == ["<images/0.png>", "prose: a", "<images/2.png>", "<images/1.png>", "prose: b"]
    assert [item.position for item in document.segments] == [0, 1, 2, 3, 4]


words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_a_document_is_its_sentences_with_their_images_before_them(tmp_path_factory, sentences, data):
    """Written and read again, the order is that of the sentences, and of the list where two images share
    one."""
    indices = data.draw(st.lists(st.integers(0, len(sentences) - 1), max_size=6))
    folder = tmp_path_factory.mktemp("law")
    path = write(
        folder,
        {"text_list": sentences, "image_info": [image(f"{n}.png", index) for n, index in enumerate(indices)]},
    )
    (document,) = documents(read_all(mmc4, source(path), folder / "cache"))
    expected = []
    for index, sentence in enumerate(sentences):
        expected += [f"<images/{n}.png>" for n, place in enumerate(indices) if place == index]
        expected.append(f"prose: {sentence}")
    assert outline(document) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_line_whatever_raises_and_every_line_is_answered_for(tmp_path_factory, line):
    folder = tmp_path_factory.mktemp("law")
    (folder / "docs.jsonl").write_bytes(b"[]\n" + line.replace(b"\n", b" ") + b"\n[]\n")
    items = read_all(mmc4, source(folder / "docs.jsonl"), folder / "cache")
    places = [item.provenance.locator if isinstance(item, Document) else item.locator for item in items]
    assert set(places) == {"line=1", "line=2", "line=3"}
    # every report can be written
    json.dumps([asdict(item) for item in items], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "broken_json"),
        ("[" * 100_000, "broken_json"),
        ('{"text_list": [1' + "0" * 5000 + "]}", "broken_json"),
        ("null", "not_an_object"),
        ({"text_list": "a string"}, "no_text_list"),
        ({"text_list": []}, "empty"),
        ({"text_list": ["", " \u0000 "]}, "empty"),
        ("x" * 2000, "line_too_long"),
    ],
)
def test_a_record_that_is_lost_has_one_reason(tmp_path, monkeypatch, record, reason):
    if reason == "line_too_long":
        monkeypatch.setattr(lines, "MAX_LINE", 1000)
    path = write(tmp_path, record, {"text_list": ["fine"]})
    items = read_all(mmc4, source(path), tmp_path / "cache")
    assert rejected(items) == [("line=1", reason, True)]
    assert [outline(document) for document in documents(items)] == [["prose: fine"]]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("no object", "bad_image_info"),
        (image("a.png", -1), "index_out_of_range"),
        (image("a.png", 1), "index_out_of_range"),
        (image("a.png", True), "no_text_index"),
        (image("a.png", "first"), "no_text_index"),
        ({"image_name": "a.png"}, "no_text_index"),
        ({"matched_text_index": 0}, "no_image_name"),
        ({"image_name": "a.png", "image_name ": 1, "matched_text_index": 0.5}, "no_text_index"),
        (image("../../etc/passwd", 0), "unsafe_path"),
        (image("/etc/passwd", 0), "unsafe_path"),
        (image("a/../../b.png", 0), "unsafe_path"),
        (image("..\\b.png", 0), "unsafe_path"),
        (image("C:/b.png", 0), "unsafe_path"),
        (image("a\u0000.png", 0), "unsafe_path"),
        (image("\ud800.png", 0), "unsafe_path"),
        (image("x" * 5000, 0), "unsafe_path"),
    ],
)
def test_an_image_that_is_lost_has_one_reason_and_its_document_goes_on(tmp_path, entry, reason):
    path = write(tmp_path, {"text_list": ["fine"], "image_info": [entry]})
    items = read_all(mmc4, source(path), tmp_path / "cache")
    assert rejected(items) == [("line=1", reason, False)]
    assert outline(documents(items)[0]) == ["prose: fine"]


def test_text_is_clean_and_what_looks_like_a_control_token_stays_text(tmp_path):
    sentences = [
        "a\u0000b \x07 c",
        "lone \ud800 surrogate",
        "see <image> and <|im_end|>",
        " two\u00a0  spaces\t",
        "for x:\n    y\r\n",
    ]
    (document,) = documents(
        read_all(mmc4, source(write(tmp_path, {"text_list": sentences})), tmp_path / "cache")
    )
    assert [item.text for item in document.texts] == [
        "ab c",
        "lone \ufffd surrogate",
        "see <image> and <|im_end|>",
        "two spaces",
        "for x:\n    y",
    ]


def test_of_duplicate_keys_the_last_counts_and_nan_is_no_obstacle(tmp_path):
    path = write(tmp_path, '{"text_list": ["first"], "text_list": ["last"], "similarity_matrix": [[NaN]]}')
    assert outline(documents(read_all(mmc4, source(path), tmp_path / "cache"))[0]) == ["prose: last"]


def test_without_an_image_folder_the_address_is_the_reference(tmp_path):
    path = write(tmp_path, {"text_list": ["a"], "image_info": [image("1.png", 0)]})
    (tmp_path / "images").rmdir()
    assert (
        outline(documents(read_all(mmc4, source(path), tmp_path / "cache"))[0])[0]
        == "<http://example.org/1.png>"
    )


def test_an_image_folder_elsewhere_is_named_from_the_nearest_common_folder(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "photos").mkdir()
    path = write(tmp_path / "records", {"text_list": ["a"], "image_info": [image("1.png", 0)]})
    given_source = source(path, images=str(tmp_path / "photos"))
    assert mmc4.root_of(given_source) == tmp_path
    (document,) = documents(read_all(mmc4, given_source, tmp_path / "cache"))
    assert outline(document)[0] == "<photos/1.png>"
    assert document.provenance.file == "records/docs.jsonl"


def test_license_and_address_reach_the_document(tmp_path):
    path = write(
        tmp_path, {"url": "https://a.example/p", "text_list": ["a"], "image_info": [image("1.png", 0)]}
    )
    (document,) = documents(read_all(mmc4, source(path, license="MIT"), tmp_path / "cache"))
    assert (document.url, document.license, document.images[0].license, document.images[0].url) == (
        "https://a.example/p",
        "MIT",
        "MIT",
        "http://example.org/1.png",
    )


@pytest.mark.parametrize("suffix", ["", ".gz", ".zip"])
def test_compression_changes_nothing_but_the_file_name(tmp_path, suffix):
    plain = write(tmp_path, *({"text_list": [f"s{n}"]} for n in range(7)))
    packed = pack(plain, suffix)
    found = documents(read_all(mmc4, source(packed), tmp_path / "cache", part_size=3))
    assert [(item.provenance.locator, outline(item)) for item in found] == [
        (f"line={n + 1}", [f"prose: s{n}"]) for n in range(7)
    ]


def pack(plain: Path, suffix: str) -> Path:
    packed = plain.with_name(plain.name + suffix)
    if suffix == ".gz":
        packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    elif suffix == ".zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, plain.name)
    return packed


def test_members_of_a_zip_have_lines_of_their_own(tmp_path):
    with zipfile.ZipFile(tmp_path / "d.jsonl.zip", "w") as archive:
        archive.writestr("b.jsonl", '{"text_list": ["b1"]}\n')
        archive.writestr("a.jsonl", '{"text_list": ["a1"]}\n{"text_list": ["a2"]}')
        archive.writestr("__MACOSX/._a.jsonl", "junk\n")
    found = documents(read_all(mmc4, source(tmp_path / "d.jsonl.zip"), tmp_path / "cache", part_size=2))
    assert [item.provenance.locator for item in found] == [
        "a.jsonl:line=1",
        "a.jsonl:line=2",
        "b.jsonl:line=1",
    ]


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_stream_that_ends_early_keeps_what_was_before_and_reports_it_once(tmp_path, suffix):
    packed = pack(
        write(
            tmp_path, *({"text_list": [f"{n} {n * 7919 % 1009} {n * 104729 % 10007}"]} for n in range(3000))
        ),
        suffix,
    )
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size * 2 // 3])
    items = read_all(mmc4, source(packed), tmp_path / "cache", part_size=500)
    kept = documents(items)
    assert [item.provenance.locator for item in kept] == [f"line={n + 1}" for n in range(len(kept))]
    assert (len(kept) > 1000) == (suffix == ".gz")
    ((locator, reason, whole),) = rejected(items)
    assert (reason, whole, locator.startswith("offset=")) == ("truncated", True, True)


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_compressed_file_is_unpacked_once_not_once_a_part(tmp_path, monkeypatch, suffix):
    packed = pack(write(tmp_path, *({"text_list": [f"s{n}"]} for n in range(300))), suffix)
    spans = mmc4.plan(source(packed), 10, tmp_path / "cache")
    begun: list[int] = []
    whole = lines._items

    def counted(*arguments):
        begun.append(1)
        return whole(*arguments)

    monkeypatch.setattr(lines, "_items", counted)
    lines._kept.clear()
    found = [
        item.texts[0].text for span in spans for item in mmc4.read(source(packed), span, tmp_path / "cache")
    ]
    assert found == [f"s{n}" for n in range(300)]
    assert len(begun) == 1


@pytest.mark.parametrize("suffix", ["", ".gz", ".zip"])
@given(order=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12)), max_size=8))
def test_parts_are_the_same_in_any_order_and_when_left_half_read(tmp_path_factory, suffix, order):
    folder = tmp_path_factory.mktemp("order")
    packed = pack(write(folder, *({"text_list": [f"s{n}"]} for n in range(100))), suffix)
    spans = mmc4.plan(source(packed), 10, folder / "cache")
    for part, items in order:
        reading = mmc4.read(source(packed), spans[part], folder / "cache")
        found = [next(reading).texts[0].text for _ in range(min(items, 10))]
        if items > 10:
            assert next(reading, None) is None
        assert found == [f"s{n}" for n in range(part * 10, part * 10 + len(found))]


def test_two_readers_of_one_file_do_not_take_each_others_lines(tmp_path):
    packed = pack(write(tmp_path, *({"text_list": [f"s{n}"]} for n in range(30))), ".gz")
    first, second, third = (
        mmc4.read(source(packed), span, tmp_path / "cache")
        for span in mmc4.plan(source(packed), 10, tmp_path / "cache")
    )
    found = [next(reading).texts[0].text for _ in range(10) for reading in (first, second, third)]
    assert found == [f"s{part * 10 + n}" for n in range(10) for part in range(3)]


@given(st.integers(1, 60), st.integers(1, 25))
def test_spans_of_a_file_partition_its_lines(tmp_path_factory, total, part_size):
    folder = tmp_path_factory.mktemp("law")
    path = write(folder, *({"text_list": [str(n)]} for n in range(total)))
    spans = mmc4.plan(source(path), part_size, folder / "cache")
    assert [line for span in spans for line in range(span.start, span.stop)] == list(range(total))
    assert all(span.stop - span.start <= part_size for span in spans)
    assert len({span.name for span in spans}) == len(spans)


def test_a_plain_file_is_entered_in_the_middle(tmp_path, monkeypatch):
    """With entry points every 10 lines, each part reads the right lines; the numbers do not depend on where
    reading began."""
    monkeypatch.setattr(lines, "STEP", 10)
    path = write(tmp_path, *({"text_list": [str(n)]} for n in range(57)))
    found = documents(read_all(mmc4, source(path), tmp_path / "cache", part_size=7))
    assert [(item.provenance.locator, item.texts[0].text) for item in found] == [
        (f"line={n + 1}", str(n)) for n in range(57)
    ]


def test_a_new_file_adds_parts_and_leaves_the_names_of_the_others(tmp_path):
    write(tmp_path, *({"text_list": [str(n)]} for n in range(9)), name="b.jsonl")
    before = {span.name for span in mmc4.plan(source(tmp_path), 4, tmp_path / "cache")}
    write(tmp_path, {"text_list": ["x"]}, name="a.jsonl")
    after = {span.name for span in mmc4.plan(source(tmp_path), 4, tmp_path / "cache")}
    assert before < after
    assert len(after - before) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.jsonl", "no such file or folder"),
        (lambda folder: folder, "holds no .jsonl or .jsonl.gz or .jsonl.zip file"),
        (lambda folder: folder / "*.jsonl", "matches no file"),
        (write, "contain no records"),
    ],
)
def test_a_source_with_nothing_to_read_is_one_line(tmp_path, make, message):
    with pytest.raises(SourceError, match=message) as raised:
        mmc4.plan(source(make(tmp_path)), 5, tmp_path / "cache")
    assert "\n" not in str(raised.value)


def test_a_missing_image_folder_is_an_error_only_when_it_was_named(tmp_path):
    path = write(tmp_path, {"text_list": ["a"]})
    with pytest.raises(SourceError, match="no such folder of images"):
        mmc4.plan(source(path, images=str(tmp_path / "nowhere")), 5, tmp_path / "cache")


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path):
    outside = write(tmp_path, {"text_list": ["secret"]}, name="outside.jsonl")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.jsonl").symlink_to(outside)
    assert rejected(read_all(mmc4, source(tmp_path / "in"), tmp_path / "cache")) == [
        ("", "unsafe_path", True)
    ]
