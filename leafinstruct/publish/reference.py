"""Write shards without the bytes of images, for publication when the bytes may not be published.

    runs/<name>/push/<task>.<split>-00000-of-00001.parquet, README.md, SHA256SUMS

Rows keep their schema, and lists their length: each entry of `images` is null, and `image_info` holds URL or
locator and sha256. Chosen over `{"bytes": null, "path": <url>}`, which `datasets` would fetch while decoding,
without robots.txt and without a check of sha256. Schema and row groups are those of the shard, so that `leaf
hydrate` restores identical shards, also for shards of an older schema.

The bytes of images are not read. A shard's key is the sha256 of the shard that it was made from.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.printable import printable
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.stage_report import StageReport
from leafinstruct.runtime.store.opened import is_url

CODE = 1
"""Increased when the same shards give other references."""

NOTICE = """
> **Images are references.** This dataset contains no images: every entry of `images` is null (`None` in `datasets`), and `image_info` holds the
> location (`url`, `ref`) and the checksum (`sha256`) of each image. {command} fetches the images, obeying robots.txt,
> verifies them, and writes shards that contain them.
"""  # noqa: E501
_NOTICE = re.compile(r"\n> \*\*Images are references\.\*\*[^\n]*\n(?:> [^\n]*\n)*")
_HEADING = re.compile(r"^# .*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*(?:\./)?examples/[^)]*\)|<img\b[^>]*\bsrc=[\"'](?:\./)?examples/[^>]*>")


def write(
    shards: Artifact, out: Artifact, repo: str, on_part: Callable[[int, int], None], to: str | None = None
) -> list[Path]:
    """Write the references that are not up to date. on_part: called with (done, total). to: the bucket's
    prefix or the folder where they will be, instead of the repository.

    Returns all files: the shards, then the files that describe them.
    """
    files = _references(shards, out, public.ROWS, on_part)
    pairs, pairs_out = Artifact(shards.path / FOLDER), Artifact(out.path / FOLDER)
    if pairs.parts():
        files += [*_references(pairs, pairs_out, public.PREFERENCE, lambda *_: None), _checksums(pairs_out)]
    else:
        shutil.rmtree(pairs_out.path, ignore_errors=True)
    return [*files, *_beside(shards, out, repo, to)]


def _references(
    shards: Artifact, out: Artifact, layout: public.Layout, on_part: Callable[[int, int], None]
) -> list[Path]:
    """Write the references of one folder of shards that are not up to date. Returns all of them."""
    parts = shards.parts()
    out.keep_only(parts)
    for done, part in enumerate(parts):
        on_part(done, len(parts))
        source = shards.path / f"{part}.parquet"
        report = shards.report(part)
        key = digest([CODE, report.files[source.name] if report else None])
        if not out.is_up_to_date(part, key) or list(out.faults(part)):
            out.open(part)
            rows = _without_bytes(source, out.path / source.name, layout)
            out.commit(part, key, StageReport(counts={"rows": rows}), [out.path / source.name])
    on_part(len(parts), len(parts))
    files = [out.path / f"{part}.parquet" for part in parts]
    for path in out.path.glob("*.parquet"):
        if path not in files:
            path.unlink()
    return files


def card(text: str, repo: str, to: str | None = None) -> str:
    """The card of the dataset without images: a notice under the title, and no images of examples. repo, to:
    see `write`."""
    bare = _IMAGE.sub("*(an image)*", text)
    notice = NOTICE.format(command=_command(repo, to)).rstrip()
    return _HEADING.sub(lambda found: f"{found[0]}\n{notice}", bare, count=1)


def _command(repo: str, to: str | None) -> str:
    """What a reader runs. The path of a folder is not named, since readers may see it under another one."""
    if to is None:
        return f"`leaf hydrate {repo} --out DIR`"
    folder = f"a copy of {printable(to)} on a disk" if is_url(to) else "the folder of this card"
    return f"`leaf hydrate FOLDER --out DIR` (FOLDER: {folder})"


def without_notice(text: str) -> str:
    """The card without the notice, for hydrated shards."""
    return _NOTICE.sub("", text)


def _without_bytes(source: Path, target: Path, layout: public.Layout = public.ROWS) -> int:
    shard = public.open_shard(source, layout)
    schema = shard.stored_schema.with_metadata({**shard.stored_schema.metadata, public.IMAGES: b"reference"})
    with writing(target) as temporary, pq.ParquetWriter(temporary, schema, **public.WRITER) as file:
        for number in range(shard.row_groups):
            rows = shard.stored_group(number, without=["images"]).combine_chunks()
            infos = rows.column("image_info").combine_chunks()
            infos = infos.chunk(0) if isinstance(infos, pa.ChunkedArray) else infos
            kind = schema.field("images").type
            nothing = pa.ListArray.from_arrays(
                infos.offsets, pa.nulls(len(infos.values), kind.value_type), type=kind
            )
            whole = [nothing if name == "images" else rows.column(name) for name in schema.names]
            file.write_table(pa.Table.from_arrays(whole, schema=schema), row_group_size=max(1, rows.num_rows))
    return shard.rows


def _beside(shards: Artifact, out: Artifact, repo: str, to: str | None) -> list[Path]:
    """Write README.md and build.json, if the build wrote them, and SHA256SUMS of the new shards.

    croissant.json is left out, since it describes the original shards, and examples/, since it holds images.
    """
    made = []
    if (shards.path / "README.md").is_file():
        made.append(out.path / "README.md")
        with writing(made[-1]) as temporary:
            temporary.write_text(
                card((shards.path / "README.md").read_text(encoding="utf-8"), repo, to), encoding="utf-8"
            )
    if (shards.path / "build.json").is_file():
        made.append(out.path / "build.json")
        with writing(made[-1]) as temporary:
            shutil.copyfile(shards.path / "build.json", temporary)
    return [*made, _checksums(out)]


def _checksums(out: Artifact) -> Path:
    """Write SHA256SUMS of the shards of a folder."""
    sums = sorted((name, sha256) for report in out.reports() for name, sha256 in report.files.items())
    with writing(out.path / "SHA256SUMS") as temporary:
        temporary.write_text("".join(f"{sha256}  {name}\n" for name, sha256 in sums), encoding="utf-8")
    return out.path / "SHA256SUMS"
