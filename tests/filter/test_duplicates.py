"""Duplicates across documents: exactly one of equals stays, the best, whoever else comes, in whatever
order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from corpora import reading
from hypothesis import given, settings
from hypothesis import strategies as st
from making import InlineEngine, document

from leafinstruct.filter.index.reduce import reduce
from leafinstruct.filter.scores import duplicate
from leafinstruct.images.near import MIRROR
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.rows import DuplicateRow


def reduced(*parts: Sequence[Document], hashes: dict[str, str] | None = None) -> dict[str, DuplicateRow]:
    """Document -> what the global step finds out about it. hashes: of images by name."""
    with TemporaryDirectory() as folder:
        files = {}
        for at, part in enumerate(parts):
            files[f"p{at}"] = Path(folder) / f"keys-p{at}.parquet"
            of_images = [
                {image.position: (hashes or {}).get(str(image.sha256)) for image in page.images}
                for page in part
            ]
            table.write(files[f"p{at}"], map(duplicate.key_row, part, of_images), table.KEYS)
        return {
            row.document_id: row for _, rows in reduce(files, Path(folder), InlineEngine()) for row in rows
        }


def digest(page: Document) -> str:
    return duplicate.key_row(page, {}).text


def pages(*texts: str) -> list[Document]:
    return [document(text, f"!{index}", file=f"{index}.html") for index, text in enumerate(texts)]


def test_of_equal_pages_the_smallest_id_stays_and_every_later_one_counts_those_before():
    made = pages("same text", "Same  TEXT!", "other", "same text")
    found = reduced(made)
    other = made[2].id
    same = sorted((row.document_id, row.text) for row in found.values() if row.document_id != other)
    assert [count for _, count in same] == [0, 1, 2]
    assert found[other].text == found[other].near_text == 0
    assert found[other].group is None


def test_the_better_copy_has_more_images_then_more_words_then_the_smaller_id():
    """Two captions more are two words more, but not another text: their words are the last of the page."""
    few = document("a red house by the lake", "!a", file="1")
    more = document("a red house", "!b", "by the lake", "!c", file="2")
    found = reduced([few], [more])
    assert (found[more.id].text, found[few.id].text) == (0, 1)
    assert (found[more.id].near_text, found[few.id].near_text) == (0, 1)
    assert found[few.id].group == found[more.id].group == more.id


def near_copy(page: Document, seed: int, *images: str) -> Document:
    words = page.texts[1].text.split()
    words[seed % len(words)] = f"changed{seed}"
    rest = [text.text for text in page.texts[2:]]
    return document(" ".join(words), *rest, *images, file=f"copy-{page.id}-{seed}")


def test_a_group_keeps_its_best_member_and_no_two_scores_drop_both():
    """Exact and near copies of one page, with different images: one document has none before it by any
    score."""
    page = reading.documents("latin")[0]
    copies = [near_copy(page, seed, *[f"!{seed}{at}" for at in range(seed % 3)]) for seed in range(6)]
    exact = [replace(copies[seed], id=f"{seed}") for seed in (1, 2)]
    found = reduced(copies[:4], copies[4:] + exact)
    best = [row.document_id for row in found.values() if not row.near_text]
    assert best == [min(one.id for one in [*copies, *exact] if len(one.images) == 2)]
    assert all(found[one].text == 0 for one in best)
    assert {row.group for row in found.values()} == set(best)
    assert sorted(row.near_text for row in found.values()) == list(range(8))


def test_different_texts_that_share_images_are_in_no_group():
    one, two = reading.documents("latin")[0], reading.documents("cyrillic")[0]
    shared = replace(
        two, segments=tuple(item for item in two.segments if item not in two.images) + one.images
    )
    found = reduced([one, shared])
    assert {row.group for row in found.values()} == {None}
    assert sorted(row.images for row in found.values()) == [0.0, 1.0]


def test_case_space_and_punctuation_are_no_difference_but_words_are():
    assert digest(document("A red house.")) == digest(document("a RED", "house"))
    assert digest(document("a red house")) != digest(document("a red horse"))


def test_texts_that_differ_in_a_symbol_or_a_vowel_sign_are_no_copies():
    for one, other in (
        ("Learn C++", "Learn C#"),
        ("Keep it at -5", "Keep it at 5"),
        ("हिंदी की किताब", "हिंदू का काताब"),
        ("กาแฟ", "กีแฟ"),
    ):
        assert digest(document(one)) != digest(document(other))
    assert digest(document("在 IoT 中,好")) == digest(
        document("在IoT中，", "好。")  # noqa: RUF001
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sets(st.integers(0, 4), max_size=3)), min_size=1, max_size=15
    ),
    st.randoms(use_true_random=False),
)
def test_results_depend_on_no_order_and_no_part_and_one_of_each_text_stays(found, source):
    made = [
        document(f"text of {text} here", *[f"!i{at}" for at in sorted(shown)], file=f"{number}")
        for number, (text, shown) in enumerate(found)
    ]
    hashes = {f"i{at}": f"{(1 << 255) + (1 << 20 * at) - 1:064x}" for at in range(5)}
    shuffled = source.sample(made, len(made))
    cut = source.randint(0, len(made))
    results = reduced(made, hashes=hashes)
    assert reduced(shuffled[:cut], shuffled[cut:], hashes=hashes) == results
    first = [page for page in made if results[page.id].text == 0]
    assert len(first) == len({text for text, _ in found})
    for page in first:  # nothing better: more images, or as many and a smaller id
        same = [one for one in made if one.texts[0].text == page.texts[0].text]
        assert (-len(page.images), page.id) == min((-len(one.images), one.id) for one in same)


def test_documents_without_words_are_no_copies_of_each_other():
    assert digest(document("* * *", file="1")) != digest(document("---", file="2"))


def test_shared_images_are_a_share():
    one, two = document("x", "!a", "!b", file="1"), document("y", "!a", "!c", file="2")
    found = reduced([one, two])
    assert found[min(one.id, two.id)].images == 0.0
    assert found[max(one.id, two.id)].images == 0.5


@pytest.mark.parametrize(
    ("bits", "mirror", "near", "copied"),
    [
        *((0, False, 0.5, 0.5), (8, False, 0.5, 0.5), (8, True, 0.5, 0.5), (9, False, 0.5, 0)),
        *((25, False, 0.5, 0), (25, True, 0.5, 0), (26, False, 0, 0)),
    ],
)
def test_near_images_differ_in_a_tenth_of_the_bits_and_copies_in_8_also_mirrored(bits, mirror, near, copied):
    source = random.Random(bits)
    first = source.getrandbits(256) | 1 << 255
    other = first
    for at in source.sample(range(255), bits):
        other ^= 1 << at
    flipped = int.from_bytes(MIRROR.astype(">u8").tobytes()) if mirror else 0
    hashes = {"a": f"{first:064x}", "b": f"{other ^ flipped:064x}"}
    one, two = document("x", "!a", "!c", file="1"), document("y", "!b", "!d", file="2")
    found = reduced([one], [two], hashes=hashes)
    assert {row.images for row in found.values()} == {0.0}
    worse, better = (found[choose(one.id, two.id)] for choose in (max, min))
    assert (worse.near_images, worse.copied_images) == (near, copied)
    assert (better.near_images, better.copied_images) == (0, 0)


def test_images_of_the_same_bytes_are_no_near_ones():
    one, two = document("x", "!a", "!b", file="1"), document("y", "!a", "!c", file="2")
    for hashes in ({}, {"a": f"{1 << 255:064x}"}):
        found = reduced([one, two], hashes=hashes).values()
        assert sorted(row.images for row in found) == [0.0, 0.5]
        assert {(row.near_images, row.copied_images) for row in found} == {(0.0, 0.0)}


def test_the_nearest_earlier_image_of_the_document_is_measured_in_bits():
    page = document("!a", "x", "!b", "!c", "!d")
    hashes = {0: "f" * 64, 3: "f" * 63 + "e", 4: "f" * 60 + "0000", 2: None}
    cells = duplicate.near_within(page, hashes)
    assert [(cell.position, cell.value) for cell in cells] == [(0, 256), (2, 256), (3, 1), (4, 15)]


def test_an_image_repeated_inside_a_document_counts_its_earlier_selves():
    cells = duplicate.within(document("!a", "x", "!b", "!a", "!a"))
    assert [(cell.position, cell.value) for cell in cells] == [(0, 0.0), (2, 0.0), (3, 1.0), (4, 2.0)]
    page = document("!a", "!b")
    unread = replace(page, segments=tuple(replace(image, sha256=None) for image in page.images))
    assert len(duplicate.within(unread)) == 2
