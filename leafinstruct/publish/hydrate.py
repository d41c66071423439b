"""`leaf hydrate`: fetch the images of published references and write shards with their bytes.

    DIR/<task>.<split>-00000-of-00001.parquet   identical to the built shard if every image was found
    DIR/missing.jsonl                           images that were not found: record, URL, reason (gone,
                                                changed, refused ...)
    DIR/.fetched/                               fetched images, so that an interrupted run continues
    DIR/preference/                             the same of preference rows, if the dataset has some

An image is read from the folder of its source if the caller names it, else fetched from its URL by the
fetcher of images/web: robots.txt, opt-outs and limits apply as in a build. Its sha256 must match; a different
image is `changed` and not used. A record with a missing image is left out, since its text refers to the
image.

404 and a changed image are final. Temporary failures (no answer, 429, 5xx) are not: if they exceed
`tolerate`, nothing is written, and running the same command again continues.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from leafinstruct.errors import PublishError
from leafinstruct.images.config import FetchConfig
from leafinstruct.images.formats.mend import mended
from leafinstruct.images.read import fetch as read
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.publish.reference import without_notice
from leafinstruct.records import public
from leafinstruct.records.document import Ref
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.published_row import ImageInfo, PublishedRow
from leafinstruct.records.shards import CHECKSUMS, check
from leafinstruct.runtime import hub
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.files import file_sha256, writing
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.record import Fingerprint, Record
from leafinstruct.runtime.stage_report import StageReport
from leafinstruct.runtime.store.opened import is_url

if TYPE_CHECKING:
    from leafinstruct.images.web.client import Web
    from leafinstruct.images.web.store import Fetched

CODE = 2
"""Increased when the same references and images give other shards."""


_PAIRS = f"{FOLDER}/*.parquet"


class Missing(TypedDict):
    """An image that was not found. id: of its row. image: its index there, None if the row is broken.
    passing: whether the reason is temporary."""

    id: str
    image: int | None
    ref: str | None
    url: str | None
    sha256: str | None
    reason: str
    detail: str
    passing: bool


@dataclass(frozen=True, kw_only=True)
class HydrateReport(StageReport):
    """Report of one shard."""

    missing: Sequence[Missing] = ()


@dataclass(frozen=True)
class HydrateSettings:
    """Settings of `leaf hydrate`.

    roots: source -> folder that its references are relative to; the key "" is for all other sources.
    fetch: None if nothing is fetched from the web.
    tolerate: maximum share of images that may fail for a temporary reason.
    """

    roots: Mapping[str, Path]
    fetch: FetchConfig | None
    tolerate: float = 0.02


def hydrate(
    settings: HydrateSettings,
    shards: Sequence[Path],
    out: Artifact,
    engine: Engine,
    layout: public.Layout = public.ROWS,
    fetched_before: Path | None = None,
) -> Record:
    """Write every shard that is not up to date. Returns the record. layout: of the shards' rows.
    fetched_before: folder of fetched images, None for that of `out`. Raises SourceError, SchemaError,
    PublishError."""
    store = fetched_before or fetched_in(out)
    asked = [
        sorted((name, str(root.resolve())) for name, root in settings.roots.items()),
        settings.fetch and settings.fetch.allow_hosts,
    ]
    hashes = {path: file_sha256(path) for path in _checked(shards, out.path, layout)}
    for path, sha256 in hashes.items():
        check(path, sha256)
    keys = {path.stem: digest([CODE, sha256, asked]) for path, sha256 in hashes.items()}
    fingerprint: Fingerprint = {"code": CODE, "shards": keys}
    out.begin(fingerprint)
    for name in {name for report in out.reports() for name in report.files} - {path.name for path in shards}:
        (out.path / name).unlink(missing_ok=True)  # of other references that were hydrated here before
    out.keep_only(keys)
    missing = [
        path
        for path in shards
        if not out.is_up_to_date(path.stem, keys[path.stem]) or list(out.faults(path.stem))
    ]
    fetched = _fetch_all(settings, missing, store, engine, layout)
    for path in missing:
        _write(path, keys[path.stem], settings, Found(fetched, store), out, layout)
    with writing(out.path / "missing.jsonl") as temporary:
        lines = (
            json.dumps(item, ensure_ascii=False)
            for report in out.reports_as(HydrateReport)
            for item in report.missing
        )
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for card in {path.parent / "README.md" for path in shards}:
        if card.is_file():
            with writing(out.path / "README.md") as temporary:
                temporary.write_text(without_notice(card.read_text(encoding="utf-8")), encoding="utf-8")
    with last_write():
        return out.finish(fingerprint)


def hydrate_preference(
    settings: HydrateSettings, shards: Sequence[Path], out: Artifact, engine: Engine
) -> Record | None:
    """Write the preference rows beside some shards to a folder below `out`, with the images that were fetched
    for its shards. Returns the record, None if there are no such rows. Raises what `hydrate` raises."""
    pairs = sorted(path for folder in {path.parent for path in shards} for path in folder.glob(_PAIRS))
    folder = Artifact(out.path / FOLDER)
    if not pairs:
        shutil.rmtree(folder.path, ignore_errors=True)  # of an earlier revision
        return None
    return hydrate(settings, pairs, folder, engine, public.PREFERENCE, fetched_in(out))


def fetched_in(out: Artifact) -> Path:
    """The folder of fetched images of a hydrated dataset."""
    return out.path / ".fetched"


def settings(
    roots: Sequence[str], contact: str | None, allow_hosts: Sequence[str], tolerate: float
) -> HydrateSettings:
    """Settings from command line values. roots: `DIR` or `SOURCE=DIR`.

    Raises PublishError for a missing folder or an invalid contact.
    """
    named: dict[str, Path] = {}
    for given in roots:
        source, equals, folder = given.partition("=")
        named[source if equals else ""] = Path(folder if equals else given)
    if wrong := [path for path in named.values() if not path.is_dir()]:
        raise PublishError(
            f"--root {wrong[0]}: no such folder; give the folder that the source's files are relative to"
        )
    try:
        fetch = None if contact is None else FetchConfig(contact=contact, allow_hosts=tuple(allow_hosts))
    except ValidationError as error:
        raise PublishError(
            f"--contact, --allow-host: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from error
    return HydrateSettings(named, fetch, tolerate)


def shards(place: str, revision: str | None) -> list[Path]:
    """Shards of a folder, or of ORG/NAME on the Hub (downloads are cached).

    Raises PublishError if there are none.
    """
    folder = Path(place)
    if is_url(place):
        raise PublishError(
            f"{place}: is neither a folder nor ORG/NAME; copy it to a disk, and give that folder"
        )
    if not folder.exists():
        folder = hub.snapshot(
            place,
            ["*.parquet", "README.md", f"*{CHECKSUMS}"],
            f"{place}, which is not a folder here",
            PublishError,
            revision=revision,
        )
    found = [folder] if folder.is_file() else sorted(folder.glob("*.parquet"))
    if not found:
        raise PublishError(f"{place}: contains no shard (*.parquet)")
    return found


@dataclass(frozen=True)
class Found:
    """What was fetched: results by URL, and the folder with the bytes."""

    results: Mapping[str, Fetched]
    store: Path


async def _ask(web: Web, found: dict[str, Fetched], part: Part) -> TaskResult:
    """Task of an engine: fetch the URLs of a shard (its payload) and add the results to `found`."""
    answers = await asyncio.gather(*(web.fetch(url) for url in part.payload))
    found.update({answer.url: answer for answer in answers})
    return TaskResult(counts={"images": len(answers)})


def _fetch_all(
    settings: HydrateSettings, shards: Sequence[Path], store: Path, engine: Engine, layout: public.Layout
) -> dict[str, Fetched]:
    """Fetch every URL that some shards need, each once. Returns the results by URL."""
    wanted = {
        path.stem: [url for place in _images(path, layout) if (url := _url(settings, *place)) is not None]
        for path in shards
    }
    count = len({url for urls in wanted.values() for url in urls})
    if not count:
        return {}
    if settings.fetch is None:
        raise PublishError(
            f"{count:,} images are on the web: give --contact with an address where hosts can reach you, or "
            "the folder of the images with --root"
        )
    from leafinstruct.images.web.client import Web
    from leafinstruct.images.web.store import Store

    web = Web(settings.fetch, Store(store))
    found: dict[str, Fetched] = {}
    needs = Needs("io", 4, "fetching images", release=web.close, unit="images", pulse=lambda: web.answered)

    async def task(part: Part) -> TaskResult:
        return await _ask(web, found, part)

    for _ in engine.map(
        task, [Part(name, list(dict.fromkeys(urls))) for name, urls in wanted.items() if urls], needs
    ):
        pass
    failed = Counter(answer.reason for answer in found.values() if answer.state == "failed")
    if failed.total() > settings.tolerate * count:
        reasons = ", ".join(f"{number:,} x {reason}" for reason, number in failed.most_common(3))
        raise PublishError(
            f"{failed.total():,} of {count:,} images could not be fetched ({reasons}), more than --tolerate "
            f"{settings.tolerate:g} allows; fetched images are saved: run the same command again later"
        )
    return found


def _write(
    path: Path, key: str, settings: HydrateSettings, fetched: Found, out: Artifact, layout: public.Layout
) -> None:
    """Write one shard in the schema of its references, with the row groups and record batches of the shard
    stage, so that the bytes are the same."""
    shard, counts, missing = public.open_shard(path, layout), Counter[str](), list[Missing]()
    out.open(path.stem)
    schema = public.with_images(shard.stored_schema)
    with (
        writing(out.path / path.name) as temporary,
        pq.ParquetWriter(temporary, schema, **public.WRITER) as file,
    ):
        for number in range(shard.row_groups):
            batches = []
            rows = shard.read(("id", "source", "images", "image_info"), groups=[number])
            for stored, row in zip(shard.stored_group(number).to_pylist(), rows, strict=True):
                images = _filled(row, settings, fetched)
                if isinstance(images, list):
                    missing += images
                    counts.update(item["reason"] for item in images)
                    counts["failed"] += sum(item["passing"] for item in images)
                    counts["left_out"] += 1
                    continue
                counts["rows"] += 1
                counts["images"] += len(images)
                whole = {**stored, "images": [{"bytes": data, "path": None} for data in images]}
                batches.append(pa.RecordBatch.from_pylist([whole], schema=schema))
            if batches:
                group = pa.Table.from_batches(batches, schema)
                file.write_table(group, row_group_size=max(1, group.num_rows))
    reasons = {name: counts.pop(name) for name in {item["reason"] for item in missing}}
    report = HydrateReport(counts=counts, reasons=reasons, missing=missing)
    out.commit(path.stem, key, report, [out.path / path.name])


def _filled(
    row: PublishedRow, settings: HydrateSettings, fetched: Found
) -> tuple[bytes, ...] | list[Missing]:
    """The bytes of a row's images, or those that were not found."""
    if len(row.image_info) != len(row.images):
        detail = f"{len(row.image_info)} entries in image_info, {len(row.images)} images"
        return [_missing(row, None, None, Unreadable("images_differ", detail))]
    found: list[bytes] = []
    lost: list[Missing] = []
    for index, (info, present) in enumerate(zip(row.image_info, row.images, strict=True)):
        data = present or _bytes_of(info, info.source or row.source, settings, fetched)
        if not isinstance(data, Unreadable):
            data = _as_pushed(data, info.sha256)
        if isinstance(data, Unreadable):
            lost.append(_missing(row, index, info, data))
        else:
            found.append(data)
    return lost or tuple(found)


