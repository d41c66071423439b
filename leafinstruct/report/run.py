"""One run, opened by its folder: its tables as pandas frames, and the history of a record.

Nothing is read, and no library is imported, before it is asked for. A run that is being built may be opened:
a method raises LeafInstructError while the stage that it reads is not done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.runtime.artifact import Artifact, chain

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Run:
    """A run: `runs/<name>`, the results of `leaf build`.

    directory: its folder. again: the command that builds it, which errors name.
    """

    directory: Path
    again: str = "leaf build RECIPE"

    @cached_property
    def stages(self) -> dict[str, Artifact]:
        """The directory of each stage: ingest, filter, rewrite, shard."""
        return chain(self.directory)

    def scores(
        self,
        names: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Every score of every document and image, dropped ones included.

        Columns: document_id (str), name (category; see filter/catalog.py), position (Int32; of the image,
        `<NA>` for a score of the document), value (float64; NaN unless state is ok), state (category), model
        (category), detail (str). Sorted by part, then in the order computed. names: only these scores.
        columns: only these. limit: maximum number of rows. Memory: about 50 bytes a row.

        Raises LeafInstructError if filter is not done, or for an unknown name.
        """
        return self._frame("scores", columns, limit, names)

    def edits(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Every change of a text of a document, kept or dropped; the text itself is in no table.

        Columns: document_id (str), reason, field (category: text, alt of an image, or title), position
        (Int32; of the segment, missing for the title), start, end (Int64; characters of the text as ingest
        wrote it), replacement (str; the mask, empty if the characters were removed), detail (str).

        Raises LeafInstructError if filter is not done, or for an unknown name.
        """
        return self._frame("edits", columns, limit)

    def drops(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Every rule or reason that dropped a document, an image or a piece of a document.

        Columns: stage (category: filter or rewrite), document_id (str), scope (category: what was dropped:
        document, image, or a piece of a document of which other pieces became examples), rule (category; of
        rewrite the reason), position (Int32; of the image), value, threshold (float64), state (category),
        detail (str). A document may fail several rules; `leaf status` counts its first row with scope
        document. An image that dropped its document (`drop: document`) has a row for each. Records that
        ingest could not read have no id; the funnel counts them.

        Raises LeafInstructError if filter is not done, or for an unknown name.
        """
        return self._frame("drops", columns, limit)

    def funnel(self) -> pd.DataFrame:
        """The lines of `leaf status`: what each stage dropped and kept.

        Columns: stage (category), step (str), documents, images (Int64; `<NA>` if the line does not count
        them), share (float64; of the documents read), lost (bool; whether the line counts what was dropped).
        Stages that have not begun have no lines.
        """
        return self._frame("funnel")

    def examples(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """The examples in the shards, in the order of shards and rows.

        Columns: split, shard (category; file name), row (Int64; number in the file), then those of the
        published row without scores and images: id, document_id (str), source, task (category), messages
        (list of {role, content}), image_info (list of {sha256, width, height, url, ...}), url, page_url,
        title (str), language (category), license (str), provenance (dict).

        columns: only these. With `images` among them each row has a list of PIL images (RGB, upright), which
        are all decoded and kept in memory: use it with `limit`, or with `chunks`. limit: maximum number of
        rows. Memory without images: a few kB a row.

        Raises LeafInstructError if the shards are not done, or for an unknown name; SourceError for a damaged
        shard.
        """
        return self._frame("examples", columns, limit)

    def preference(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """The preference rows in the shards, in the order of shards and rows; empty without
        `shard.preference`.

        Columns: split, shard (category; file name), row (Int64; number in the file), then those of
        records/preference/row.py without images: id, example_id, document_id (str), source, task, kind
        (category), prompt, chosen, rejected (list of {role, content}; `image` of an image part is its index),
        image_info (list of dict), changed, lender (dict), scores (list of dict), url, page_url, title (str),
        language (category), license (str), provenance (dict).

        columns, limit, errors: as of `examples`.
        """
        return self._frame("preference", columns, limit)

    def chunks(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """A table in frames of at most 512 rows (16 with images), for tables that do not fit in memory. See
        the method of the same name for its columns and errors. Categories differ between frames."""
        from leafinstruct.report import tables

        for batch in self._batches(table, columns):
            yield tables.frame([batch], table, columns)

    def explain(self, record: str) -> Mapping[str, Any]:
        """What happened to one record in every stage: the object of `leaf explain --json`.

        record: id of a document or an example, sha256 of an image (8 digits or more), URL of a page or an
        image, a source file, or `file locator`. Keys: matches (documents, each with its fate), record (the
        history if exactly one matches, else None; see report/explain/lineage.py), rejected (records at this
        place that could not be read).

        Raises LeafInstructError if there is none.
        """
        if not self.stages["ingest"].parts():
            raise LeafInstructError(f"{self.directory}: nothing has been read yet; run: {self.again}")
        from leafinstruct.report.explain import lineage

        found = lineage.look(self.stages, record, self.directory.parent / ".answers")
        if not found["matches"] and not found["rejected"]:
            unlisted = (
                f"; ingest also counted {found['unlisted']:,} losses without their place "
                "(`leaf status --json`)"
                if found["unlisted"]
                else ""
            )
            raise LeafInstructError(
                f"{record}: no record that ingest read or rejected for {self.directory} has this id, sha256, "
                "URL or place; the shards list ids in the columns id and document_id, and URLs in url"
                f"{unlisted}"
            )
        return found

    def write(self, table: str, path: Path) -> int:
        """Write a table to a `.parquet` or `.csv` file, whole or not at all; return the number of rows.

        Memory is bounded. In CSV, lists and structs are JSON, and a text that begins like a formula of a
        spreadsheet gets an apostrophe.

        Raises LeafInstructError for another ending, SourceError if the file cannot be written, and the errors
        of the table's method.
        """
        from leafinstruct.report import tables

        return tables.write(self._batches(table), table, path)

    def _batches(
        self, table: str, columns: Sequence[str] | None = None, names: Collection[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        from leafinstruct.report import tables

        return tables.batches(self.stages, table, self.again, columns, names)

    def _frame(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        names: Collection[str] | None = None,
    ) -> pd.DataFrame:
        from leafinstruct.report import tables

        return tables.frame(self._batches(table, columns, names), table, columns, limit)


def open_run(directory: Path) -> Run:
    """Open a run. Raises SourceError if there is none, DriftError if another version of leafinstruct wrote
    it."""
    run = Run(directory)
    if not any(stage.path.is_dir() for stage in run.stages.values()):
        raise SourceError(
            f"{directory}: no such run; give the folder of one, runs/<name>, which `leaf build RECIPE` makes"
        )
    for stage in run.stages.values():
        _ = stage.record, stage.fingerprint
    return run
