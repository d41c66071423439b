"""The tables of a run, as Arrow batches, pandas frames and files.

    scores     one row per score of a document or of an image, dropped ones included
    drops      one row per rule or reason that a document, an image or a piece of a document failed
    edits      one row per change of a text, without the text itself
    funnel     the lines of `leaf status`
    examples   one row per example in the shards: the published row without its images
    preference one row per preference row in the shards, without its images

`schema` gives names, types and order of the columns; docs/python.md describes them. Tables are read part by
part, so memory is bounded by one batch until the caller collects them.

A CSV file is often opened in a spreadsheet, which executes a cell that begins like a formula, and the texts
come from strangers' pages. So a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an
apostrophe before it, as OWASP advises ("CSV Injection"). Parquet keeps texts unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from leafinstruct.errors import LeafInstructError, SourceError, suggestion
from leafinstruct.filter.catalog import SCORES
from leafinstruct.records import public, table
from leafinstruct.records.document import UNDECIDED
from leafinstruct.records.edits import FINDINGS, edits, finding_row
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.shards import split_of
from leafinstruct.report import status
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing

if TYPE_CHECKING:
    import pandas as pd

IMAGES = "images"
"""Column of examples that is read only on request: the images themselves."""
_COLUMNS: dict[str, pa.Schema] = {
    "scores": table.SCORES,
    "drops": table.DROPS,
    "edits": FINDINGS,
    "funnel": pa.schema(
        [(name, pa.string()) for name in ("stage", "step")]
        + [(name, pa.int64()) for name in ("documents", "images")]
        + [("share", pa.float64()), ("lost", pa.bool_())]
    ),
}
_PUBLISHED: Mapping[str, public.Layout] = {"examples": public.ROWS, FOLDER: public.PREFERENCE}
"""Tables of the shards -> what their rows are."""
TABLES = (*_COLUMNS, *_PUBLISHED)
_NEEDS = {"scores": "filter", "drops": "filter", "edits": "filter", "examples": "shard", FOLDER: "shard"}
"""Table -> the stage that must be done. The funnel shows what there is."""
_CATEGORIES = frozenset(
    (
        *("name", "state", "model", "stage", "scope", "rule", "reason", "field"),
        *("split", "shard", "source", "task", "language", "kind"),
    )
)
"""Text columns with few different values, which become pandas categories."""
_ROWS = 512
"""Rows of a batch of examples without images."""
GROUP_BYTES = 32_000_000
"""Bytes of a row group that is written: the memory of `write`."""
_FORMULA = r"^[=+\-@\t\r]"
ENDINGS = (".parquet", ".csv")


@cache
def schema(name: str) -> pa.Schema:
    """Columns of a table, in their order."""
    if name not in _PUBLISHED:
        return _COLUMNS[name]
    place = [pa.field(own, pa.string()) for own in ("split", "shard")]
    left_out = (IMAGES, "scores") if name == "examples" else (IMAGES,)
    published = [field for field in _PUBLISHED[name].schema() if field.name not in left_out]
    return pa.schema([*place, pa.field("row", pa.int64()), *published])


def batches(
    stages: Mapping[str, Artifact],
    name: str,
    again: str,
    columns: Sequence[str] | None = None,
    scores: Collection[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield a table in batches. again: the command that builds the run, for errors.

    columns: names in any order, None for all of `schema`. Of published rows also `images`: a list of
    `{"bytes", "path"}` per row. scores: of the table of scores, only these. Raises LeafInstructError for an
    unknown name and for a stage that is not done, DamagedError and SourceError for damaged files."""
    if name not in TABLES:
        raise LeafInstructError(f"there is no table {name!r}; {suggestion(name, TABLES)}")
    known = [*schema(name).names, *([IMAGES] if name in _PUBLISHED else [])]
    for asked in columns or ():
        if asked not in known:
            raise LeafInstructError(f"{name}: there is no column {asked!r}; {suggestion(asked, known)}")
    for score in scores or ():
        if score not in SCORES:
            raise LeafInstructError(f"unknown score {score!r}; {suggestion(score, SCORES)}")
    needed = stages.get(_NEEDS.get(name, ""))
    if needed is not None and needed.record is None:
        raise LeafInstructError(
            f"{needed.path}: {status.STATES[status.state(needed)]}, so there is no table of {name}; "
            f"run: {again}"
        )
    wanted = list(columns or schema(name).names)
    if name in _PUBLISHED:
        yield from _published(stages["shard"], name, wanted)
        return
    found = {"scores": _scores, "drops": _drops, "edits": _edits, "funnel": _funnel}[name](stages)
    for batch in found:
        yield (batch if scores is None else of_names(batch, scores)).select(wanted)


