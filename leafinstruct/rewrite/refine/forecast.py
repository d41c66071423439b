"""How many requests the examples of a build take, and how many input tokens they have. Pure.

at most      every example goes back in every round
expected     SENT_BACK of the examples of each round go back
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SENT_BACK = 0.5
"""Assumed share of the examples of a round that are below `rewrite.refine.min`. It depends on the model and
the pages; the report of a build has the true number (`written_again` of its counts)."""
CRITIQUE = 300
"""Assumed tokens of a critique."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a document takes. questions: examples per document. tokens: input tokens of the rewriter's first
    request. examination: those of an examination, 0 without an examiner. rounds: maximum times that an
    example goes back."""

    questions: float = 0.0
    tokens: float = 0.0
    examination: float = 0.0
    rounds: int = 0

    def requests(
        self, documents: int, answer: int, which: Literal["expected", "at_most"]
    ) -> dict[str, tuple[float, float]]:
        """Purpose -> requests, mean input tokens. answer: tokens of an answer, which a later request
        repeats."""
        examples = self.questions * documents
        share = SENT_BACK if which == "expected" else 1.0
        again = examples * sum(share**number for number in range(1, self.rounds + 1))
        return {
            "rewrite": (examples, self.tokens),
            "rewrite again": (again, self.tokens + answer + CRITIQUE),
            "examine": (examples + again if self.examination else 0, self.examination),
        }


NOTHING = Estimate()
