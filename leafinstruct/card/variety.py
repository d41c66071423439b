"""Variety of the questions and answers of a dataset, and the structure of its turns.

    distinct-n      number of different n-grams / number of n-grams, n = 1, 2, 3 (Li et al. 2016, arXiv
                    1510.03055)
    most frequent   share of the questions that equal the most frequent one: unchanged, with the row's title
                    replaced by `{title}`, and by their first OPENING words. Questions from a few templates
                    differ only in their titles, which the first share does not show.
    self-similarity mean Jaccard index of the words of two rows, over all pairs of a sample (similarity.py)

The question of a row is the first text of its user turns: the instruction, without the context that may
follow it. Its answers are all texts of its assistant turns. Words are lower-cased and separated by
`records.text.words.words_of`; an n-gram stays within one text.
Memory: nine sketches a task, at most 12 MB, and at most 131,072 openings. Cost: 0.7 microseconds a word.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leafinstruct.card.similarity import Sample
from leafinstruct.card.sketch import Distinct, Frequencies, Hashes
from leafinstruct.records.text.words import QUESTION_MARKS, TITLE_ENDS, words_of

COLUMNS = ("id", "task", "title", "messages")
"""Columns of the published row that are read; images are not."""

GRAMS = (1, 2, 3)
OPENING = 4
"""Number of words at the beginning of a question that are compared. They reveal templates also in rows
without a title."""

SHOWN = 80
"""Maximum number of characters of an opening that are compared and shown."""

_CACHED = 1 << 20
"""Number of words whose hashes are cached."""
_HOW_TO = re.compile(r"^how to\s+(?=\S)", re.IGNORECASE)


@dataclass
class Variety:
    """Counts over rows.

    titled: number of rows with a title. turns, prompt_images: number in one row -> number of rows.
    questions, answers: n -> n-grams. exact, template, opening: questions in the three forms described above.
    openings: hash -> opening; empty once `opening` is an estimate. sample: rows that are compared.
    """

    rows: int = 0
    titled: int = 0
    turns: Counter[int] = field(default_factory=Counter)
    prompt_images: Counter[int] = field(default_factory=Counter)
    questions: dict[int, Distinct] = field(default_factory=lambda: {n: Distinct() for n in GRAMS})
    answers: dict[int, Distinct] = field(default_factory=lambda: {n: Distinct() for n in GRAMS})
    exact: Frequencies = field(default_factory=Frequencies)
    template: Frequencies = field(default_factory=Frequencies)
    opening: Frequencies = field(default_factory=Frequencies)
    openings: dict[int, str] = field(default_factory=dict)
    sample: Sample = field(default_factory=Sample)

    def merge(self, other: Variety) -> None:
        """Add other counts."""
        self.rows += other.rows
        self.titled += other.titled
        self.turns.update(other.turns)
        self.prompt_images.update(other.prompt_images)
        for n in GRAMS:
            self.questions[n].merge(other.questions[n])
            self.answers[n].merge(other.answers[n])
        for name in ("exact", "template", "opening"):
            getattr(self, name).merge(getattr(other, name))
        self.name_openings(other.openings)
        self.sample.merge(other.sample)

    def name_openings(self, openings: Mapping[int, str]) -> None:
        """Add the words of openings, while each of them is counted by itself."""
        self.openings = {} if self.opening.is_estimate else {**self.openings, **openings}

    @property
    def _opening(self) -> str | None:
        """The most frequent opening, the first in alphabetical order of several; None if it is not known."""
        if not self.openings:
            return None
        most = self.opening.keys[self.opening.counts == self.opening.counts.max()]
        return min(self.openings[int(key)] for key in most)

    def figures(self) -> dict[str, object]:
        """Entry for build.json and the card. A share is null if there is nothing to count; `estimated` lists
        the shares that are not exact."""
        shares: dict[str, Distinct | Frequencies] = {
            **{f"question_distinct_{n}": found for n, found in self.questions.items()},
            **{f"answer_distinct_{n}": found for n, found in self.answers.items()},
            "most_frequent_question": self.exact,
            "most_frequent_template": self.template,
            "most_frequent_opening": self.opening,
        }
        of_questions, of_answers = self.sample.similarities()
        similar = {"question_self_similarity": of_questions, "answer_self_similarity": of_answers}
        return {
            "rows": self.rows,
            "titled": self.titled,
            "turns": _spread(self.turns),
            "prompt_images": _spread(self.prompt_images),
            "with_prompt_images": round((self.rows - self.prompt_images[0]) / self.rows, 6)
            if self.rows
            else None,
            **{
                name: None if found.share is None else round(found.share, 6) for name, found in shares.items()
            },
            "most_frequent_opening_words": self._opening,
            **{name: None if found is None else round(found, 6) for name, found in similar.items()},
            "estimated": [
                *(name for name, found in shares.items() if found.is_estimate),
                *(similar if self.sample.is_estimate else ()),
            ],
        }


class Counting:
    """Count batches of rows into the Variety of each task. Hashes of words are cached between batches."""

    def __init__(self) -> None:
        self.tasks: dict[str, Variety] = {}
        self._words: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch. batch: rows with COLUMNS, or with the fields of them that are used."""
        tasks = batch.column("task").to_pylist()
        titles = batch.column("title").to_pylist()
        keys = [_hash(name or "") for name in batch.column("id").to_pylist()]
        messages = batch.column("messages")
        turns = pc.list_flatten(messages)
        content = pc.struct_field(turns, "content")
        parts = pc.list_flatten(content)
        turn_of_part = pc.list_parent_indices(content)
        rows = _numpy(pc.list_parent_indices(messages).take(turn_of_part))
        from_user = _numpy(
            pc.equal(pc.struct_field(turns, "role"), "user").take(turn_of_part).fill_null(False)
        )
        from_assistant = _numpy(
            pc.equal(pc.struct_field(turns, "role"), "assistant").take(turn_of_part).fill_null(False)
        )
        is_image = _numpy(pc.equal(pc.struct_field(parts, "type"), "image").fill_null(False))
        texts = pc.struct_field(parts, "text")
        is_text = ~is_image & _numpy(pc.is_valid(texts))
        turn_counts = _numpy(pc.list_value_length(messages).fill_null(0))
        image_counts = np.bincount(rows[is_image & from_user], minlength=batch.num_rows)
        asked = np.flatnonzero(is_text & from_user)
        asked = asked[np.unique(rows[asked], return_index=True)[1]]
        answered = np.flatnonzero(is_text & from_assistant)
        for task in dict.fromkeys(tasks):
            own = np.array([name == task for name in tasks])
            found = self.tasks.setdefault(task, Variety())
            found.rows += int(own.sum())
            found.turns.update(turn_counts[own].tolist())
            found.prompt_images.update(image_counts[own].tolist())
            found.titled += sum(1 for title, mine in zip(titles, own, strict=True) if mine and title)
            places = asked[own[rows[asked]]]
            questions = texts.take(pa.array(places)).to_pylist()
            self._add_questions(found, questions, [titles[row] for row in rows[places]])
            self._add_grams(found.answers, texts.take(pa.array(answered[own[rows[answered]]])).to_pylist())
            found.sample.rows += int(own.sum())
            for row, key in enumerate(keys):
                if own[row] and found.sample.wants(key):
                    found.sample.add(
                        key, *(self._words_at(row, rows, side, texts) for side in (asked, answered))
                    )

    def _add_questions(self, found: Variety, questions: Sequence[str], titles: Sequence[str | None]) -> None:
        self._add_grams(found.questions, questions)
        found.exact.add(_hashed(question.strip() for question in questions))
        found.template.add(
            _hashed(
                templated(question.strip(), title) for question, title in zip(questions, titles, strict=True)
            )
        )
        openings = [" ".join(words_of(question.lower())[:OPENING])[:SHOWN] for question in questions]
        hashes = _hashed(openings)
        found.opening.add(hashes)
        found.name_openings(dict(zip(hashes.tolist(), openings, strict=True)))

    def _words_at(self, row: int, rows: NDArray[Any], side: NDArray[Any], texts: pa.Array) -> list[int]:
        """Hashes of the words of a row's texts. side: indices of the parts of one side, whose rows ascend."""
        first, last = np.searchsorted(rows[side], [row, row + 1])
        return list(self._words_hashed(texts.take(pa.array(side[first:last])).to_pylist(), []))

    def _add_grams(self, found: dict[int, Distinct], texts: Sequence[str]) -> None:
        lengths: list[int] = []
        hashes = np.fromiter(self._words_hashed(texts, lengths), np.uint64)
        text_of = np.repeat(np.arange(len(lengths)), lengths)
        for n in GRAMS:
            whole = text_of[n - 1 :] == text_of[: len(text_of) - n + 1]
            found[n].add(_mixed([hashes[at : len(hashes) - n + 1 + at] for at in range(n)])[whole])

    def _words_hashed(self, texts: Iterable[str], lengths: list[int]) -> Iterator[int]:
        """Hashes of all words. Appends the number of words of each text to `lengths`. A generator, so that
        only the words of one text are in memory as strings."""
        for text in texts:
            own = words_of(text.lower())
            lengths.append(len(own))
            yield from map(self._hash, own)

    def _hash(self, word: str) -> int:
        known = self._words.get(word)
        if known is None:
            if len(self._words) == _CACHED:
                self._words.clear()
            known = self._words[word] = _hash(word)
        return known


