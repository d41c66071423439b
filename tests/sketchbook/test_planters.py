"""Planted defects: what each one changes, that its record is true, and its exact share of a corpus."""

from __future__ import annotations

import hashlib
import io
import random
import re
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from leafinstruct.filter.texts import personal as personal_data
from leafinstruct.sketchbook.documents.blocks import DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.page import page
from leafinstruct.sketchbook.documents.plan import FORMATS, MARKUP, TOPICS, Settings, chunks, defects_of
from leafinstruct.sketchbook.planting import corpus, personal, phrases
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.planter import Material, images_of, prose_of
from leafinstruct.sketchbook.planting.qr import qr_code

LONG = tuple(topic for topic in TOPICS if topic != "edit")
CLEAN = Settings(seed=71, documents=60, image_px=96, topics=LONG, layout="any", formats=("html",))
EVERY = sorted(PLANTERS)


@cache
def blocks_of(index: int):
    return page(CLEAN, index, "html").blocks


def planted(name: str, index: int = 3):
    rng = random.Random(f"{name} {index}")
    return PLANTERS[name].plant(
        blocks_of(index), Material(rng, lambda: blocks_of(rng.choice([40, 41, 42, 43, 44])))
    )


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def texts_of(blocks) -> list[str]:
    return [block.text for block in blocks if isinstance(block, Paragraph)]


def shown(blocks, name: str) -> DrawnImage:
    return next(image for image in images_of(blocks) if image.name == name)


@pytest.mark.parametrize("name", EVERY)
def test_a_planter_is_a_pure_function_that_changes_the_page_and_names_what_it_planted(name):
    made, again = planted(name), planted(name)
    assert made == again
    assert (made.blocks == blocks_of(3)) == (name == "exact_copy")
    names = [image.name for image in images_of(made.blocks)]
    assert len(set(names)) == len(names)
    assert set(made.images) <= set(names)
    everything = "\n".join(texts_of(made.blocks))
    assert all(text in everything for text in made.texts)
    assert isinstance(made.blocks[0], Paragraph)
    if name != "broken_file":
        assert all(
            opened(image.data).size == (image.px, image.height or image.px)
            for image in images_of(made.blocks)
        )


@pytest.mark.parametrize("name", EVERY)
def test_a_record_says_who_could_see_it_and_pieces_can_be_missed(name):
    planter = PLANTERS[name]
    assert planter.seen_by
    assert all(re.fullmatch(r"score: [a-z ._]+|rule: [a-z_]+|clip|judge", who) for who in planter.seen_by)
    assert planter.does
    assert planter.strength
    made = planted(name)
    assert planter.gone == "document" or made.texts or made.images
    assert planter.gone != "copy" or len(made.images) == 2


@pytest.mark.parametrize("name", sorted(name for name in EVERY if PLANTERS[name].level == "text"))
def test_bad_text_leaves_title_and_images_alone(name):
    made = planted(name)
    assert made.blocks[0] == blocks_of(3)[0]
    assert images_of(made.blocks) == images_of(blocks_of(3))


@pytest.mark.parametrize("name", sorted(name for name in EVERY if PLANTERS[name].level == "image"))
def test_bad_images_leave_the_text_alone(name):
    assert texts_of(planted(name).blocks) == texts_of(blocks_of(3))