def _missing(row: PublishedRow, image: int | None, info: ImageInfo | None, why: Unreadable) -> Missing:
    return {
        "id": row.id,
        "image": image,
        "ref": info.ref if info else None,
        "url": info.url if info else None,
        "sha256": info.sha256 if info else None,
        "reason": why.reason,
        "detail": why.detail,
        "passing": why.retryable,
    }


def _bytes_of(info: ImageInfo, source: str, settings: HydrateSettings, fetched: Found) -> bytes | Unreadable:
    """The bytes of one image, from the folder of its source or from the fetched images."""
    root, ref = _root(settings, source), Ref.of(info.ref or "")
    if root is not None and ref.file is not None:
        return read(ref, root)
    url = _url(settings, source, info.ref or "", info.url)
    if url is None:
        return Unreadable(
            "no_url",
            f"the image is a file of source {source}, whose folder is unknown: give --root {source}=DIR",
        )
    found = fetched.results[url]
    if found.sha256 is None or found.segment is None:
        return Unreadable(found.reason, found.detail, retryable=found.state == "failed")
    from leafinstruct.images.web.store import stored

    try:
        return stored(fetched.store, found.segment, found.offset or 0, found.size or 0, found.sha256)
    except OSError as error:
        return Unreadable("unreadable", f"{url}: {error.strerror or error}", retryable=True)


