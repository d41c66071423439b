"""Write a recipe for a user's files: recognized sources and statistics of a sample -> the text of recipe.yaml
and a summary. Reads files, writes none.

The recipe runs unchanged without network, GPU, key or model, so it has only rules that need no model. Its
comments list what was found, what is not checked, and the lines that turn more checks on. The same folder
gives the same text. No bound drops a sound document of the sample.
"""

from __future__ import annotations

import os
import re
import statistics
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from pydantic import ValidationError

from leafinstruct.errors import LeafInstructError, RecipeError, SourceError
from leafinstruct.filter.catalog import OFFLINE_JUDGE
from leafinstruct.images.config import FetchConfig
from leafinstruct.ingest.config import Source
from leafinstruct.ingest.draft.recognize import Found, Recognized, recognize, supported
from leafinstruct.ingest.draft.sample import Figures, figures
from leafinstruct.recipe.draft_text import CUT, FETCH, NO_FETCH, TEMPLATE, WHOLE
from leafinstruct.records.printable import printable

_SHOWN = 8
_MIN_WORDS = (20, 10, 5, 1)
_NAMES = {"html": "pages", "warc": "crawl", "hub": "table", "video": "videos"}


def draft(given: Path, folder: Path, contact: str | None) -> tuple[str, tuple[str, ...]]:
    """The text of a recipe for the files at `given`, to be written into `folder`, and the lines of a summary.

    contact: sent to hosts of images; None fetches no image.

    Raises RecipeError for an invalid contact. Raises SourceError if nothing there can be read, or if a build
    would keep nothing, e.g. because all images are on the web and there is no contact.
    """
    if contact is not None:
        try:
            FetchConfig(contact=contact)
        except ValidationError as error:
            raise RecipeError(
                f"--contact {printable(contact, 80)}: "
                f"{error.errors()[0]['msg'].removeprefix('Value error, ')}"
            ) from error
    seen, sources = _sampled_sources(given)
    web, images = (sum(getattr(sample, name) for _, sample in sources) for name in ("web", "images"))
    if fault := _keeps_nothing(sources, contact):
        raise SourceError(f"{printable(given)}: {fault}")
    relative = not given.is_absolute()
    entries = [
        _entry(found, name, folder, relative)
        for (found, _), name in zip(sources, _named(sources), strict=True)
    ]
    findings, unchecked = (
        list(_findings(seen, sources, given)),
        list(_unchecked(sources, contact, web, images)),
    )
    text = _text(_run_name(folder), entries, sources, findings, unchecked, contact)
    return text, (*findings, "not checked:", *(f"  {line}" for line in unchecked))


def sources_at(given: Path) -> list[Mapping[str, object]]:
    """Source sections for the files at `given`, with absolute paths. Raises SourceError if nothing there can
    be read."""
    _, sources = _sampled_sources(given.absolute())
    return [
        _entry(found, name, Path(), relative=False)
        for (found, _), name in zip(sources, _named(sources), strict=True)
    ]


def _sampled_sources(given: Path) -> tuple[Recognized, list[tuple[Found, Figures]]]:
    with TemporaryDirectory(prefix="leaf-") as temporary:
        seen = recognize(given, Path(temporary))
        sources = list(_read(seen, Path(temporary)))
    if not sources:
        raise SourceError(_nothing(given, seen))
    return seen, sources


def _read(seen: Recognized, scratch: Path) -> Iterator[tuple[Found, Figures]]:
    """Yield the sources whose sample has a document."""
    for found in seen.found:
        try:
            sample = figures(found, seen.root, scratch)
        except LeafInstructError as error:
            seen.problems.append((found.names[0], f"looks like {found.what}, but cannot be read: {error}"))
            continue
        except ValidationError as error:
            keys = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
            seen.problems.append(
                (found.names[0], f"looks like {found.what}, but its source needs other keys: {keys}")
            )
            continue
        if sample.documents or found.kind == "youcook2":
            yield found, sample
        else:
            seen.problems.append(
                (
                    found.names[0],
                    f"looks like {found.what}, but no document of the sample can be read: "
                    f"{sample.example or 'empty'}",
                )
            )


