"""Every error that leafinstruct raises on purpose.

    LeafInstructError            one line on stderr, exit code 1, no traceback
     +-- RecipeError             a setting is wrong: key, value, what is allowed, the nearest name
     +-- DriftError              results exist for another recipe: fields, old -> new
     +-- SourceError             a source is unreadable: file, offset, reason
     |    +-- DamagedError       a file of a run does not hold the bytes that were recorded: file, fault
     +-- WorkerError             a worker process died: stage, part, what to lower
     +-- ProviderError           the language model's API refused after all retries: request id, never the key
     +-- BudgetError             the next request would exceed the budget: what was spent
     +-- SchemaError             a row does not fit its table
     +-- BackboneError           a backbone, its weights or its vocabulary are not what they should be
     +-- TrainError              a training run cannot go on: what is kept, what to lower
     +-- PublishError            the Hub rejected a dataset, or a check refused to publish it: what, how many,
                                 the hint

Bad records never raise: they become reasons in a report. Any other exception is a bug and keeps its
traceback. A message names the problem, the place and a hint, in one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Self

MAX_LINE, MAX_LINES = 1_000, 20
"""Maximum characters of a line of a message, and maximum lines. A message may quote a value, a path or an
answer of any length."""


def shortened(text: str, most: int = MAX_LINE) -> str:
    """Return a text of at most `most` characters. A longer text loses its middle, because messages name the
    place first and the hint last."""
    if len(text) <= most:
        return text
    kept = most - 5
    return f"{text[: kept - kept // 3]} ... {text[len(text) - kept // 3 :]}"


RENAMED = {
    **{
        "pictures": "images",
        "max_pictures": "max_images",
        "picture_px": "image_px",
        "picture_licenses": "image_licenses",
    },
    **{
        "picture_floor": "image_floor",
        "picture_tokens": "image_tokens",
        "marks": "placeholders",
        "together": "group_by",
        "taps": "neighbors",
        "taps_seed": "neighbors_seed",
    },
    **{f"picture.{name}": f"image.{name}" for name in ("decoded", "side", "aspect", "entropy", "sharpness")},
    "duplicate.pictures": "duplicate.images",
}
"""Old names of recipe keys and scores, from before the release of 0.1.0: old name -> new name."""


def suggestion(name: str, known: Collection[str], otherwise: str = "known are") -> str:
    """Return a hint about an unknown name: its new name, the nearest known name, or a list of all known
    names.

    otherwise: text before that list.
    """
    if (renamed := RENAMED.get(name)) in known:
        return f"it is now called {renamed!r}"
    near = get_close_matches(name[:MAX_LINE], known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"{otherwise} {shortened(listed(known), 400)}"


def listed(names: Iterable[str]) -> str:
    """Return names in one line; those of a file may contain line breaks, and are quoted then."""
    return ", ".join(name if name.isprintable() else repr(name) for name in names)


class LeafInstructError(Exception):
    """Base class of all deliberate errors. `str(error)` is the message: one line per fault, lines and their
    number bounded."""

    def __str__(self) -> str:
        lines = super().__str__().splitlines()
        more = [f"and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
        return "\n".join([*(shortened(line) for line in lines[:MAX_LINES]), *more])


class RecipeError(LeafInstructError):
    """A recipe key is unknown or its value is not allowed."""


class DriftError(LeafInstructError):
    """Existing results were made with another recipe, input or code version."""


class SourceError(LeafInstructError):
    """A source (file, folder, disk) cannot be read or written."""


class DamagedError(SourceError):
    """A file of a run differs from what was recorded. A build catches this error and makes the file again;
    other verbs show it."""

    path: Path
    fault: str

    @classmethod
    def of(cls, path: Path, fault: str) -> Self:
        """fault: a clause that begins with "it" or "its"."""
        error = cls(f"{path}: {fault}; `leaf verify` lists what is damaged and what to do")
        error.path, error.fault = path, fault
        return error


class WorkerError(LeafInstructError):
    """A worker process was killed or crashed; finished parts are kept."""


class ProviderError(LeafInstructError):
    """The language model's server gave no usable answer after all retries."""


class BudgetError(LeafInstructError):
    """The next request would cost more than the recipe allows."""


class BackboneError(LeafInstructError):
    """A vision-language backbone, its weights or its vocabulary are not what they should be."""


class SchemaError(LeafInstructError):
    """A row does not fit the table it is written to or read from."""


class TrainError(LeafInstructError):
    """A training run cannot start or continue; the last checkpoint is kept."""


class PublishError(LeafInstructError):
    """A check refused to publish a dataset, or the Hub rejected it; nothing of it is visible there."""
