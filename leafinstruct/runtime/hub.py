"""Speaking with the Hugging Face Hub, up and down: its errors as one line with a hint, its own progress bars
off, no word of a token.

The token is the Hub's own (`hf auth login`, HF_TOKEN); it is neither read nor shown here. What the Hub's
client says of a failure, in an error or in a log line about a retry, may quote an address that was signed for
one upload, which is as good as a token for a while: queries of addresses are cut off in both.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leafinstruct.errors import LeafInstructError

MOVING = frozenset({409, 412})
"""Statuses by which a repository says that it moved on meanwhile."""
_HINTS = {
    401: "the Hub does not accept the token: log in with `hf auth login`, or set HF_TOKEN",
    403: (
        "the token may not write there: make one that may (huggingface.co/settings/tokens), or ask the "
        "organization"
    ),
}
_READING = {
    401: "there is no such repository, or it is private: log in with `hf auth login`, or set HF_TOKEN",
    403: "the token may not read there, or the repository's terms are not accepted yet",
    404: "there is no such repository or revision, or this token may not see it",
}
_LESSON = re.compile(
    r" For more information check: \S+| Please make sure you specified the correct .*? see https://\S+"
)
_QUERY = re.compile(r"\?[^\s'\")]+")
_SECRET = re.compile(r"hf_\w{4,}|Bearer \S+")


@contextmanager
def speaking(what: str, kept: str, raised: type[LeafInstructError]) -> Iterator[None]:
    """While uploading: whatever the Hub's client raises becomes `raised`, in one line: `what`, what was said,
    the hint, and what is `kept`."""
    with _quietly():
        try:
            yield
        except _failures() as error:
            hint = _HINTS.get(status(error) or 0)
            raise raised(
                f"{what}: the Hub did not take it: {said(error)}; {f'{hint}; ' if hint else ''}{kept}"
            ) from error


def snapshot(
    repo: str,
    files: list[str],
    what: str,
    raised: type[LeafInstructError],
    kind: str = "dataset",
    revision: str | None = None,
) -> Path:
    """The folder of the Hub's cache that holds some files of a repository; what was had is not had again, and
    where the Hub does not answer, or not to this token, what was had last is taken, as everywhere with its
    client.

    files: patterns of their paths, in which `*` matches `/` too. what: as in the error `raised`, what named
    the repository.
    """
    from huggingface_hub import snapshot_download

    with _quietly():
        try:
            return Path(snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=files))
        except _failures() as error:
            hint = _READING.get(status(error) or 0)
            raise raised(
                f"{what}: cannot be had from the Hub: {said(error)}{f'; {hint}' if hint else ''}"
            ) from error


def check_name(repo: str, option: str, raised: type[LeafInstructError]) -> None:
    """Raises the error for what cannot be a repository's name, before work is done for it. option: what gave
    it."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but not listed among its exports

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise raised(
            f"{option} {repo}: is no name that the Hub takes; give ORG/NAME, of letters, digits, '-', "
            "'_' and '.'"
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    """What the Hub's client raises."""
    import httpx2
    from huggingface_hub.errors import HFValidationError

    return (httpx2.HTTPError, HFValidationError, OSError, ValueError, RuntimeError)


@contextmanager
def _quietly() -> Iterator[None]:
    """The Hub's client without its progress bars, and without secrets in its log."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    loud = not are_progress_bars_disabled()
    handlers = logging.getLogger("huggingface_hub").handlers
    disable_progress_bars()
    for handler in handlers:
        handler.addFilter(_discreet)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_discreet)
        if loud:
            enable_progress_bars()


def status(error: BaseException) -> int | None:
    """The HTTP status that lies behind an error of the Hub's client, which wraps some of them."""
    while error is not None:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code is not None:
            return int(code)
        if error.__cause__ is None:
            return None
        error = error.__cause__
    return None


def said(error: BaseException) -> str:
    """What an error says, with its cause, on one line of at most 240 characters, without queries of addresses
    and without tokens."""
    parts = [
        str(error),
        *([str(error.__cause__)] if isinstance(error, RuntimeError) and error.__cause__ is not None else []),
    ]
    line = _LESSON.sub("", _SECRET.sub("...", _QUERY.sub("", " ".join(" ".join(parts).split()))))
    return line[:240] or type(error).__name__


def _discreet(record: logging.LogRecord) -> bool:
    """A log record without what nobody should read; it is shown all the same, since a wait of minutes wants
    to be explained."""
    record.msg, record.args = _SECRET.sub("...", _QUERY.sub("", record.getMessage())), ()
    return True