def _root(settings: HydrateSettings, source: str) -> Path | None:
    return settings.roots.get(source, settings.roots.get(""))


def _url(settings: HydrateSettings, source: str, ref: str, url: str | None) -> str | None:
    """The URL from which an image is fetched; None if it is read from a folder or has no URL."""
    if ref.startswith(("http://", "https://")):
        return ref
    return None if _root(settings, source) is not None else url


def _images(path: Path, layout: public.Layout) -> Iterator[tuple[str, str, str | None]]:
    """Source, reference and URL of every image of a shard."""
    lent = ["image_info.source"] if layout is public.PREFERENCE else []
    for row in public.open_shard(path, layout).read(
        ["source", "image_info.ref", "image_info.url", *lent], 1024
    ):
        for info in row.image_info:
            yield info.source or row.source, info.ref or "", info.url


def _checked(shards: Sequence[Path], out: Path, layout: public.Layout) -> Sequence[Path]:
    """The shards, after a check of their schema. Raises SourceError, SchemaError, and PublishError if the
    shards would be overwritten."""
    for path in shards:
        if path.resolve().parent == out.resolve():
            raise PublishError(f"--out {out}: is the folder of the references; give another folder")
        public.open_shard(path, layout).require(sorted(layout.required))
    return shards


def _as_pushed(data: bytes, sha256: str | None) -> bytes | Unreadable:
    """Return the bytes with a sha256: those given, or as the build mended them."""
    if hashlib.sha256(data).hexdigest() == sha256:
        return data
    whole = mended(data)
    if whole is not None and hashlib.sha256(whole).hexdigest() == sha256:
        return whole
    return Unreadable("changed", "the image changed: its sha256 is not the one that was pushed")
