"""Choose documents for an audit: some of every rule, most of them near the bounds.

Every document with a verdict is in exactly one stratum:

    dropped by R near its bound   R: its reason; one of the rules that dropped it did so narrowly
    dropped by R                  the others of this reason
    kept near the bound of R      R: the rule that it passed most narrowly, compared with other documents
    kept                          the others

Near: the NEAREST share of the documents on this side of the bound with the smallest distance. Ranks and not
distances, because scores have different units. Where more than twice as many have the same distance, only
smaller distances are near.

Half of the sample is near the bounds, a quarter is dropped otherwise, a quarter kept otherwise, equally for
all rules; strata that are too small leave their places to others. In a stratum, those with the smallest
sha256 of seed and id are chosen. So a sample is the same for the same seed, and a larger one contains the
smaller one: labels stay valid when more are asked for.

Weight of a document: documents of its stratum / sampled ones of it, the inverse of the probability to be
chosen. Shares over strata are estimated without bias only with the weights (Horvitz and Thompson 1952).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import nsmallest
from math import ceil
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.report.audit.decided import Decided
from leafinstruct.runtime.files import load, save

NEAREST = 0.1
"""Share of the documents on one side of a bound that count as near it."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A group of documents. rule: the reason of dropped ones, or the bound that kept ones are near; None for
    kept ones near none."""

    kept: bool
    rule: str | None
    near: bool


@dataclass(frozen=True, slots=True)
class Sized:
    """A stratum with the number of its documents in the run, and in the sample."""

    stratum: Stratum
    documents: int
    sampled: int

    @property
    def weight(self) -> float:
        return self.documents / self.sampled if self.sampled else 0.0


@dataclass(frozen=True, slots=True)
class Sampled:
    """One document of a sample. stratum: its number in Sample.strata. near: all rules whose bound it is near,
    on its side. dropped_by: see decided.py."""

    id: str
    part: str
    stratum: int
    dropped_by: tuple[str, ...]
    near: tuple[str, ...]

    @property
    def kept(self) -> bool:
        return not self.dropped_by


@dataclass(frozen=True, slots=True)
class Sample:
    """The documents of an audit, in the order in which they are shown, which is random. rules: all that the
    run applied, in the order of the recipe."""

    run: str
    seed: int
    blind: bool
    rules: tuple[str, ...]
    strata: tuple[Sized, ...]
    documents: tuple[Sampled, ...]

    @property
    def population(self) -> int:
        """Number of documents of the run with a verdict."""
        return sum(one.documents for one in self.strata)


def sample(
    run: str, rules: Sequence[str], documents: Iterable[Decided], size: int, seed: int, blind: bool
) -> Sample:
    """Choose at most `size` documents. Memory: about 1 kB, and 30 us of CPU, for each
    document of the run under 12 rules."""
    every = list(documents)
    near = _near(every, rules)
    members: dict[Stratum, list[Decided]] = {}
    for one in every:
        members.setdefault(_stratum(one, near.get(one.id, {})), []).append(one)
    strata = sorted(members, key=lambda one: (one.kept, not one.near, one.rule or ""))
    given = allocate([len(members[one]) for one in strata], _shares(strata), size)
    chosen = [
        Sampled(one.id, one.part, number, one.dropped_by, tuple(near.get(one.id, {})))
        for number, stratum in enumerate(strata)
        for one in nsmallest(given[number], members[stratum], key=lambda one: _hash(seed, "member", one.id))
    ]
    chosen.sort(key=lambda one: _hash(seed, "order", one.id))
    sized = tuple(
        Sized(stratum, len(members[stratum]), count) for stratum, count in zip(strata, given, strict=True)
    )
    return Sample(run, seed, blind, tuple(rules), sized, tuple(chosen))


def allocate(sizes: Sequence[int], shares: Sequence[float], total: int) -> list[int]:
    """Divide `total` places among groups of these sizes, in proportion to their shares (> 0), none more than
    its size.

    One place at a time goes to the group with the fewest places for its share, so each group gets one before
    any gets two, and no group loses a place when the total grows.
    """
    given = [0] * len(sizes)
    for _ in range(min(total, sum(sizes))):
        free = (at for at, size in enumerate(sizes) if given[at] < size)
        given[min(free, key=lambda at: (given[at] / shares[at], -shares[at], at))] += 1
    return given


def write(found: Sample, path: Path) -> None:
    """Write the side file of a page. It holds the decisions; who labels blind must not read it."""
    documents = [{**asdict(one), "weight": found.strata[one.stratum].weight} for one in found.documents]
    save(path, {**asdict(found), "documents": documents})


def read(path: Path) -> Sample:
    """Read a side file. Raises SourceError if it is missing or damaged."""
    found = load(path)
    if found is None:
        fault = "its bytes differ from what was written" if path.exists() else "no such file"
        raise SourceError(
            f"{path}: {fault}; it is written beside the page, so name the page that was labeled (--out), or "
            "make it again with the same --sample and --seed"
        )
    return Sample(
        found["run"],
        found["seed"],
        found["blind"],
        tuple(found["rules"]),
        tuple(_sized(one) for one in found["strata"]),
        tuple(_sampled(one) for one in found["documents"]),
    )


def beside(page: Path) -> Path:
    """The side file of a page: `audit.sample.json` of `audit.html`."""
    return page.with_name(f"{page.stem}.sample.json")


def _sized(given: Mapping[str, Any]) -> Sized:
    return Sized(Stratum(**given["stratum"]), given["documents"], given["sampled"])


def _sampled(given: Mapping[str, Any]) -> Sampled:
    return Sampled(
        given["id"], given["part"], given["stratum"], tuple(given["dropped_by"]), tuple(given["near"])
    )


def _near(documents: Sequence[Decided], rules: Sequence[str]) -> dict[str, dict[str, float]]:
    """Document -> rule whose bound it is near -> its rank among the near ones, in (0, 1]."""
    found: dict[str, dict[str, float]] = {}
    for rule in rules:
        for kept in (True, False):
            side = sorted(
                (one.margins[rule], one.id) for one in documents if one.kept == kept and rule in one.margins
            )
            for name, rank in _nearest(side):
                found.setdefault(name, {})[rule] = rank
    return found


def _nearest(side: Sequence[tuple[float, str]]) -> list[tuple[str, float]]:
    """The near documents of one side of a bound, and the share of the side that is as near or nearer. side:
    (distance, id), sorted."""
    wanted = ceil(NEAREST * len(side))
    if not wanted:
        return []
    limit = side[wanted - 1][0]
    tied = [one for one in side if one[0] <= limit]
    near = tied if len(tied) <= 2 * wanted else [one for one in side if one[0] < limit]
    places = {margin: at for at, (margin, _) in enumerate(near, 1)}
    return [(name, places[margin] / len(side)) for margin, name in near]


def _stratum(document: Decided, near: Mapping[str, float]) -> Stratum:
    if document.kept:
        rule = min(near, key=lambda name: near[name]) if near else None
        return Stratum(True, rule, rule is not None)
    return Stratum(False, document.dropped_by[0], bool(near))


def _shares(strata: Sequence[Stratum]) -> list[float]:
    """Shares of a sample: half near the bounds, a quarter each of the other dropped and kept documents."""
    groups = [(0.5, True) if one.near else (0.25, one.kept) for one in strata]
    return [group[0] / groups.count(group) for group in groups]


def _hash(seed: int, what: str, document: str) -> bytes:
    return hashlib.sha256(f"{seed} {what} {document}".encode()).digest()
