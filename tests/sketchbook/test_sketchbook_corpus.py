"""The written corpus: the same bytes always, three formats that parse, labels that are true."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from PIL import Image, UnidentifiedImageError
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.sketchbook.documents.vocabulary import WORDS
from leafinstruct.sketchbook.formats.write import DEFECTS, Settings, chunks, collect_labels, write_chunk
from leafinstruct.sketchbook.world.render import render
from leafinstruct.sketchbook.world.scene import from_data

SETTINGS = Settings(seed=3, documents=350, image_px=64, defects=tuple((name, 0.06) for name in DEFECTS))

Label = dict[str, Any]


def write(settings: Settings, root: Path, backwards: bool = False) -> list[Label]:
    plan = chunks(settings)
    for chunk in reversed(plan) if backwards else plan:
        write_chunk(settings, pickle.loads(pickle.dumps(chunk)), root)
    return [
        json.loads(line) for line in collect_labels(settings, root).read_text(encoding="utf-8").splitlines()
    ]


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> tuple[Path, list[Label]]:
    root = tmp_path_factory.mktemp("corpus")
    return root, write(SETTINGS, root)


Found = tuple[list[str], list[bytes]]
"""Texts and image files of a document, each in document order, as its format tells them."""


def read_mmc4(root: Path, label: Label) -> Found:
    line = (
        (root / label["file"])
        .read_text(encoding="utf-8")
        .split("\n")[int(label["locator"].removeprefix("line=")) - 1]
    )
    record = json.loads(line)
    images = sorted(record["image_info"], key=lambda image: image["matched_text_index"])
    return record["text_list"], [
        (root / "mmc4" / "images" / image["image_name"]).read_bytes() for image in images
    ]


def article(html: bytes) -> tuple[list[str], list[str]]:
    tree = LexborHTMLParser(html.decode()).css_first("article, main#content")
    texts = [node.text() for node in tree.css("h1, h2, p, figcaption")]
    return texts, [node.attributes["src"] or "" for node in tree.css("img")]


def read_html(root: Path, label: Label) -> Found:
    assert label["locator"] == ""
    path = root / label["file"]
    texts, sources = article(path.read_bytes())
    return texts, [(path.parent / source).read_bytes() for source in sources]


def read_warc(root: Path, label: Label) -> Found:
    offset = int(label["locator"].removeprefix("offset="))
    members = ArchiveIterator(
        io.BytesIO((root / label["file"]).read_bytes()[offset:]), record_types=WarcRecordType.response
    )
    page = next(members)
    assert page.http_content_type == "text/html"
    address = page.headers["WARC-Target-URI"]
    texts, sources = article(page.reader.read())
    images = {}
    for record in members:
        if record.http_content_type != "image/png":
            break
        images[record.headers["WARC-Target-URI"]] = record.reader.read()
    host = re.match(r"https://[^/]+", address)
    assert host
    return texts, [images[host[0] + source] for source in sources]


def read_obelics(root: Path, label: Label) -> Found:
    path = root / label["file"]
    row = pq.read_table(path).slice(int(label["locator"].removeprefix("row=")), 1).to_pylist()[0]
    assert [image is None for image in row["images"]] == [text is not None for text in row["texts"]]
    texts = [paragraph for text in row["texts"] if text for paragraph in text.split("\n\n")]
    return texts, [(path.parent / image).read_bytes() for image in row["images"] if image]


def read(root: Path, label: Label) -> Found:
    return {"mmc4": read_mmc4, "html": read_html, "warc": read_warc, "obelics": read_obelics}[
        label["file"].split("/")[0]
    ](root, label)


def of(corpus: tuple[Path, list[Label]], defect: str | None) -> list[tuple[Label, Found]]:
    root, labels = corpus
    return [(label, read(root, label)) for label in labels if label["defect"] == defect]


def test_the_same_settings_give_the_same_bytes_in_any_order_of_chunks_and_twice_over(corpus, tmp_path):
    root, _ = corpus
    write(SETTINGS, tmp_path, backwards=True)
    assert files(tmp_path) == files(root)
    write_chunk(SETTINGS, chunks(SETTINGS)[0], tmp_path)
    assert files(tmp_path) == files(root)


def test_another_seed_gives_another_corpus(corpus, tmp_path):
    other = write(Settings(seed=4, documents=9, image_px=64), tmp_path)
    assert not {label["title"] for label in other} <= {label["title"] for label in corpus[1]}


def test_every_label_points_at_its_document_with_its_texts_in_order(corpus):
    root, labels = corpus
    for label in labels:
        texts, images = read(root, label)
        assert texts[0] == label["title"]
        if label["defect"] not in ("spam", "too_short"):  # these repeat themselves
            told = " ".join(texts).lower()
            bodies = [step["text"].partition(": ")[2] or step["text"] for step in label["steps"]]
            at = [told.find(body.lower(), len(label["title"])) for body in bodies]
            assert at == sorted(at)
            assert at[0] > 0
        assert len(images) == len(label["steps"]) + (label["defect"] == "icon")


def test_clean_images_are_the_scenes_of_the_labels_in_order(corpus):
    for label, (_, images) in of(corpus, None):
        drawn = [render(from_data(step["scene"]), 64).tobytes() for step in label["steps"]]
        assert [Image.open(io.BytesIO(data)).convert("RGB").tobytes() for data in images] == drawn


def test_the_four_formats_and_five_topics_all_occur_even_in_a_small_corpus(tmp_path):
    labels = write(Settings(seed=1, documents=15, image_px=32), tmp_path)
    assert Counter(label["file"].split("/")[0] for label in labels) == {
        "mmc4": 4,
        "html": 4,
        "warc": 4,
        "obelics": 3,
    }
    assert Counter(label["topic"] for label in labels) == dict.fromkeys(
        ("lesson", "story", "edit", "assembly", "map"), 3
    )


def test_each_defect_has_exactly_its_share(corpus):
    counted = Counter(label["defect"] for label in corpus[1])
    assert counted == {None: 350 - 7 * 21, **dict.fromkeys(DEFECTS, 21)}


def test_clean_documents_share_no_image(corpus):
    owners = Counter(data for _, (_, images) in of(corpus, None) for data in set(images))
    assert max(owners.values()) == 1


def test_a_misaligned_image_shows_nothing_of_the_color_and_kind_that_its_text_names(corpus):
    for label, _ in of(corpus, "misaligned"):
        step = label["steps"][label["defect_image"]]
        others = [other["scene"] for other in label["steps"] if other is not step]
        assert step["scene"]["decor"] not in {scene["decor"] for scene in others}
        said = set(re.findall("[a-z]+", step["text"].lower()))
        scene = from_data(step["scene"])
        assert not all(item.color in said and item.noun in said for item in scene.items)


def test_a_duplicate_repeats_a_clean_document_to_the_word_and_the_byte_under_another_address(corpus):
    root, labels = corpus
    place = {(label["file"], label["locator"]): label for label in labels}
    for label, found in of(corpus, "duplicate"):
        original = place[tuple(label["duplicate_of"])]
        assert original["defect"] is None
        assert read(root, original) == found
        assert (original["file"], original["locator"]) != (label["file"], label["locator"])
    assert all(label["duplicate_of"] is None for label in labels if label["defect"] != "duplicate")


def test_spam_leaves_the_vocabulary_in_most_texts(corpus):
    for _, (texts, _) in of(corpus, "spam"):
        strange = [text for text in texts if not set(re.findall("[a-z]+", text.lower())) <= WORDS]
        assert len(strange) >= len(texts) / 3


def test_too_short_means_a_handful_of_words(corpus):
    for _, (texts, images) in of(corpus, "too_short"):
        assert len(" ".join(texts).split()) < 12
        assert 1 <= len(images) <= 2


def test_an_icon_is_one_additional_image_of_16_to_24_px(corpus):
    for label, (_, images) in of(corpus, "icon"):
        sizes = [Image.open(io.BytesIO(data)).size for data in images]
        assert [index for index, size in enumerate(sizes) if size != (64, 64)] == [label["defect_image"]]
        assert 16 <= sizes[label["defect_image"]][0] <= 24


def test_exactly_the_broken_image_does_not_decode(corpus):
    def decodes(data: bytes) -> bool:
        try:
            Image.open(io.BytesIO(data)).load()
        except (UnidentifiedImageError, OSError, SyntaxError):
            return False
        return True

    for label, (_, images) in of(corpus, "broken"):
        assert [index for index, data in enumerate(images) if not decodes(data)] == [label["defect_image"]]


def test_a_shuffled_document_has_its_first_or_last_step_elsewhere(corpus):
    for label, _ in of(corpus, "shuffled"):
        sizes = [len(step["scene"]["items"]) for step in label["steps"]]
        assert len(sizes) >= 3
        assert label["topic"] != "edit"
        if label["topic"] in ("lesson", "assembly"):
            assert sizes != sorted(sizes)


def test_a_page_names_its_address_and_license_and_wraps_the_document_in_a_site(corpus):
    root, labels = corpus
    addresses = set()
    for label in labels:
        if not label["file"].startswith("html/"):
            continue
        tree = LexborHTMLParser((root / label["file"]).read_text(encoding="utf-8"))
        addresses.add(tree.css_first("link[rel=canonical]").attributes["href"])
        assert (
            tree.css_first("link[rel=license]").attributes["href"]
            == "https://creativecommons.org/publicdomain/zero/1.0/"
        )
        assert tree.css_first("nav")
        assert tree.css_first("footer")
    assert len(addresses) == sum(label["file"].startswith("html/") for label in labels)
    hosts = {address.split("/")[2] for address in addresses}
    assert all(host.endswith(".sketchbook.example") for host in hosts)
    assert len(hosts) > 25


def test_mmc4_lines_have_the_published_fields_and_no_made_up_similarity(corpus):
    root, _ = corpus
    for line in (root / "mmc4" / "docs_0000.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        assert set(record) == {"url", "text_list", "image_info", "could_have_url_duplicate"}
        for image in record["image_info"]:
            assert set(image) == {"image_name", "raw_url", "matched_text_index", "face_detections"}
            assert 0 < image["matched_text_index"] < len(record["text_list"])


def test_an_archive_is_one_gzip_member_a_record_without_a_clock(corpus):
    root, _ = corpus
    data = (root / "warc" / "pages_0002.warc.gz").read_bytes()
    records = list(ArchiveIterator(io.BytesIO(data), parse_http=False))
    assert records[0].record_type == WarcRecordType.warcinfo
    for record in records:
        assert data[record.stream_pos : record.stream_pos + 8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
        assert record.headers["WARC-Date"] == "2026-01-01T00:00:00Z"
    assert gzip.decompress(data).startswith(b"WARC/1.1\r\n")


def test_no_temporary_file_stays_behind(corpus):
    assert not list(corpus[0].rglob("*.tmp"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"defects": (("missaligned", 0.1),)}, 'unknown defect "missaligned"; did you mean "misaligned"'),
        ({"defects": (("spam", 1.5),)}, r"defects\.spam: the rate 1\.5 is not between 0 and 1"),
        ({"defects": (("spam", 0.6), ("icon", 0.6))}, r"sum to 1\.2; at most 1"),
        ({"defects": (("spam", 0.1), ("spam", 0.1))}, "given twice"),
        ({"defects": (("duplicate", 1.0),)}, "there is no document without a defect to repeat"),
        ({"documents": 0}, "documents: 0 is too few"),
        ({"image_px": 8}, "image_px: 8 is not between 32 and 1024"),
    ],
)
def test_wrong_settings_say_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{"seed": 1, "documents": 10, "image_px": 64, **wrong})


def test_labels_of_a_corpus_that_is_not_written_yet_cannot_be_collected(tmp_path):
    with pytest.raises(FileNotFoundError):
        collect_labels(SETTINGS, tmp_path)
