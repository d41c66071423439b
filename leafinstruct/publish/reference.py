"""Shards without the images' bytes, in a folder of their own: what goes out where the bytes may not.

    runs/<name>/push/<task>.<split>-00000-of-00001.parquet, README.md, SHA256SUMS

The row keeps its schema and every list its length: each entry of `images` is null, and `image_info` beside it
holds address or locator and sha256. `{"bytes": null, "path": <address>}` was refused: `datasets` would fetch
it while it decodes, asking nobody's robots.txt and checking no sha256; null it hands on as None. Schema and
row groups stay those of the shard, so that `leaf hydrate` gives the very bytes of the shards that were built,
by this version or by one that wrote an older schema.

The bytes are not even read. A shard's key is the sha256 of the shard that it was made from.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public
from leafinstruct.runtime.artifact import Artifact, digest, writing

CODE = 1
"""Raised when the same shards give other references than before."""

NOTICE = """
> **Images are references.** This dataset holds no image: every entry of `images` is null (`None` in `datasets`), and `image_info` says where
> the image lies (`url`, `ref`) and what its bytes were (`sha256`). `leaf hydrate {repo} --out DIR` fetches the images again, politely,
> checks them, and writes shards that hold them.
"""
_NOTICE = re.compile(r"\n> \*\*Images are references\.\*\*[^\n]*\n(?:> [^\n]*\n)*")
_HEADING = re.compile(r"^# .*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*(?:\./)?examples/[^)]*\)|<img\b[^>]*\bsrc=[\"'](?:\./)?examples/[^>]*>")


def write(shards: Artifact, out: Artifact, repo: str, on_part: Callable[[int, int], None]) -> list[Path]:
    """Make what does not stand. Returns the files: shards, then what stands beside them. on_part: (done, of
    how many)."""
    parts = shards.parts()
    out.keep_only(parts)
    for done, part in enumerate(parts):
        on_part(done, len(parts))
        source = shards.path / f"{part}.parquet"
        report = shards.report(part)
        key = digest([CODE, report["files"][source.name] if report else None])
        if not out.is_up_to_date(part, key) or list(out.faults(part)):
            out.open(part)
            rows = _without_bytes(source, out.path / source.name)
            out.commit(part, key, {"counts": {"rows": rows}, "reasons": {}}, [out.path / source.name])
    on_part(len(parts), len(parts))
    files = [out.path / f"{part}.parquet" for part in parts]
    for path in out.path.glob("*.parquet"):
        if path not in files:
            path.unlink()
    return [*files, *_beside(shards, out, repo)]


def card(text: str, repo: str) -> str:
    """A dataset's card, for the dataset without images: a notice under its title, none of the examples'
    images."""
    bare = _IMAGE.sub("*(an image)*", text)
    return _HEADING.sub(lambda found: f"{found[0]}\n{NOTICE.format(repo=repo).rstrip()}", bare, count=1)


def without_notice(text: str) -> str:
    """The card of a dataset whose images are back."""
    return _NOTICE.sub("", text)


def _without_bytes(source: Path, target: Path) -> int:
    shard = public.open_shard(source)
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


def _beside(shards: Artifact, out: Artifact, repo: str) -> list[Path]:
    """README.md and build.json where they are (a build that was cut has none), and SHA256SUMS of the shards.
    No croissant.json, which tells of the other shards' bytes; no examples/, which are images."""
    made = []
    if (shards.path / "README.md").is_file():
        made.append(out.path / "README.md")
        with writing(made[-1]) as temporary:
            temporary.write_text(
                card((shards.path / "README.md").read_text(encoding="utf-8"), repo), encoding="utf-8"
            )
    if (shards.path / "build.json").is_file():
        made.append(out.path / "build.json")
        with writing(made[-1]) as temporary:
            shutil.copyfile(shards.path / "build.json", temporary)
    sums = sorted((name, sha256) for report in out.reports() for name, sha256 in report["files"].items())
    with writing(out.path / "SHA256SUMS") as temporary:
        temporary.write_text("".join(f"{sha256}  {name}\n" for name, sha256 in sums), encoding="utf-8")
    return [*made, out.path / "SHA256SUMS"]