def test_the_classes_of_every_level_are_there():
    assert Counter(planter.level for planter in PLANTERS.values()) == {
        "text": 32,
        "image": 23,
        "document": 7,
        "sequence": 7,
        "duplicate": 8,
    }


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_card_number_has_a_valid_check_digit(seed):
    digits = [int(digit) for digit in personal.card(random.Random(seed)).replace(" ", "")]
    doubled = [digit * 2 if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    assert sum(digit - 9 * (digit > 9) for digit in doubled) % 10 == 0
    assert len(digits) == 16


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_an_ip_address_is_public(seed):
    import ipaddress

    assert ipaddress.ip_address(personal.ip_address(random.Random(seed))).is_global


def test_the_qr_code_is_the_one_that_opencv_4_read_as_its_text():
    """A decoder is no dependency of the tests; the hash is of the code that cv2.QRCodeDetector read."""
    image = qr_code("https://qr.example/deadbeef", 132).resize((33, 33), Image.Resampling.NEAREST)
    assert hashlib.sha256(image.convert("1").tobytes()).hexdigest()[:16] == "117075dd08c1e809"


def test_shuffled_images_and_captions_are_all_elsewhere():
    before = images_of(blocks_of(3))
    after = images_of(planted("images_shuffled").blocks)
    assert all(one.data != two.data for one, two in zip(before, after, strict=True))
    assert {image.data for image in before} == {image.data for image in after}
    captions = [image.caption for image in images_of(planted("captions_swapped").blocks)]
    assert all(captions)


def test_a_sequence_is_reversed_shuffled_or_repeated_with_its_texts():
    def pairs(blocks):
        return [
            (blocks[place - 1].text if isinstance(blocks[place - 1], Paragraph) else "", block.data)
            for place, block in enumerate(blocks)
            if isinstance(block, DrawnImage)
        ]

    index = next(
        i for i in range(40) if isinstance(blocks_of(i)[2], Paragraph) and len(prose_of(blocks_of(i))) > 4
    )
    clean = pairs(blocks_of(index))
    assert pairs(planted("reversed_order", index).blocks) == clean[::-1]
    moved = pairs(planted("shuffled_steps", index).blocks)
    assert sorted(moved) == sorted(clean)
    assert all(one != two for one, two in zip(clean, moved, strict=True))
    assert len(pairs(planted("repeated_step", index).blocks)) == len(clean) + 2


@pytest.mark.parametrize(
    ("beginnings", "numbered"),
    [
        (("Step 1: cut", "Step 2: fold", "Step 3"), True),
        (("The first side", "the second side", "The third side"), True),
        (("1. Cut", "2. Fold", "3. Glue", "4. Dry"), True),
        (("1. Cut", "2. Fold", "3. Glue"), False),  # as few plain numbers may be anything
        (("2. Cut", "then", "3) Fold", "4: Glue", "5. Dry"), True),
        (("Step 1", "Step 3", "Step 4"), False),
        (("Step 3", "Step 2", "Step 1"), False),
        (("First, cut", "Then fold", "Finally, glue"), False),
        (("10 sheets", "11 pens", "12 pins", "13 cups"), False),
        (("1.5 m", "2.5 m", "3.5 m", "4.5 m"), False),
    ],
)
def test_steps_are_planted_in_another_order_where_numbers_show_it_and_where_they_do_not(beginnings, numbered):
    image = images_of(blocks_of(3))[0]
    steps = [(Paragraph(text), replace(image, name=f"{at}.png")) for at, text in enumerate(beginnings)]
    blocks = (Paragraph("How to", heading=True), *(block for step in steps for block in step))
    for name in ("reversed_order", "shuffled_steps"):
        assert PLANTERS[name].fits(blocks) == numbered
        assert PLANTERS[f"{name}_unnumbered"].fits(blocks) != numbered
        assert not PLANTERS[f"{name}_unnumbered"].fits(blocks[:3])


def test_damaged_pixels_are_as_their_records_say():
    clean = {image.name: opened(image.data) for image in images_of(blocks_of(3))}

    def spread(name: str) -> tuple[float, float]:
        made = planted(name)
        image = opened(shown(made.blocks, made.images[0]).data)
        return ImageStat.Stat(image.convert("L")).stddev[0], ImageStat.Stat(
            clean[made.images[0]].convert("L")
        ).stddev[0]

    assert spread("flat_color")[0] == 0
    low, before = spread("low_contrast")
    assert low < before / 15
    assert spread("noise")[0] > 40
    made = planted("mirrored")
    first, copy = (opened(shown(made.blocks, name).data) for name in made.images)
    assert ImageChops.difference(first.transpose(Image.Transpose.FLIP_LEFT_RIGHT), copy).getbbox() is None
    made = planted("recompressed")
    first, copy = (opened(shown(made.blocks, name).data) for name in made.images)
    assert 0 < ImageStat.Stat(ImageChops.difference(first, copy)).mean[0] < 12


def test_a_copy_repeats_most_of_its_original():
    own = " ".join(texts_of(blocks_of(3))).split()
    changed = " ".join(texts_of(planted("words_changed").blocks)).split()
    kept = sum(one == two for one, two in zip(own, changed, strict=True)) / len(own)
    assert 0.8 <= kept < 1
    reordered = planted("paragraphs_reordered").blocks
    assert sorted(texts_of(reordered)) == sorted(texts_of(blocks_of(3)))
    assert images_of(reordered) == images_of(blocks_of(3))
    assert not set(texts_of(planted("images_mirrored").blocks)) & set(texts_of(blocks_of(3)))


def test_an_item_of_the_benchmark_is_inside_a_longer_paragraph():
    (text,) = planted("benchmark_item").texts
    (item,) = [item for item in phrases.BENCHMARK if item in text]
    assert len(text) > len(item) + 60


def test_a_corpus_has_exactly_its_share_of_each_class_where_it_can_show():
    rates = tuple((name, 0.01) for name in EVERY)
    drawing = Settings(seed=8, documents=400, image_px=32, defects=rates)
    assert Counter(defects_of(drawing).values()) == dict.fromkeys(EVERY, 4)
    formats = {i: chunk.format for chunk in chunks(drawing) for i in range(chunk.start, chunk.stop)}
    for index, name in defects_of(drawing).items():
        made = page(drawing, index, formats[index])
        assert made.defect == name
        assert (made.original is not None) == PLANTERS[name].copies
        assert not PLANTERS[name].markup or formats[index] in MARKUP


@pytest.mark.e2e
def test_a_corpus_with_planters_is_written_in_all_formats_and_read_again(tmp_path):
    import leafinstruct

    rates = dict.fromkeys(EVERY, 0.01)
    source = {"kind": "sketchbook", "seed": 5, "documents": 100, "image_px": 32, "defects": rates}
    reading = leafinstruct.read(source)
    documents = list(reading)
    assert len(documents) == 100
    assert set(reading.losses.reasons) == set()
    assert {document.provenance.file.split("/")[0] for document in documents} == set(FORMATS)


def test_an_unknown_class_is_an_error_with_the_nearest_name():
    with pytest.raises(ValueError, match='unknown defect "bluring"; did you mean "blurred"'):
        Settings(seed=1, documents=10, defects=(("bluring", 0.1),))
    with pytest.raises(ValueError, match=r"defects\.exact_copy: there is no document without a defect"):
        Settings(seed=1, documents=10, defects=(("exact_copy", 1.0),))


def test_a_written_corpus_names_every_planted_page_and_is_the_same_again(tmp_path):
    sources = [corpus.Source(blocks_of(index)) for index in range(30)]
    donors = [corpus.Source(blocks_of(index)) for index in range(40, 45)]
    classes = ("blurred", "exact_copy", "cards", "duplicated", "reversed_order")
    for root in (tmp_path / "one", tmp_path / "two"):
        root.mkdir()
        truths = corpus.write(root, corpus.planted_into(sources, classes, 3, seed=4), donors, seed=4)
    assert Counter(truth.defect for truth in truths) == {None: 18, **dict.fromkeys(classes, 3)}
    assert corpus.read_truth(root) == truths
    files = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(tmp_path / "one"): path.read_bytes()
        for path in (tmp_path / "one").rglob("*")
        if path.is_file()
    }
    clean = {truth.file for truth in truths if truth.defect is None}
    originals = [truth.original for truth in truths if truth.original]
    assert len(set(originals)) == len(originals) == 3
    for truth in truths:
        assert (root / truth.file).is_file()
        assert all((root / name).is_file() for name in truth.images)
        assert (truth.original in clean) == (truth.defect == "exact_copy")


def test_pages_of_a_site_are_of_one_host_and_enough_for_it(tmp_path):
    sources = [corpus.Source(blocks_of(index)) for index in range(40)]
    chosen = corpus.planted_into(sources, ["cookie_text", "symbols"], 2, 5)
    planter = PLANTERS["cookie_text"]
    assert Counter(one.defect for one in chosen) == {"cookie_text": planter.site, "symbols": 2, None: 26}
    truths = corpus.write(tmp_path, chosen, sources[:2], 5)
    hosts = {
        truth.defect == planter.name: re.findall(r'rel="canonical" href="https://([^/]+)/', page)
        for truth in truths
        for page in [(tmp_path / truth.file).read_text(encoding="utf-8")]
    }
    assert hosts[True] == ["cookie-text.sketchbook.example"]
    assert hosts[False] != hosts[True]


@pytest.mark.parametrize("value", [personal.email, personal.phone])
def test_planted_addresses_and_numbers_are_of_no_form_that_filter_leaves(value):
    source = random.Random(1)
    for _ in range(40):
        text = f"Write to {value(source)} in the morning."
        assert len(personal_data.find(text)) == 1, text
