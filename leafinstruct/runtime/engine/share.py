"""Shares: one build divided among processes that have nothing in common but a run's folder on a shared disk.

`leaf build --share 3/16` makes every sixteenth part of each stage. No process talks to another one. A stage
calls three functions here, which do nothing for an undivided build:

    own       the parts of this share: every n-th name in sorted order, so shares differ by one part at most
    barrier   before a global step: record that this share is done, and raise Waiting unless all are
    once      the global step itself: one share does it, those that come later read its result

Waiting is no error: the process ends with exit code 0 and is started again when the others are done. The
share that comes last finds all others done, does the global step and goes on. So a build takes at most as
many rounds as it has barriers (STEPS).

    runs/<name>/shares/
        build.json                   number of shares, and the digest of each stage's fingerprint
        <stage>-<step>-<share>.json  this share is done; empty
        <stage>-<step>.json          result of a global step, and the digest of what it was computed from
        <stage>-spent-<share>-*.jsonl  dollars (llm/limits/division.py)

The folder exists while a divided build is unfinished. A share without its marker repeats the failed items of
its parts; once it has passed the step it does not, since others may read these files by then.

Chosen: markers and the files of the parts over a coordinator, a queue or a database, because a shared disk is
all that SLURM, Kubernetes and a workstation have in common. Each share writes files of its own by one rename;
global steps give the same bytes whoever does them. Locks only prevent that two do the same at the same time.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TypeVar, cast

from leafinstruct.errors import DriftError, RecipeError
from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, R, Task
from leafinstruct.runtime.files import load, save
from leafinstruct.runtime.locks import locked
from leafinstruct.runtime.record import Fingerprint

FOLDER = "shares"
"""Name of the folder in a run, which exists while a divided build is unfinished."""
MOST = 10_000
"""Maximum number of shares."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """One share of a build. number: from 1 to `of`."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `3/16`. Raises RecipeError."""
        found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
            raise RecipeError(
                f"share {text[:40]!r}: write K/N with K from 1 to N, and N at most {MOST:,}, such as 3/16"
            )
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Step:
    """A global step, before which all shares meet. name: in file names. does: what it does, for messages."""

    stage: str
    name: str
    does: str


INGESTED = Step("ingest", "end", "finishing ingest")
HOSTS = Step("filter", "hosts", "counting the paragraphs of hosts")
URLS = Step("filter", "urls", "dividing the URLs of images by host")
FETCHED = Step("filter", "fetched", "reading the fetched images")
DUPLICATES = Step("filter", "duplicates", "finding duplicates")
FILTERED = Step("filter", "end", "finishing filter")
REWRITTEN = Step("rewrite", "end", "finishing rewrite")
SPLITS = Step("shard", "splits", "assigning rows to splits and shards")
SHARDED = Step("shard", "end", "finishing shard")
STEPS = (INGESTED, HOSTS, URLS, FETCHED, DUPLICATES, FILTERED, REWRITTEN, SPLITS, SHARDED)
"""All steps in their order. A recipe without host_paragraphs has no HOSTS, one that fetches nothing no URLS
and no FETCHED."""


class Waiting(Exception):  # noqa: N818 - no error
    """This share has done what it can do before other shares are done. No error: the same command continues
    then. step: the global step that is next; shares: numbers of those that are not done."""

    def __init__(self, share: Share, step: Step, shares: Sequence[int]) -> None:
        self.share, self.step, self.shares = share, step, tuple(shares)
        super().__init__(
            f"share {share} is done before {step.does} ({step.stage}) and waits for "
            f"{_named(self.shares)}; the same command continues when they are done"
        )


