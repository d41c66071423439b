"""Exact duplicates: exactly one of equals stays, whoever else comes, in whatever order."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter.scores import duplicate
from leafinstruct.records.rows import KeyRow


def rows(*texts: str) -> list[KeyRow]:
    return [
        duplicate.key_row(document(text, f"!{index}", file=f"{index}.html"))
        for index, text in enumerate(texts)
    ]


def test_the_smallest_id_stays_and_every_later_one_counts_those_before():
    keys = rows("same text", "Same  TEXT!", "other", "same text")
    results = duplicate.reduce([("p", keys)])["p"]
    same = sorted((row.document_id, row.text) for row in results if row.document_id != keys[2].document_id)
    assert [count for _, count in same] == [0, 1, 2]


def test_case_space_and_punctuation_are_no_difference_but_words_are():
    assert duplicate.text_digest(document("A red house.")) == duplicate.text_digest(
        document("a RED", "house")
    )
    assert duplicate.text_digest(document("a red house")) != duplicate.text_digest(document("a red horse"))


def test_texts_that_differ_in_a_symbol_or_a_vowel_sign_are_no_copies():
    for one, other in (
        ("Learn C++", "Learn C#"),
        ("Keep it at -5", "Keep it at 5"),
        ("हिंदी की किताब", "हिंदू का काताब"),
        ("กาแฟ", "กีแฟ"),
    ):
        assert duplicate.text_digest(document(one)) != duplicate.text_digest(document(other))
    assert duplicate.text_digest(document("在 IoT 中,好")) == duplicate.text_digest(
        document("在IoT中，", "好。")  # noqa: RUF001
    )


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_exactly_one_of_each_text_has_none_before_it_for_any_order_and_partition(texts, random):
    keys = rows(*texts)
    shuffled = random.sample(keys, len(keys))
    cut = random.randint(0, len(keys))
    parts = duplicate.reduce([("x", shuffled[:cut]), ("y", shuffled[cut:])])
    found = [row for part in parts.values() for row in part]
    whole = duplicate.reduce([("all", keys)])["all"]
    assert sorted(map(str, found)) == sorted(map(str, whole))
    first = [row.document_id for row in found if row.text == 0]
    text_of = {key.document_id: key.text for key in keys}
    assert len(first) == len(set(texts)) == len({text_of[document] for document in first})


def test_documents_without_words_are_no_copies_of_each_other():
    assert duplicate.text_digest(document("* * *", file="1")) != duplicate.text_digest(
        document("---", file="2")
    )


def test_shared_images_are_a_share():
    one, two = document("x", "!a", "!b", file="1"), document("y", "!a", "!c", file="2")
    results = {
        row.document_id: row.images
        for row in duplicate.reduce([("p", [duplicate.key_row(one), duplicate.key_row(two)])])["p"]
    }
    assert sorted(results.values()) == [0.0, 0.5]
    assert results[min(one.id, two.id)] == 0.0


def test_an_image_repeated_inside_a_document_counts_its_earlier_selves():
    cells = duplicate.within(document("!a", "x", "!b", "!a", "!a"))
    assert [(cell.position, cell.value) for cell in cells] == [(0, 0.0), (2, 0.0), (3, 1.0), (4, 2.0)]
    page = document("!a", "!b")
    unread = replace(page, segments=tuple(replace(image, sha256=None) for image in page.images))
    assert len(duplicate.within(unread)) == 2