def of_names(scores: pa.RecordBatch, names: Collection[str]) -> pa.RecordBatch:
    """The rows of these scores."""
    return scores.filter(pc.is_in(scores["name"], pa.array([*names], pa.string())))


def _scores(stages: Mapping[str, Artifact]) -> Iterator[pa.RecordBatch]:
    for part in stages["filter"].parts():
        yield from table.batches(stages["filter"].file("scores", part))


def _drops(stages: Mapping[str, Artifact]) -> Iterator[pa.RecordBatch]:
    for stage, kinds in (("filter", ("documents", "dropped")), ("rewrite", ("dropped",))):
        artifact = stages[stage]
        for part in artifact.parts():
            cut = _ids(artifact.file("examples", part)) if stage == "rewrite" else set[str]()
            for kind in kinds:
                for batch in table.batches(artifact.file(kind, part), ["id", "drops"]):
                    pairs = zip(batch["id"].to_pylist(), batch["drops"].to_pylist(), strict=True)
                    rows = [
                        {"stage": stage, "document_id": document, "scope": scope, **drop}
                        for document, drops in pairs
                        for scope, drop in _scopes(drops, document in cut)
                    ]
                    yield pa.RecordBatch.from_pylist(rows, schema("drops"))


def _ids(examples: Path) -> set[str]:
    """Documents of which a piece became an example."""
    return {
        document
        for batch in table.batches(examples, ["document_id"])
        for document in batch["document_id"].to_pylist()
    }