def _named(numbers: Sequence[int]) -> str:
    """`share 2`, `shares 2, 4-9 and 12`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [text for run in runs for text in ([f"{run[0]}-{run[-1]}"] if len(run) > 2 else map(str, run))]
    listed = " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
    return f"{'share' if len(numbers) == 1 else 'shares'} {listed}"


@dataclass
class Joined:
    """A stage that a share takes part in. is_first: no share began it before."""

    fingerprint: Fingerprint
    is_first: bool


class _Begun(NamedTuple):
    """Content of build.json. stages: name -> digest of its fingerprint."""

    of: int
    stages: dict[str, str]


class Shared:
    """The engine of one share. It runs whatever it gets; stages ask `own` for the parts of this share."""

    def __init__(self, engine: Engine, share: Share, run: Path) -> None:
        """run: folder of the run."""
        self.remote = engine.remote
        self.whole, self.share, self.folder = engine, share, run / FOLDER

    @property
    def workers(self) -> int:
        return self.whole.workers

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """See Engine.map."""
        return self.whole.map(task, parts, needs)

    def mark(self, step: Step, number: int | None = None) -> Path:
        """The marker of a share, by default of this one."""
        return self.folder / f"{step.stage}-{step.name}-{number or self.share.number}.json"

    def enter(self) -> None:
        """Take part in the divided build of this folder, or begin it. Raises DriftError if it has another
        number of shares."""
        with self.alone():
            begun = self._begun()
            if begun is None:
                self._save(_Begun(self.share.of, {}))
            elif begun.of != self.share.of:
                raise DriftError(
                    f"{self.folder}: a build of {begun.of} shares is unfinished, and this is share "
                    f"{self.share}; {self._hint}"
                )

    @contextmanager
    def joining(
        self, stage: str, fingerprint: Fingerprint, differs: Callable[[], Sequence[str]]
    ) -> Iterator[Joined]:
        """Take part in a stage. In the block the first share prepares the stage while the others wait; it may
        set another fingerprint. differs: names the differences from the fingerprint of the first share.

        Raises DriftError if the stage was begun with another fingerprint.
        """
        with self.alone():
            begun, now = self._begun() or _Begun(self.share.of, {}), digest(fingerprint)
            if stage in begun.stages and begun.stages[stage] != now:
                found = list(differs())
                raise DriftError(
                    f"share {self.share}: other shares build {stage} with other settings, files or "
                    f"libraries: {'; '.join(found[:4]) or 'unknown'}{' and more' if len(found) > 4 else ''}; "
                    f"{self._hint}"
                )
            joined = Joined(fingerprint, stage not in begun.stages)
            yield joined
            if joined.is_first:
                self._save(_Begun(begun.of, {**begun.stages, stage: digest(joined.fingerprint)}))

    def leave(self) -> None:
        """End the divided build: all of its stages are done."""
        with self.alone():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do something that no other share does at the same time; wait for the one that does."""
        with locked(self.folder.with_name(f".{FOLDER}.lock"), -1):
            yield

    @property
    def _hint(self) -> str:
        return f"start all shares alike; to begin anew, stop them and delete {self.folder}"

    def _begun(self) -> _Begun | None:
        found = load(self.folder / "build.json")
        return None if found is None else _Begun(found["of"], found["stages"])

    def _save(self, begun: _Begun) -> None:
        save(self.folder / "build.json", begun._asdict())


def own(engine: Engine, parts: Sequence[Part]) -> list[Part]:
    """The parts of this share, in their order; all for an undivided build. parts: those of all shares."""
    if not isinstance(engine, Shared):
        return list(parts)
    names = {part.name for part in _dealt(engine, parts, engine.share.number)}
    return [part for part in parts if part.name in names]


def _dealt(engine: Shared, parts: Sequence[Part], number: int) -> list[Part]:
    return sorted(parts, key=lambda part: part.name)[number - 1 :: engine.share.of]


def has_passed(engine: Engine, step: Step) -> bool:
    """Whether this share was done before a global step already, in this process or an earlier one."""
    return isinstance(engine, Shared) and engine.mark(step).is_file()


def remaining(
    engine: Engine,
    step: Step,
    parts: Sequence[Part],
    is_up_to_date: Callable[[Part], bool],
    is_made: Callable[[Part], bool],
) -> list[Part]:
    """The parts of a task that has to be run. parts: of this share. is_made: up to date apart from failed
    items, which a share that has passed the next global step does not repeat."""
    enough = is_made if has_passed(engine, step) else is_up_to_date
    return [part for part in parts if not enough(part)]


Made = tuple[Sequence[Part], Callable[[Part], bool]]
"""Parts of all shares, and whether one of them is made."""


def barrier(engine: Engine, step: Step, *made: Made) -> None:
    """Meet the other shares before a global step. Raises Waiting unless the parts of all shares are made.

    This share has made its own parts and accepted their failed items. A marker alone is not enough, since a
    part can be lost or damaged later.
    """
    if not isinstance(engine, Shared):
        return
    if not engine.mark(step).is_file():
        save(engine.mark(step), {})
    numbers = range(1, engine.share.of + 1)
    behind = {number for number in numbers if not engine.mark(step, number).is_file()}
    for parts, is_made in made if not behind else ():
        for number in numbers:
            if not all(map(is_made, _dealt(engine, parts, number))):
                behind.add(number)
    if behind:
        raise Waiting(engine.share, step, sorted(behind))


def once(
    engine: Engine,
    step: Step,
    made_from: Callable[[], object],
    is_whole: Callable[[], bool],
    run: Callable[[], T],
) -> T:
    """The result of a global step, which only one share computes. T: JSON.

    made_from: everything that the step depends on. is_whole: whether the files that it writes exist.
    """
    if not isinstance(engine, Shared):
        return run()
    path = engine.folder / f"{step.stage}-{step.name}.json"
    with engine.alone():
        key, found = digest(made_from()), load(path)
        if found is None or found["key"] != key or not is_whole():
            found = {"key": key, "value": run()}
            save(path, found)
    return cast("T", found["value"])


def undivided(engine: Engine) -> Engine:
    """The engine without a share: for work that one share does for all."""
    return engine.whole if isinstance(engine, Shared) else engine


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Do something that only one share may do at a time."""
    with engine.alone() if isinstance(engine, Shared) else nullcontext():
        yield
