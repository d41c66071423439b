"""What was taken out for good: a list beside the recipe that every build and every push honours.

    <recipe stem>.suppressed.jsonl      {"domain": "example.org", "reason": "asked by mail"}       one line an entry, sorted

A person asks that a page, a site or an image be taken out; the dataset may be built again a year later, from
other files, on another machine.
So the list is no state of a run: it lies beside the recipe, is plain text, and is meant to be committed with
it. To take an entry back, delete its line.

    {"id": "8f3c...", "purged": true}        what `leaf remove --purge` adds to an entry: it holds from the first stage on, so that its content does
                                             not come back from the sources into working files

    url      the page, or any image shown, has this URL, at which it was found or which it gives as its canonical one (compared as records/url.py
             says: http and https, case of the host, port 80 or 443, escapes, fragment and a slash at the end
             make no difference)
    domain   the page by either URL, or any image shown, lies on this host or on one below it
    sha256   any image shown has these bytes
    id       the example, or the document that it was made of

An entry matches whole records: an image is never cut out of an example, whose text would go on speaking of
it. A line that cannot be read stops whoever reads the list, because a removal that is silently forgotten is
the one fault that must not happen.
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
from typing import Any, Literal, get_args

from leafinstruct.errors import RecipeError
from leafinstruct.records.document import Document
from leafinstruct.records.example import Example
from leafinstruct.records.url import full_host, normal
from leafinstruct.runtime.artifact import Artifact, locked, writing
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.settings_text import text_in, unique

Kind = Literal["url", "domain", "sha256", "id"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_BYTES = 256 << 20
"""Of a list: more than a million entries."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_URLS = re.compile(r"https?://[^\s\"'<>)\]]+", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|\[[0-9a-f:]+\]")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One thing that was taken out. reason: for people; it changes nothing. purged: it is refused by ingest
    and filter too."""

    kind: Kind
    value: str
    reason: str = ""
    purged: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What is matched of a record: its ids, both URLs of its page, sha256 and URLs of its images.

    url: the canonical one; page_url: where the page was found. Both count: a page writes its canonical URL
    itself, so with that one alone it could hide from a take-down.
    """

    id: str
    document_id: str
    url: str | None
    sha256: tuple[str, ...]
    urls: tuple[str, ...]
    page_url: str | None = None

    @classmethod
    def of_example(cls, example: Example) -> Shown:
        """Of an example, before it is a row."""
        images = [(image.sha256, (image.url, image.ref.url)) for image in example.images]
        return cls._of(example.id, example.document_id, example.url, example.page_url, images)

    @classmethod
    def of_document(cls, document: Document, sha256: Mapping[int, str] | None = None) -> Shown:
        """Of a document. sha256: of images by position, where the document itself does not hold them."""
        known = sha256 or {}
        images = [
            (image.sha256 or known.get(image.position), (image.url, image.ref.url))
            for image in document.images
        ]
        return cls._of(document.id, document.id, document.url, document.page_url, images)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Shown:
        """Of a published row, of which `id`, `document_id`, `url`, `page_url` and `image_info` are needed."""
        infos = row["image_info"] or ()
        images = [
            (info["sha256"], (info["url"], info["ref"] if _on_web(info["ref"]) else None)) for info in infos
        ]
        return cls._of(row["id"], row["document_id"], row["url"], row.get("page_url"), images)

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
    """The whole list; the empty one matches nothing."""

    entries: tuple[Entry, ...] = ()

    @property
    def identity(self) -> dict[str, object] | None:
        """What a fingerprint holds: how many, and a digest that reasons do not enter; None for the empty
        list."""
        named = sorted({(entry.kind, entry.value) for entry in self.entries})
        text = json.dumps(named, ensure_ascii=False)
        return (
            {"entries": len(named), "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}
            if named
            else None
        )

    @property
    def purged(self) -> Suppressed:
        """The entries that hold from the first stage on."""
        return Suppressed(tuple(entry for entry in self.entries if entry.purged))

    @property
    def images(self) -> frozenset[str]:
        """The sha256 of images that entries name."""
        return frozenset(self._by_kind["sha256"])

    def mentioned(self, text: str) -> bool:
        """Whether a text, such as the detail of a record that could not be read, holds a URL that entries
        take out."""
        return (
            any(self.match(Shown("", "", url, (), ())) is not None for url in _URLS.findall(text))
            if self.entries
            else False
        )

    def match(self, record: Shown) -> Entry | None:
        """The first entry that takes a record out, in the order of KINDS; None when it stays."""
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
"""The list of who has none."""


def beside(recipe: Path) -> Path:
    """Where a recipe's list lies, whether or not there is one."""
    return recipe.with_name(f"{recipe.stem}.suppressed.jsonl")


def load(path: Path) -> Suppressed:
    """The list of a file; the empty one where there is no file. Raises RecipeError for a line that is no
    entry."""
    if not os.path.lexists(path):
        return NOTHING
    # and nowhere else: JSON leaves U+2028 and U+0085 as they are
    lines = text_in(path, MAX_BYTES).split("\n")
    return Suppressed(
        tuple(_entry(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    )


def entry(kind: Kind, value: str, reason: str = "") -> Entry:
    """An entry as it is kept. Raises RecipeError for a value that could never match: a domain with a path,
    half a sha256."""
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
            else "a domain is the name of a host, as example.org; for one page say --url"
        )
    elif kind == "url":
        wrong = (
            None
            if full_host(value) and value.lower().startswith(("http://", "https://"))
            else "an address begins with http:// or https://"
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
    """Merge entries into a file by one rename; those that are in it already keep their reason. Returns how
    many were new.

    lock: held meanwhile, so that of two people who remove at once nobody is forgotten.
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
    """How the changes of a stage begin that a list makes: its own, and what follows from those of ingest, the
    first stage."""
    first = out
    while first.upstream is not None:
        first = first.upstream
    follow = (
        ("its input", "what its card tells", "image files of")
        if first is not out and "removed" in (first.fingerprint or {})
        else ()
    )
    return ("shard.suppressed", "ingest.removed", "filter.removed", *follow)


def _line(each: Entry) -> str:
    more = {**({"reason": each.reason} if each.reason else {}), **({"purged": True} if each.purged else {})}
    return json.dumps({each.kind: each.value, **more}, ensure_ascii=False)


def _entry(path: Path, number: int, line: str) -> Entry:
    try:
        said = json.loads(line, object_pairs_hook=unique)
        (kind,) = [name for name in said if name in KINDS]
        purged = said.pop("purged", False)
        if not (
            set(said) <= {kind, "reason"}
            and all(isinstance(value, str) for value in said.values())
            and isinstance(purged, bool)
        ):
            raise ValueError
        return replace(entry(kind, said[kind], said.get("reason", "")), purged=purged)
    except RecipeError as error:
        raise RecipeError(f"{path}, line {number}: {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(
            f'{path}, line {number}: no entry; write {{"url": ...}}, {{"domain": ...}}, {{"sha256": '
            '...} or {"id": ...}'
        ) from error


def _on_web(ref: str | None) -> bool:
    return (ref or "").startswith(("http://", "https://"))


def _above(host: str) -> Iterable[str]:
    """A host and the domains that it lies in."""
    while host:
        yield host
        host = "" if host.startswith("[") else host.partition(".")[2]