def _scopes(drops: Sequence[Mapping[str, Any]], cut: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each drop of a document dropped: `document`, `image`, or `piece` if other pieces of it became
    examples (cut).

    An image's drop that dropped its whole document (`drop: document`) is listed twice by filter, for the
    document and for the image.
    """
    for at, drop in enumerate(drops):
        whole = drop["position"] is None or drop["state"] in UNDECIDED or drop in drops[at + 1 :]
        yield ("piece" if cut else "document") if whole else "image", drop


def _edits(stages: Mapping[str, Artifact]) -> Iterator[pa.RecordBatch]:
    filtered = stages["filter"]
    for part in filtered.parts():
        for kind in ("documents", "dropped"):
            found = edits(filtered.file(kind, part))
            rows = [finding_row(document, edit) for document, made in found for edit in made]
            yield pa.RecordBatch.from_pylist(rows, schema("edits"))


def _funnel(stages: Mapping[str, Artifact]) -> Iterator[pa.RecordBatch]:
    steps = list(status.steps(status.entries(stages)))
    read = status.documents_read(steps)
    rows = [
        {
            "stage": step.stage,
            "step": step.what,
            "documents": step.documents,
            "images": step.images,
            "share": step.share(read),
            "lost": step.lost,
        }
        for step in steps
    ]
    yield pa.RecordBatch.from_pylist(rows, schema("funnel"))


def _published(shards: Artifact, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    layout = _PUBLISHED[name]
    stored = [name for name in columns if name in layout.schema().names]
    folder = shards.path / FOLDER if name == FOLDER else shards.path
    for path in sorted(folder.glob("*.parquet")):
        split, first = split_of(path), 0
        size = public.BATCH if IMAGES in columns else _ROWS
        for batch in public.open_shard(path, layout).batches(stored or ["id"], size):
            count = batch.num_rows
            own = {
                "split": pa.array([split] * count, pa.string()),
                "shard": pa.array([path.name] * count, pa.string()),
                "row": pa.array(range(first, first + count), pa.int64()),
            }
            yield pa.RecordBatch.from_arrays(
                [own[name] if name in own else batch.column(name) for name in columns], list(columns)
            )
            first += count


def frame(
    found: Iterable[pa.RecordBatch], name: str, columns: Sequence[str] | None = None, limit: int | None = None
) -> pd.DataFrame:
    """Collect batches of a table in a frame. limit: maximum number of rows.

    Integers become nullable (Int32, Int64), texts `str`, those with few different values `category`; lists
    and structs become Python lists and dictionaries, images PIL images.
    """
    import pandas as pd

    first = list(_first(found, limit))  # which raises for an unknown column
    fields = [_field(name, column) for column in columns or schema(name).names]
    kept = pa.Table.from_batches(first, pa.schema(fields))
    plain = [field.name for field in kept.schema if not pa.types.is_nested(field.type)]
    integers = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    data: pd.DataFrame = kept.select(plain).to_pandas(
        categories=[column for column in plain if column in _CATEGORIES], types_mapper=integers.get
    )
    for column in kept.schema.names:
        if column == IMAGES and name in _PUBLISHED:
            data[column] = pd.Series(map(_decoded, kept[column].to_pylist()), data.index, object)
        elif column not in plain:
            data[column] = pd.Series(kept[column].to_pylist(), data.index, object)
    ordered: pd.DataFrame = data[kept.schema.names]
    return ordered


def _field(name: str, column: str) -> pa.Field:
    known = _PUBLISHED[name].schema() if name in _PUBLISHED and column == IMAGES else schema(name)
    return known.field(column)


def _first(found: Iterable[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in found:
        yield batch if left is None else batch.slice(0, left)
        if left is not None and (left := left - batch.num_rows) <= 0:
            return


def _decoded(images: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The images of one row as PIL images, RGB and upright."""
    from leafinstruct.images.decode import Undecodable, decode  # Pillow is not needed for the other tables

    decoded = [decode(image["bytes"] or b"") for image in images]
    for number, image in enumerate(decoded):
        if isinstance(image, Undecodable):
            raise SourceError(f"image {number} of an example: {image.reason}: {image.detail}")
    return decoded


def check_ending(path: Path) -> None:
    """Raise LeafInstructError for a file that is neither Parquet nor CSV."""
    if path.suffix.lower() not in ENDINGS:
        raise LeafInstructError(f"{path}: a table is written as {' or '.join(ENDINGS)}; give such a name")


def write(found: Iterable[pa.RecordBatch], name: str, path: Path) -> int:
    """Write a table to a Parquet or CSV file, by its ending, and return the number of rows.

    The file appears whole or not at all. In CSV, lists and structs are JSON, and texts that begin like a
    formula get an apostrophe. Raises LeafInstructError for another ending, SourceError if it cannot be
    written.
    """
    check_ending(path)
    rows = 0
    plain = path.suffix.lower() == ".csv"
    columns = schema(name)
    stored = pa.schema([(field.name, _cell_type(field)) for field in columns]) if plain else columns
    kind = pyarrow.csv.CSVWriter if plain else partial(pq.ParquetWriter, compression="zstd")
    with writing(path) as temporary, kind(temporary, stored) as file:
        for group in _grouped(found, columns):
            file.write_table(_as_cells(group, stored) if plain else group)
            rows += group.num_rows
    return rows


def _grouped(found: Iterable[pa.RecordBatch], columns: pa.Schema) -> Iterator[pa.Table]:
    """Tables of about GROUP_BYTES. There is at least one, so that an empty table has its columns."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in found:
        group.append(batch)
        size += batch.nbytes
        if size >= GROUP_BYTES:
            yield pa.Table.from_batches(group, columns)
            group, size = [], 0
    yield pa.Table.from_batches(group, columns)


def _cell_type(field: pa.Field) -> pa.DataType:
    return pa.string() if pa.types.is_nested(field.type) else field.type


def _as_cells(group: pa.Table, stored: pa.Schema) -> pa.Table:
    """A table without lists and structs, and without texts that begin like a formula."""
    columns = []
    for field, column in zip(group.schema, group.columns, strict=True):
        if pa.types.is_nested(field.type):
            texts = [
                None if cell is None else json.dumps(cell, ensure_ascii=False) for cell in column.to_pylist()
            ]
            columns.append(pa.array(texts, pa.string()))
        elif pa.types.is_string(field.type):
            marked = pc.binary_join_element_wise("'", column, "")
            columns.append(pc.if_else(pc.match_substring_regex(column, _FORMULA), marked, column))
        else:
            columns.append(column)
    return pa.Table.from_arrays(columns, schema=stored)
