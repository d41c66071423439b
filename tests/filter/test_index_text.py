"""Near-duplicate texts: edited copies are found, strangers are not, whatever the parts and the order."""

from __future__ import annotations

import random
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from corpora import reading
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from leafinstruct.filter.index.groups import SIMILAR, Texts
from leafinstruct.filter.index.text import BANDS, RUN_LIMIT, bands_of, runs_of
from leafinstruct.records.text.words import identity


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the runs of two texts."""
    left, right = (set(runs_of(identity(text)).tolist()) for text in (one, other))
    return len(left & right) / len(left | right)


def grouped(texts: list[str], part: int, folder: Path) -> set[frozenset[int]]:
    """Groups of the texts' indices, each added in parts of `part`."""
    runs = [runs_of(identity(text)) for text in texts]
    bands = [bands_of(one) if len(one) else np.zeros(BANDS, np.uint64) for one in runs]
    with Texts(len(texts), folder) as index:
        for at in range(0, len(texts), part):
            some = runs[at : at + part]
            index.add(np.array(bands[at : at + part]), np.array(list(map(len, some))), np.concatenate(some))
        same = np.array([hash(identity(text)) & (2**63 - 1) for text in texts], np.uint64)
        label = index.components(same).tolist()
    return {
        frozenset(at for at, other in enumerate(label) if other == value and texts[at]) for value in label
    } - {frozenset()}


@st.composite
def corpora(draw: DrawFn) -> list[str]:
    """Texts of a few words each, of which many are cuts, joins and changes of others."""
    words = st.lists(st.sampled_from("abcdefghij"), min_size=0, max_size=30)
    texts = draw(st.lists(words, min_size=1, max_size=12))
    for _ in range(draw(st.integers(0, 12))):
        base = list(draw(st.sampled_from(texts)))
        for at in draw(st.lists(st.integers(0, 29), max_size=4)):
            base[at : at + 1] = [draw(st.sampled_from("abcdefghijklm"))]
        texts.append(base)
    return [" ".join(text) for text in texts]


@settings(max_examples=60, deadline=None)
@given(corpora(), st.randoms(use_true_random=False), st.integers(1, 9))
def test_groups_depend_on_no_order_and_no_part(tmp_path_factory, texts, source, part):
    folder = tmp_path_factory.getbasetemp()
    order = list(range(len(texts)))
    source.shuffle(order)
    mixed = {
        frozenset(order[at] for at in group) for group in grouped([texts[at] for at in order], part, folder)
    }
    assert mixed == grouped(texts, len(texts), folder)


@settings(max_examples=60, deadline=None)
@given(corpora())
def test_groups_are_the_components_over_the_verified_candidates(tmp_path_factory, texts):
    """Against a comparison of every pair with every other."""
    runs = [runs_of(identity(text)) for text in texts]
    bands = [set(bands_of(one).tolist()) for one in runs]
    label = list(range(len(texts)))
    for one in range(len(texts)):
        for other in range(one):
            candidates = bool(bands[one] & bands[other])
            if texts[one] and candidates and similarity(texts[one], texts[other]) >= SIMILAR:
                label = [label[other] if value == label[one] else value for value in label]
    wanted = {frozenset(at for at, other in enumerate(label) if other == value) for value in label}
    found = grouped(texts, 5, tmp_path_factory.getbasetemp())
    assert found == {group for group in wanted if texts[min(group)]}


def test_short_copies_with_a_tenth_of_their_words_changed_share_a_band():
    """Those that are similar enough to be verified. Strangers share none."""
    source = random.Random(5)
    vocabulary = [f"w{number}" for number in range(400)]
    copies, strangers = [], 0
    for _ in range(300):
        words = source.choices(vocabulary, k=90)
        changed = [source.choice(vocabulary) if source.random() < 0.1 else word for word in words]
        one, other = " ".join(words), " ".join(changed)
        left, right, third = (
            set(bands_of(runs_of(text)).tolist())
            for text in (one, other, " ".join(source.choices(vocabulary, k=90)))
        )
        if similarity(one, other) >= SIMILAR:
            copies.append(bool(left & right))
        strangers += bool(left & third)
    assert len(copies) > 270
    assert sum(copies) / len(copies) > 0.975
    assert strangers == 0


def test_runs_are_the_different_runs_of_three_words():
    text = identity("the cat saw the cat saw the dog, Ünïcode too")
    words = text.split()
    runs = runs_of(text)
    assert len(runs) == len({tuple(words[at : at + 3]) for at in range(len(words) - 2)})
    assert runs.tolist() == sorted(set(runs.tolist()))
    assert runs[-1] < RUN_LIMIT
    for at in range(len(words) - 2):  # a run has one number, wherever it is and whatever is beside it
        assert runs_of(" ".join(words[at : at + 3]))[0] in runs


