"""Uploads to and downloads from the Hugging Face Hub: errors as one line with a hint, no progress bars, no
secrets.

The token belongs to the Hub's client (`hf auth login`, HF_TOKEN); it is neither read nor shown here. Errors
and log lines of that client may quote a URL signed for one upload, which works like a token for a while. So
the queries of URLs are removed from both.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leafinstruct.errors import LeafInstructError

MOVING = frozenset({409, 412})
"""HTTP statuses that mean that the repository has changed meanwhile."""
_UPLOAD_HINTS = {
    401: "the Hub does not accept the token: log in with `hf auth login`, or set HF_TOKEN",
    403: (
        "the token has no write access: create one that has (huggingface.co/settings/tokens), or ask the "
        "organization"
    ),
}
_DOWNLOAD_HINTS = {
    401: "there is no such repository, or it is private: log in with `hf auth login`, or set HF_TOKEN",
    403: "the token has no read access, or the repository's terms are not accepted yet",
    404: "there is no such repository or revision, or this token may not see it",
}
_ADVICE = re.compile(
    r" For more information check: \S+| Please make sure you specified the correct .*? see https://\S+"
)
_QUERY = re.compile(r"\?[^\s'\")]+")
_SECRET = re.compile(r"hf_\w{4,}|Bearer \S+")


@contextmanager
def uploading(what: str, kept: str, raised: type[LeafInstructError]) -> Iterator[None]:
    """Turn errors of the Hub's client into `raised`, in one line: `what`, the error, a hint, and what is
    `kept`."""
    with _quietly():
        try:
            yield
        except _failures() as error:
            hint = _UPLOAD_HINTS.get(status(error) or 0)
            raise raised(
                f"{what}: the Hub rejected it: {message(error)}; {f'{hint}; ' if hint else ''}{kept}"
            ) from error


def snapshot(
    repo: str,
    files: list[str],
    what: str,
    raised: type[LeafInstructError],
    kind: str = "dataset",
    revision: str | None = None,
) -> Path:
    """Download some files of a repository and return their folder in the Hub's cache.

    Downloads are cached. If the Hub is unreachable or rejects the token, the last cached version is used.
    files: patterns of paths, in which `*` matches `/` too. what: start of the error message, e.g. the option
    that names the repository.
    """
    from huggingface_hub import snapshot_download

    with downloading(what, raised):
        return Path(snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=files))


@contextmanager
def downloading(what: str, raised: type[LeafInstructError]) -> Iterator[None]:
    """Turn errors of the Hub's client into `raised`, in one line: `what`, the error and a hint."""
    with _quietly():
        try:
            yield
        except _failures() as error:
            hint = _DOWNLOAD_HINTS.get(status(error) or 0)
            raise raised(
                f"{what}: cannot be downloaded from the Hub: {message(error)}{f'; {hint}' if hint else ''}"
            ) from error


def check_name(repo: str, option: str, raised: type[LeafInstructError]) -> None:
    """Raise `raised` for an invalid name of a repository, before any work. option: where the name is from."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but not listed among its exports

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise raised(
            f"{option} {repo}: is no valid name on the Hub; give ORG/NAME, of letters, digits, '-', '_' "
            "and '.'"
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions that the Hub's client raises."""
    import httpx2
    from huggingface_hub.errors import HFValidationError

    return (httpx2.HTTPError, HFValidationError, OSError, ValueError, RuntimeError)


@contextmanager
def _quietly() -> Iterator[None]:
    """Turn off the progress bars of the Hub's client and remove secrets from its log."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    enabled = not are_progress_bars_disabled()
    handlers = logging.getLogger("huggingface_hub").handlers
    disable_progress_bars()
    for handler in handlers:
        handler.addFilter(_redact)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_redact)
        if enabled:
            enable_progress_bars()


def status(error: BaseException) -> int | None:
    """The HTTP status of an error of the Hub's client, or of its cause."""
    while error is not None:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code is not None:
            return int(code)
        if error.__cause__ is None:
            return None
        error = error.__cause__
    return None


def message(error: BaseException) -> str:
    """The message of an error and its cause, on one line of at most 240 characters, without queries of URLs
    and without tokens."""
    parts = [
        str(error),
        *([str(error.__cause__)] if isinstance(error, RuntimeError) and error.__cause__ is not None else []),
    ]
    line = _ADVICE.sub("", _SECRET.sub("...", _QUERY.sub("", " ".join(" ".join(parts).split()))))
    return line[:240] or type(error).__name__


def _redact(record: logging.LogRecord) -> bool:
    """Remove secrets from a log record. It is still shown, because it explains a wait of minutes."""
    record.msg, record.args = _SECRET.sub("...", _QUERY.sub("", record.getMessage())), ()
    return True
