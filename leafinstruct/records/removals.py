"""The list of removals of a recipe: records that every build and every push leaves out.

    <recipe stem>.suppressed.jsonl    one entry a line, sorted:
    {"domain": "example.org", "reason": "asked by mail"}
    {"id": "8f3c...", "purged": true}

Somebody asks for the removal of a page, a site or an image, and the dataset may be built again a year later,
from other files, on another machine. Therefore the list is not part of a run: it is a text file beside the
recipe, to be committed with it. To revoke an entry, delete its line. `leaf remove --purge` sets `purged`: the
entry is applied from the first stage on, so that removed content does not return into working files.

    url      the page or an image in it has this URL, found or canonical (compared by records/url.py: http and
             https, case of the host, port 80 or 443, escapes, fragment and a final slash do not matter)
    domain   the page, by either URL, or an image in it is on this host or on a subdomain
    sha256   an image has these bytes
    id       the example, or the document that it was made of

An entry matches whole records: an image is never removed from an example, whose text would still refer to it.
An invalid line is an error, since no removal may be ignored silently. The list is applied by ingest
(ingest/removed_records.py, purged entries), filter, shard (shard/removed_examples.py) and push
(publish/checks.py); `leaf remove` (publish/remove.py) edits it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from leafinstruct.errors import RecipeError
from leafinstruct.records.document import Document
from leafinstruct.records.example import Example
from leafinstruct.records.url import full_host, normal
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import locked
from leafinstruct.runtime.settings_text import text_in, unique

if TYPE_CHECKING:
    from leafinstruct.records.published_row import PublishedRow

Kind = Literal["url", "domain", "sha256", "id"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_BYTES = 256 << 20
"""Maximum size of a list: more than a million entries."""

ROW_COLUMNS = ("id", "document_id", "url", "page_url", "image_info")
"""Columns of the published row that `Shown.of_row` needs."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_URLS = re.compile(r"https?://[^\s\"'<>)\]]+", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|\[[0-9a-f:]+\]")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One entry of the list. reason: for people, has no effect. purged: ingest and filter apply it too."""

    kind: Kind
    value: str
    reason: str = ""
    purged: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """The parts of a record that entries are compared with: ids, both URLs of its page, sha256 and URLs of
    its images.

    url: the canonical URL. page_url: where the page was found. Both are compared: a page states its canonical
    URL itself and could otherwise escape a removal.
    """

    id: str
    document_id: str
    url: str | None
    sha256: tuple[str, ...]
    urls: tuple[str, ...]
    page_url: str | None = None

    @classmethod
    def of_example(cls, example: Example) -> Shown:
        """From an example, before it is a row."""
        images = [(image.sha256, (image.url, image.ref.url)) for image in example.images]
        return cls._of(example.id, example.document_id, example.url, example.page_url, images)

    @classmethod
    def of_document(cls, document: Document, sha256: Mapping[int, str] | None = None) -> Shown:
        """From a document. sha256: of images by position, if the document does not hold them."""
        known = sha256 or {}
        images = [
            (image.sha256 or known.get(image.position), (image.url, image.ref.url))
            for image in document.images
        ]
        return cls._of(document.id, document.id, document.url, document.page_url, images)

    @classmethod
    def of_row(cls, row: PublishedRow) -> Shown:
        """From a published row with ROW_COLUMNS."""
        images = [
            (info.sha256, (info.url, info.ref if _on_web(info.ref) else None)) for info in row.image_info
        ]
        return cls._of(row.id, row.document_id, row.url, row.page_url, images)

    @classmethod
    def _of(
        cls,
        identity: str,
        document: str,
        url: str | None,
        page_url: str | None,
        images: Sequence[tuple[str | None, tuple[str | None, ...]]],
    ) -> Shown:
        image_urls = dict.fromkeys(one for _, given in images for one in given if one)
        return cls(
            identity,
            document,
            url,
            tuple(sha256 for sha256, _ in images if sha256),
            tuple(image_urls),
            page_url,
        )