def templated(question: str, title: str | None) -> str:
    """Replace the title in a question by `{title}`, ignoring case and a full stop at its end.

    If the title is not found, it is tried without a final question mark or ellipsis, and "How to fold a boat"
    as "fold a boat", to match "How do I fold a boat?".
    """
    bare = (title or "").strip().rstrip(TITLE_ENDS)
    barer = bare.rstrip(TITLE_ENDS + QUESTION_MARKS + "…")
    names = (bare, barer, _HOW_TO.sub("", bare, count=1), _HOW_TO.sub("", barer, count=1))
    for name in filter(None, dict.fromkeys(names)):
        before, after = (
            (r"(?<!\w)" if _is_spaced(name[0]) else ""),
            (r"(?!\w)" if _is_spaced(name[-1]) else ""),
        )
        found, count = re.subn(f"{before}{re.escape(name)}{after}", "{title}", question, flags=re.IGNORECASE)
        if count:
            return found
    return question


def _is_spaced(character: str) -> bool:
    """Whether the writing system of a character separates words by spaces."""
    return len(words_of(f"a{character}")) == 1


def figures(tasks: Mapping[str, Variety]) -> dict[str, object]:
    """Figures of all rows (`all`) and of each task in the order of names (`tasks`)."""
    together = Variety()
    for found in tasks.values():
        together.merge(found)
    return {
        "all": together.figures(),
        "tasks": {task: found.figures() for task, found in sorted(tasks.items())},
    }


def _spread(counted: Counter[int]) -> dict[str, float] | None:
    """Mean, minimum and maximum of counted integers; None if there are none."""
    rows = counted.total()
    if not rows:
        return None
    present = [number for number, count in counted.items() if count]
    return {
        "mean": round(sum(number * count for number, count in counted.items()) / rows, 6),
        "min": min(present),
        "max": max(present),
    }


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _hashed(texts: Iterable[str]) -> Hashes:
    return np.fromiter(map(_hash, texts), np.uint64)


def _mixed(words: Sequence[Hashes]) -> Hashes:
    """One hash per n-gram: the hashes of its words in order, mixed by the finalizer of SplitMix64 so that all
    bits depend on all words."""
    found = np.zeros(len(words[0]), np.uint64)
    for hashes in words:
        found = (found ^ hashes) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(30)
        found *= np.uint64(0xBF58476D1CE4E5B9)
        found ^= found >> np.uint64(27)
        found *= np.uint64(0x94D049BB133111EB)
        found ^= found >> np.uint64(31)
    return found


def _numpy(array: pa.Array) -> NDArray[Any]:
    found: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return found
