"""The result of one check of an example: a score with its bound. Pure.

A refused finding is sent back to the model as one sentence. If the model does not correct it, the sentence is
the end of the answer's detail, from which `refusals` reads name, value and bound again: the exchange with a
model (llm/) knows reasons only as sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Name = Literal["spread", "kept", "length", "faithful", "lost", "leak", "question", "language"]

AT_MOST: frozenset[str] = frozenset({"length", "lost", "leak"})
"""Checks whose bound is a maximum. That of the others is a minimum."""

FAMILY = "rewrite"
"""Family of the scores in a row."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of an example.

    name: without its family. value: rounded to 1e-4, None if the check does not apply. bound: minimum, or
    maximum if `name` is in AT_MOST; None if it is switched off. detail: one sentence: what was found, what to
    do, or what was not checked.
    """

    name: Name
    value: float | None
    bound: float | None
    detail: str = ""

    @property
    def score(self) -> str:
        """Name of the score and of the rule, `rewrite.kept`."""
        return f"{FAMILY}.{self.name}"

    @property
    def refused(self) -> bool:
        """Whether the value is beyond the bound."""
        if self.value is None or self.bound is None:
            return False
        return self.value > self.bound if self.name in AT_MOST else self.value < self.bound

    @property
    def fault(self) -> str:
        """The finding as a sentence for the model. Only for a finding with value and bound."""
        word = "at most" if self.name in AT_MOST else "at least"
        return f"{self.score} is {self.value:.4g}, {word} {self.bound:.4g} is required: {self.detail}"


_VALUE = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_FAULT = re.compile(
    rf"{FAMILY}\.({'|'.join(get_args(Name))}) is {_VALUE}, at (?:most|least) {_VALUE} is required: (.*)",
    re.DOTALL,
)


def faults(findings: Sequence[Finding]) -> str | None:
    """What to correct: the refused findings, None if there is none."""
    return " | ".join(item.fault for item in findings if item.refused) or None


def refusal(detail: str) -> tuple[str, float, float, str] | None:
    """Score, value, bound and sentences of the first refused finding in an answer's detail; None if its fault
    was another one."""
    found = _FAULT.search(detail)
    return None if found is None else (f"{FAMILY}.{found[1]}", float(found[2]), float(found[3]), found[0])