@dataclass(frozen=True)
class Suppressed:
    """A list of removals. An empty list matches nothing."""

    entries: tuple[Entry, ...] = ()

    @property
    def identity(self) -> dict[str, object] | None:
        """For fingerprints: number of entries, and a digest without reasons; None for an empty list."""
        named = sorted({(entry.kind, entry.value) for entry in self.entries})
        text = json.dumps(named, ensure_ascii=False)
        return (
            {"entries": len(named), "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}
            if named
            else None
        )

    @property
    def purged(self) -> Suppressed:
        """The entries that are applied from the first stage on."""
        return Suppressed(tuple(entry for entry in self.entries if entry.purged))

    @property
    def images(self) -> frozenset[str]:
        """The sha256 of removed images."""
        return frozenset(self._by_kind["sha256"])

    def mentioned(self, text: str) -> bool:
        """Whether a text, such as the detail of an unreadable record, contains a removed URL."""
        return (
            any(self.match(Shown("", "", url, (), ())) is not None for url in _URLS.findall(text))
            if self.entries
            else False
        )

    def match(self, record: Shown) -> Entry | None:
        """The first entry that matches a record, in the order of KINDS; None if the record is kept."""
        if not self.entries:
            return None
        urls = [url for url in (record.page_url, record.url, *record.urls) if url]
        candidates: dict[Kind, Iterable[str]] = {
            "url": (normal(url) for url in urls),
            "domain": (name for url in urls for name in _above(full_host(url))),
            "sha256": record.sha256,
            "id": (record.id, record.document_id),
        }
        found = (
            self._by_kind[kind].get(value)
            for kind in KINDS
            if self._by_kind[kind]
            for value in candidates[kind]
        )
        return next((entry for entry in found if entry is not None), None)

    @cached_property
    def _by_kind(self) -> dict[Kind, dict[str, Entry]]:
        return {
            kind: {
                (normal(entry.value) if kind == "url" else entry.value): entry
                for entry in self.entries
                if entry.kind == kind
            }
            for kind in KINDS
        }


NOTHING = Suppressed()
"""An empty list."""


def beside(recipe: Path) -> Path:
    """Path of a recipe's list, whether or not it exists."""
    return recipe.with_name(f"{recipe.stem}.suppressed.jsonl")


def load(path: Path) -> Suppressed:
    """Read a list; empty if there is no file. Raises RecipeError for an invalid line."""
    if not os.path.lexists(path):
        return NOTHING
    # not splitlines(): JSON does not escape U+2028 and U+0085
    lines = text_in(path, MAX_BYTES).split("\n")
    return Suppressed(
        tuple(_entry(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    )


def entry(kind: Kind, value: str, reason: str = "") -> Entry:
    """Make an entry with a normalized value. Raises RecipeError for a value that cannot match, such as a
    domain with a path or an incomplete sha256."""
    value = given = value.strip()
    if kind == "sha256":
        value = value.lower()
        wrong = None if _SHA256.fullmatch(value) else "a sha256 is 64 hex digits, as in image_info of a row"
    elif kind == "domain":
        value = (
            full_host(f"//{value}")
            if "/" not in value and "@" not in value and not re.search(r":\d+$", value)
            else ""
        )
        wrong = (
            None
            if _DOMAIN.fullmatch(value)
            else "a domain is a host name such as example.org; for one page use --url"
        )
    elif kind == "url":
        wrong = (
            None
            if full_host(value) and value.lower().startswith(("http://", "https://"))
            else "a URL begins with http:// or https://"
        )
    else:
        wrong = (
            None
            if value.isprintable() and value and " " not in value
            else "an id is one word, as in the columns id and document_id"
        )
    if wrong:
        raise RecipeError(f"{kind} {given[:80]!r}: {wrong}")
    return Entry(kind, value, " ".join(reason.split()))


def add(path: Path, entries: Iterable[Entry], lock: Path) -> int:
    """Merge entries into a file by one rename; existing entries keep their reason. Returns the number of new
    entries.

    lock: path of the lock that is held meanwhile, so that simultaneous calls lose no entry.
    """
    with locked(lock):
        known = {(each.kind, each.value): each for each in load(path).entries}
        given = {(each.kind, each.value): each for each in entries}
        new = {name: each for name, each in given.items() if name not in known}
        purged = {
            name: replace(known[name], purged=True)
            for name, each in given.items()
            if each.purged and name in known
        }
        if new or any(known[name] != each for name, each in purged.items()):
            lines = [_line(each) for each in sorted({**known, **new, **purged}.values())]
            with last_write(), writing(path) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return len(new)


def changes(out: Artifact) -> tuple[str, ...]:
    """Prefixes of the changes of a stage that a changed list causes: its own, and those that follow from
    ingest, the first stage."""
    first = out
    while first.upstream is not None:
        first = first.upstream
    follow = (
        ("its input", "what its card reports", "image files of")
        if first is not out and "removed" in (first.fingerprint or {})
        else ()
    )
    return ("shard.suppressed", "ingest.removed", "filter.removed", *follow)


def _line(each: Entry) -> str:
    more = {**({"reason": each.reason} if each.reason else {}), **({"purged": True} if each.purged else {})}
    return json.dumps({each.kind: each.value, **more}, ensure_ascii=False)


def _entry(path: Path, number: int, line: str) -> Entry:
    try:
        given = json.loads(line, object_pairs_hook=unique)
        (kind,) = [name for name in given if name in KINDS]
        purged = given.pop("purged", False)
        if not (
            set(given) <= {kind, "reason"}
            and all(isinstance(value, str) for value in given.values())
            and isinstance(purged, bool)
        ):
            raise ValueError
        return replace(entry(kind, given[kind], given.get("reason", "")), purged=purged)
    except RecipeError as error:
        raise RecipeError(f"{path}, line {number}: {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(
            f'{path}, line {number}: not an entry; write {{"url": ...}}, {{"domain": ...}}, {{"sha256": '
            '...} or {"id": ...}'
        ) from error


def _on_web(ref: str | None) -> bool:
    return (ref or "").startswith(("http://", "https://"))


def _above(host: str) -> Iterable[str]:
    """A host and its parent domains."""
    while host:
        yield host
        host = "" if host.startswith("[") else host.partition(".")[2]
