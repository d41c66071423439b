"""Self-similarity of the questions and of the answers of a dataset, from a sample of its rows.

    similarity of two rows = shared words / all words of both         (Jaccard index of their sets of words)
    self-similarity        = mean over all pairs of sampled rows, in [0, 1]

Rows that repeat one template score high; rows about different things share little more than function words.
Unlike distinct-n it does not fall as a dataset grows.

The sample is the SAMPLE rows with the smallest hashes of their ids, so it is the same for any number of
shards and workers, and a changed row changes one of its rows at most. A dataset of at most SAMPLE rows is
compared as a whole. Chosen over Self-BLEU (Zhu et al. 2018, arXiv 1802.01886), which compares n-grams as
distinct-n does.
Cost: 8,128 pairs, 0.1 s a task. Memory: the words of SAMPLE rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

SAMPLE = 128
"""Maximum number of sampled rows."""
WORDS = 200
"""Number of words of a text that are compared, from its beginning."""

Words = tuple[int, ...]
"""The different hashes of the words of a text, ascending."""


@dataclass
class Sample:
    """rows: number of rows that it was chosen from. kept: hash of the id, words of the question, words of the
    answers; ascending."""

    rows: int = 0
    kept: list[tuple[int, Words, Words]] = field(default_factory=list)

    def wants(self, key: int) -> bool:
        """Whether a row with this hash of its id can be in the sample. Its words need not be read if not."""
        return len(self.kept) < SAMPLE or key <= self.kept[-1][0]

    def add(self, key: int, question: Sequence[int], answer: Sequence[int]) -> None:
        """Add a row. question, answer: hashes of words, in their order."""
        self._keep([(key, _words(question), _words(answer))])

    def merge(self, other: Sample) -> None:
        """Add what was sampled elsewhere."""
        self.rows += other.rows
        self._keep(other.kept)

    @property
    def is_estimate(self) -> bool:
        """Whether some rows are not in the sample."""
        return self.rows > SAMPLE

    def similarities(self) -> tuple[float | None, float | None]:
        """Self-similarity of the questions and of the answers; None for fewer than two rows with words."""
        return _mean([question for _, question, _ in self.kept]), _mean([answer for *_, answer in self.kept])

    def _keep(self, rows: Sequence[tuple[int, Words, Words]]) -> None:
        self.kept = sorted([*self.kept, *rows])[:SAMPLE]


def _words(hashes: Sequence[int]) -> Words:
    return tuple(sorted(set(hashes[:WORDS])))


def _mean(texts: Sequence[Words]) -> float | None:
    sets = [frozenset(words) for words in texts if words]
    if len(sets) < 2:
        return None
    found = [len(one & other) / len(one | other) for one, other in combinations(sets, 2)]
    return sum(found) / len(found)