def test_a_long_text_has_the_runs_of_its_pieces():
    """Words are hashed in blocks; pieces overlap by two words."""
    source = random.Random(3)
    words = [f"w{source.randrange(10**6)}" for _ in range(150_000)]
    pieces = [runs_of(" ".join(words[at : at + 10_002])) for at in range(0, len(words), 10_000)]
    assert np.array_equal(runs_of(" ".join(words)), np.unique(np.concatenate(pieces)))


def test_short_texts_have_one_run_and_no_text_has_none():
    assert len(runs_of("one")) == len(runs_of("one two")) == len(runs_of("one two three")) == 1
    assert runs_of("one two") != runs_of("two one")
    assert len(runs_of("")) == len(bands_of(runs_of(""))) == 0


@pytest.mark.parametrize(
    "text", ["먼저 쌀을 세 번 씻어 물에 담가", "Đầu tiên vo gạo ba lần", "ガスを デザイン バター"]
)
def test_decomposed_words_are_the_same_words(text):
    assert similarity(text, unicodedata.normalize("NFD", text)) == 1
    assert similarity(f"it's {text}", f"it’s {text}") == 1  # noqa: RUF001 - the typographic apostrophe is meant


def test_in_scripts_without_spaces_a_run_is_three_words_long():
    """4.5 ideographs, so 5; 9 clusters of Thai."""
    chinese, thai = "先把土豆削皮再切成小块放入锅中煮", "ตัดกระดาษสีแดงเป็นวงกลมแล้วทากาว"
    assert len(runs_of(identity(chinese))) == len(chinese) - 4
    assert len(runs_of(identity(thai))) == len(identity(thai).split()) - 8


def test_vowel_signs_are_parts_of_words():
    """Without them two Hindi texts of the same consonants were one."""
    assert similarity("हिंदी की किताब पढ़ो आज", "हंद क कतब पढ आज") == 0


def test_numbers_are_the_same_everywhere():
    """They decide the split of each row: another library, version or machine may not move them unseen."""
    runs = runs_of(identity("Draw a red wall on the grass, then a brown roof on top of it."))
    assert runs[:3].tolist() == [28753756, 122645408, 262474917]
    assert bands_of(runs)[:2].tolist() == [16616685544201722278, 14422386411242765840]


PAGES = [identity(" ".join(text.text for text in page.texts)).split() for page in reading.documents("latin")]


def changed(words: list[str], source: random.Random, share: float) -> list[str]:
    copy = list(words)
    for at in source.sample(range(len(words)), round(share * len(words))):
        copy[at] = source.choice(source.choice(PAGES))
    return copy


def reordered(words: list[str], source: random.Random) -> list[str]:
    sentences = [words[at : at + 12] for at in range(0, len(words), 12)]
    source.shuffle(sentences)
    return [word for sentence in sentences for word in sentence]


def framed(words: list[str], source: random.Random) -> list[str]:
    """The page within the frame of another site, half as long as itself."""
    frame = (10 * source.choice(PAGES))[: len(words) // 2]
    return frame[: len(frame) // 2] + words + frame[len(frame) // 2 :]


EDITS = {
    "a tenth of the words changed": (partial(changed, share=0.1), 54),
    "within the frame of another site": (framed, 59),
    "sentences in another order": (reordered, 58),
}


@pytest.mark.parametrize(("edit", "least"), [*EDITS.values()], ids=[*EDITS])
def test_edited_pages_are_grouped_with_their_originals_and_with_no_other(tmp_path, edit, least):
    """60 pages of about 170 words."""
    source = random.Random(5)
    texts = [" ".join(page) for page in PAGES]
    copies = [" ".join(edit(page, source)) for page in PAGES]
    groups = [group for group in grouped(texts + copies, 17, tmp_path) if len(group) > 1]
    assert all(group == {min(group), min(group) + 60} for group in groups)
    assert len(groups) >= least


def test_no_two_of_540_documents_in_nine_scripts_are_grouped(tmp_path):
    texts = [
        " ".join(text.text for text in page.texts)
        for name in reading.GROUPS
        for page in reading.documents(name)
    ]
    assert len(grouped(texts, 50, tmp_path)) == len(texts) == 540


def test_a_thousand_copies_of_one_page_cost_a_comparison_each(tmp_path, monkeypatch):
    """Copies of one page are compared with one of them, not all with all: half a million pairs."""
    compared = []
    common = Texts._common
    monkeypatch.setattr(
        Texts, "_common", lambda own, left, right: (compared.append(len(left)), common(own, left, right))[1]
    )
    source = random.Random(1)
    texts = [" ".join(changed(PAGES[0], source, 0.03)) for _ in range(1000)]
    assert len(grouped(texts, 500, tmp_path)) == 1
    assert sum(compared) < 4_000
