"""Stream a dataset of the Hugging Face Hub and store it: `datasets` reads it row by row, and the mapped
columns are written to Parquet files under the run.

An image of a stream could not be found again, so the rows are written once, with images as the bytes on the
Hub (nothing is decoded or encoded), and hub reads these files like any others. ROWS rows make a file, created
by one rename; an interrupted build continues after the complete files. `complete.json` is written last: from
then on no network is used. The commit is resolved once and recorded, so that an interrupted download is
completed from the same commit.

No code of a dataset is run (`datasets` 4 and later do not support it). Only the Hub's own login is used, and
its token is never shown.
Chosen: `datasets` streaming. Downloading files would not read every format on the Hub, and the resume state
of its sharded iteration depends on its version.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from leafinstruct.errors import LeafInstructError, RecipeError, SourceError, suggestion
from leafinstruct.images.formats.mend import digests
from leafinstruct.ingest import made
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.readers import hub
from leafinstruct.ingest.tables.columns.columns import columns_of, names_of
from leafinstruct.ingest.tables.columns.placeholders import NUMBER, numbered
from leafinstruct.records.document import Document
from leafinstruct.records.removals import NOTHING, Shown, Suppressed
from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.files import load, save, writing
from leafinstruct.sketchbook.formats.write import Entry

ROWS = 500
"""Rows of a file: at most this many are streamed again after a crash."""


def spool(source: HubSource, folder: Path, engine: Engine, removed: Suppressed = NOTHING) -> None:
    """Store the dataset's rows in `folder`; existing rows are not streamed again. removed: rows that are kept
    without content.

    Raises RecipeError for a dataset, configuration, split or column that does not exist, SourceError when the
    Hub cannot be reached.
    """
    wanted = digest(
        [source.repo, source.config, source.split, source.revision, source.rows, names_of(source)]
    )
    complete = folder / "complete.json"
    known, damaged = (
        _noted(complete) if _noted(complete).get("key") == wanted else {},
        made.wrong_sizes(folder),
    )
    if known and not damaged and known.get("removed") == removed.identity:
        return
    started = folder / "started.json"
    if _noted(started).get("key") != wanted and known:  # files are damaged; continue from the same commit
        save(started, known)
    if _noted(started).get("key") != wanted:
        for path in folder.glob("*"):
            path.unlink()
        save(started, {"key": wanted, "repo": source.repo, "commit": _commit(source)})
    discard(folder, damaged)
    again = _empty_removed(source, folder, removed)
    discard(folder, again)
    commit = str(_noted(started)["commit"])
    keep = partial(_keep, source, folder, commit, removed)
    for _ in (
        engine.map(keep, [Part(source.name)], Needs(what=f"streaming {source.repo}", unit="rows"))
        if damaged or again or not known
        else ()
    ):
        pass
    made.write_sums(folder)
    save(complete, {"key": wanted, "repo": source.repo, "commit": commit, **made.removal_entry(removed)})


def _empty_removed(source: HubSource, folder: Path, removed: Suppressed) -> list[str]:
    """Empty the rows of stored files that a list removes. Returns the files to stream again: those that
    cannot be read, and those that lack a row whose entry is no longer in the list."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    entries = {(entry.kind, entry.value) for entry in removed.entries}
    before, again = made.emptied(folder), []
    for path in sorted(folder.glob("rows-*.parquet")):
        gone = {locator: entry for (file, locator), entry in before.items() if file == path.name}
        try:
            table = pq.read_table(path) if removed.entries and entries.issuperset(gone.values()) else None
        except (pa.ArrowException, OSError):
            table = None
        if table is None and (gone or removed.entries):
            again.append(path.name)
        elif table is not None:
            empty(folder, path.name, _removed(source, table, path.name, removed))
    return again


def _removed(source: HubSource, table: Any, file: str, removed: Suppressed) -> dict[str, Entry]:
    """Return locator -> entry of the rows that a list removes, including rows that contain bytes of a removed
    image."""
    found: dict[str, Entry] = {}
    for number, row in enumerate(table.to_pylist() if removed.entries else ()):
        images = (
            removed.images.intersection(sha256 for data in contained(row) for sha256 in digests(data))
            if removed.images
            else ()
        )
        read = (
            item
            for item in hub.of_row(source, file, number, row, table.column_names)
            if isinstance(item, Document)
        )
        entry = next(
            (each for item in read if (each := removed.match(Shown.of_document(item))) is not None), None
        )
        if entry is not None or images:
            found[f"row={number}"] = (
                (entry.kind, entry.value) if entry is not None else ("sha256", min(images))
            )
    return found