def _keeps_nothing(sources: Sequence[tuple[Found, Figures]], contact: str | None) -> str | None:
    """Why a build would drop all documents; None if it would not, or if the sample does not show it."""
    if any(sample.apart or not sample.documents or sample.local for _, sample in sources):
        return None
    documents = sum(len(sample.documents) for _, sample in sources)
    web, missing = (sum(getattr(sample, name) for _, sample in sources) for name in ("web", "missing"))
    if web:
        return (
            None
            if contact is not None
            else (
                f"all images are on the web ({web:,} in {_documents(documents)}), so a build without "
                "network would keep nothing; "
                "add --contact you@example.org (sent to the hosts) to fetch them, or put the files "
                "where the reader looks (docs/sources.md)"
            )
        )
    if missing:
        return (
            f"all image files are missing ({missing:,} in {_documents(documents)}), so a build would "
            "keep nothing; "
            "put the files where the reader looks (docs/sources.md)"
        )
    return f"no image in {_documents(documents)}, but a dataset of interleaved documents needs images"


def _nothing(given: Path, seen: Recognized) -> str:
    endings = ", ".join(
        f"{count:,} {ending}"
        for ending, count in sorted(seen.endings.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    )
    problems = "; ".join(f"{printable(name, 80)} {printable(why, 300)}" for name, why in seen.problems[:2])
    here = f"it has {endings}" if endings else f"{seen.listed:,} files" if seen.listed else "it has no file"
    return (
        f"{printable(given)}: nothing here can become a dataset: "
        f"{here}{f' ({problems})' if problems else ''}; supported: {supported()}"
    )


def _named(sources: Sequence[tuple[Found, Figures]]) -> list[str]:
    """A name for each source: its kind, and its folder if several have the same kind."""
    names: list[str] = []
    for found, _ in sources:
        name = _NAMES.get(found.kind, found.kind)
        if sum(other.kind == found.kind for other, _ in sources) > 1:
            place = _slug(Path(str(found.keys["path"])).name.partition(".")[0]).lower().replace(".", "-")
            name = f"{name}-{place}"[:60].rstrip("-_") if place else name
        count = 1
        while (unique := name if count == 1 else f"{name}-{count}") in names:
            count += 1
        names.append(unique)
    return names


def _run_name(folder: Path) -> str:
    return _slug(folder.resolve().name)[:64] or "my-dataset"


def _slug(text: str) -> str:
    """A name with everything but ASCII letters, digits and `_.` replaced by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-_.")


def _entry(found: Found, name: str, folder: Path, relative: bool) -> dict[str, object]:
    """A source's entry in the recipe. Paths are relative to the recipe's folder if the given path was
    relative."""
    base = folder.resolve()
    entry: dict[str, object] = {"kind": found.kind, "name": name}
    for key, value in found.keys.items():
        path = key in Source.PATH_KEYS and relative
        entry[key] = os.path.relpath(str(value), base) if path else value
    try:
        str(entry["path"]).encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{printable(found.keys['path'])}: the path is not UTF-8, but a recipe is; rename the folder"
        ) from error
    return entry


def _findings(seen: Recognized, sources: Sequence[tuple[Found, Figures]], given: Path) -> Iterator[str]:
    """One line per finding."""
    yield (
        f"{printable(given)}: {'' if seen.complete else 'at least '}{_files(seen.listed)}, "
        f"{seen.opened:,} of them opened"
    )
    for (found, sample), name in zip(sources, _named(sources), strict=True):
        yield f"  {name}: {found.what}, {_files(found.files)}{_sampled(sample)}"
        yield from (f"    {note}" for note in found.notes)
        if sample.lost:
            lost = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(sample.lost.items()))
            yield f"    not read in the sample: {lost}; the first is {printable(sample.example, 160)}"
    for name, why in seen.problems[:_SHOWN]:
        yield f"  left out: {printable(name, 100)} {printable(why, 300)}"
    if len(seen.problems) > _SHOWN:
        yield f"  left out: {len(seen.problems) - _SHOWN:,} more files like these"
    if rest := ", ".join(
        f"{count:,} {printable(ending, 20)}"
        for ending, count in sorted(seen.endings.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    ):
        yield f"  other files, not read as documents: {rest}"


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def _documents(count: int) -> str:
    return f"{count:,} sampled document{'' if count == 1 else 's'}"


def _sampled(sample: Figures) -> str:
    if not sample.documents:
        return ""
    words, images = sorted(words for words, _ in sample.documents), [images for _, images in sample.documents]
    several = sum(count > 1 for count in images)
    length = (
        f"{words[0]:,} to {words[-1]:,} words, median {statistics.median(words):,.0f}"
        if words[0] < words[-1]
        else f"{words[0]:,} words"
    )
    places = [
        f"{count:,} {what}"
        for count, what in ((sample.local, "here"), (sample.web, "on the web"), (sample.missing, "missing"))
        if count
    ]
    return (
        f"; {_documents(len(words))}, {sum(count > 0 for count in images):,} with images and "
        f"{several:,} with two or more; "
        f"{length}; images: {', '.join(places) or 'none'}"
    )


def _unchecked(
    sources: Sequence[tuple[Found, Figures]], contact: str | None, web: int, images: int
) -> Iterator[str]:
    """One line per thing that the recipe does not check."""
    if contact is None and web:
        yield (
            f"images on the web: {web:,} of {images:,} in the sample, lost until filter.images.fetch is "
            "set (or --contact is given)"
        )
    if any(sample.apart for _, sample in sources):
        yield (
            "images in other archives of the crawl: the sample reads a page's own archive, the build reads "
            "all"
        )
    if missing := sum(sample.missing for _, sample in sources):
        yield f"missing image files: {missing:,} of {images:,} in the sample; such images are dropped"
    if any(found.kind in ("video", "youcook2") for found, _ in sources):
        yield "videos: none was decoded; the build reports those that cannot be decoded"
    yield (
        "whether images fit their text: needs a CLIP model (filter.alignment.model and a rule on "
        "alignment.own)"
    )
    yield (
        "quality of the text: the rule-based judge only computes statistics and does not understand; llm: "
        "sets a model"
    )
    yield (
        "licenses of texts and images: unknown unless the source states them; license: of a source sets "
        "a default"
    )
    yield (
        "names and faces of people: filter.personal_data masks e-mail addresses, phone numbers, payment "
        "cards, IBANs, IP addresses and keys only"
    )
    yield (
        "nudity and violence in images: nothing looks for them; toxic language is counted (toxicity.words), "
        "and no rule bounds it"
    )
    yield "near-duplicates: add {score: duplicate.near_text, max: 0} to drop them"


def _min_words(sources: Sequence[tuple[Found, Figures]]) -> tuple[int, int]:
    """The largest bound of _MIN_WORDS that keeps all sampled documents with images, and the fewest words of
    these."""
    words = [count for _, sample in sources for count, images in sample.documents if images]
    if any(found.kind == "youcook2" for found, _ in sources):
        words.append(_MIN_WORDS[-2])  # a few short sentences; videos are not sampled
    fewest = min(words, default=_MIN_WORDS[0])
    return next((bound for bound in _MIN_WORDS if bound <= fewest), _MIN_WORDS[-1]), fewest


def _text(
    name: str,
    entries: Sequence[dict[str, object]],
    sources: Sequence[tuple[Found, Figures]],
    findings: Sequence[str],
    unchecked: Sequence[str],
    contact: str | None,
) -> str:
    plain = all(
        value.isprintable() for entry in entries for value in entry.values() if isinstance(value, str)
    )  # else PyYAML folds some of them
    listed = yaml.safe_dump(
        list(entries), sort_keys=False, allow_unicode=plain, width=10_000, default_flow_style=False
    )
    documents = [images for _, sample in sources for _, images in sample.documents]
    words, fewest = _min_words(sources)
    fetch = (
        NO_FETCH
        if contact is None
        else FETCH.format(contact=yaml.safe_dump(contact, default_style='"', width=10_000).strip())
    )
    return TEMPLATE.format(
        findings=_comment(findings),
        unchecked=_comment(unchecked),
        name=yaml.safe_dump(name, default_style='"', width=10_000).strip(),
        sources="".join(f"    {line}\n" for line in listed.splitlines()),
        several=sum(count > 1 for count in documents),
        documents=len(documents),
        min_words=words,
        shortest=" " * (11 - len(str(words)))
        + f"# the shortest sampled document with an image has {fewest:,} words"
        if documents
        else "",
        fetch=fetch,
        truncated=CUT
        if any({"truncated", "damaged"} & sample.lost.keys() for _, sample in sources)
        else WHOLE,
        judge=OFFLINE_JUDGE,
    )


def _comment(lines: Sequence[str]) -> str:
    return "".join(f"# {printable(line)}\n" for line in lines)