def contained(value: Any) -> Iterator[bytes]:
    """Yield all bytes in a cell or row."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from contained(each)


def empty(folder: Path, name: str, entries: Mapping[str, Entry]) -> None:
    """Set every column of some rows to null and write the file again. entries: locator -> entry."""
    import pyarrow.parquet as pq

    if entries:
        before = {locator: entry for (file, locator), entry in made.emptied(folder).items() if file == name}
        made.note_emptied(folder, name, {**before, **entries})
        _write(_emptied(pq.read_table(folder / name), entries), folder / name)


def _emptied(table: Any, locators: Container[str]) -> Any:
    """Return a table with null in every column of these rows."""
    import pyarrow as pa

    places = pa.array(
        [None if f"row={index}" in locators else index for index in range(len(table))], pa.int64()
    )
    return table.take(places).cast(table.schema) if None in places.to_pylist() else table


def discard(folder: Path, names: Iterable[str]) -> None:
    """Delete the first of some damaged files and all later ones; they are streamed again from the same
    commit."""
    damaged = sorted(name for name in names if name.startswith("rows-"))
    for path in sorted(folder.glob("rows-*.parquet")) if damaged else ():
        if path.name >= damaged[0]:
            path.unlink()


def rows(source: HubSource) -> int | None:
    """Return the number of rows that the Hub states for the split; None when it states none."""
    try:
        from datasets import load_dataset_builder

        splits = load_dataset_builder(source.repo, source.config, revision=source.revision).info.splits or {}
        known = splits[source.split].num_examples if source.split in splits else None
    except Exception:  # an estimate is not worth an error; the build reports it
        known = None
    return min(known or source.rows, source.rows) if source.rows is not None else known


def _keep(source: HubSource, folder: Path, commit: str, removed: Suppressed, part: Part) -> TaskResult:  # noqa: ARG001 - the stream is one part
    """Task: write the rows after those that are stored already."""
    kept = sorted(folder.glob("rows-*.parquet"))
    done = len(kept) * ROWS
    try:
        stream = _stream(source, commit)
        if done:
            stream = stream.skip(done)
        left = None if source.rows is None else max(0, source.rows - done)
        count = 0
        for index, table in enumerate(_tables(stream, left), len(kept)):
            name = f"rows-{index:06d}.parquet"
            gone = _removed(source, table, name, removed)
            made.note_emptied(folder, name, gone)
            _write(_emptied(table, gone), folder / name)
            count += table.num_rows
    except LeafInstructError:
        raise
    except Exception as error:  # what `datasets`, fsspec and the Hub's client raise has no common class
        raise _explained(source, error) from error
    if not done and not count:
        raise RecipeError(f"source {source.name}: {source.repo}, split {source.split}, has no rows")
    return TaskResult(counts={"rows": done + count})


def _stream(source: HubSource, commit: str) -> Any:
    """The dataset as a stream of Arrow tables with only the mapped columns, images as bytes."""
    from datasets import Image, List, load_dataset

    stream = load_dataset(source.repo, source.config, split=source.split, revision=commit, streaming=True)
    known = list(stream.features or next(iter(stream), {}))
    columns = columns_of(source, known)
    absent = [name for name in names_of(source) if NUMBER in name and not numbered(name, known)]
    for column in [*columns, *absent]:
        if column not in known:
            hint = suggestion(column, known, "it has")
            raise RecipeError(f"source {source.name}: {source.repo} has no column {column!r}; {hint}")
    stream = stream.select_columns(columns)
    for column, feature in (stream.features or {}).items():
        if isinstance(feature, Image):
            stream = stream.cast_column(column, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            stream = stream.cast_column(column, List(Image(decode=False)))
    return stream


def _tables(stream: Any, rows: int | None) -> Iterator[Any]:
    """Yield Arrow tables of ROWS rows; images given by a place inside the dataset are read into them."""
    import pyarrow as pa
    from datasets.table import embed_table_storage

    schema = stream.features.arrow_schema if stream.features else None
    iterator = iter(stream if rows is None else stream.take(rows))
    while chunk := list(islice(iterator, ROWS)):
        table = pa.Table.from_pylist(chunk, schema=schema)
        yield embed_table_storage(table) if schema is not None else table


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    with writing(path) as temporary:
        pq.write_table(table, temporary, row_group_size=100, compression="zstd")


def _commit(source: HubSource) -> str:
    """The commit that the revision names now."""
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(source.repo or "", revision=source.revision).sha)
    except Exception as error:  # the client's errors have no common class
        raise _explained(source, error) from error


def _explained(source: HubSource, error: BaseException) -> LeafInstructError:
    """The error in one line with a hint; the Hub's messages are long and may quote headers. `datasets`
    wraps the errors of the Hub's client, so causes are examined. It reports a gated dataset as not found, so
    that only its message reveals it."""
    where, names = f"source {source.name}: {source.repo}", {type(cause).__name__ for cause in _chain(error)}
    if "GatedRepoError" in names or ("DatasetNotFoundError" in names and "is a gated dataset" in str(error)):
        return RecipeError(f"{where} is gated; accept its terms on the Hub, then log in with `hf auth login`")
    status = next((found for cause in _chain(error) if (found := _status(cause))), None)
    if status in (401, 403) and "RepositoryNotFoundError" not in names:
        return RecipeError(
            f"{where}: the Hub refuses this login (status {status}); log in again with `hf auth login`, "
            "or check $HF_TOKEN"
        )
    if names & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
        return RecipeError(
            f"{where} is not on the Hub, or is private; check the name, or log in with `hf auth login`"
        )
    if "RevisionNotFoundError" in names:
        return RecipeError(f"{where} has no revision {source.revision!r}")
    if status == 429:
        return SourceError(
            f"{where}: too many requests to the Hub (status 429); the rows read so far are kept, run "
            "the same command again later"
        )
    if isinstance(error, ValueError) or names & {"EmptyDatasetError", "DataFilesNotFoundError"}:
        return RecipeError(f"{where} cannot be read: {_first_line(error)}; {_nearest(source, error)}")
    return SourceError(
        f"{where}: the Hub does not answer ({type(error).__name__}: {_first_line(error)}); the rows "
        "read so far are kept, run the same command again"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes, at most ten."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error; None when it has none."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _nearest(source: HubSource, error: BaseException) -> str:
    """Return a hint with the name in the message's list that is nearest to the requested configuration or
    split."""
    known = re.findall(r"'([^']+)'", str(error).partition("vailable")[2])
    wanted = source.config if source.config is not None and "Config" in str(error) else source.split
    return suggestion(wanted, known, "it has") if known else "check config and split"


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n", 1)[0].split())[:160]


def _noted(path: Path) -> dict[str, object]:
    return load(path) or {}
