"""Empty removed rows of datasets that were streamed from the Hub; the other rows keep their numbers.

    runs/<run>/hub/<source>/rows-000000.parquet

Removed rows are emptied in place and noted in emptied.jsonl. A file is deleted, together with all later ones,
if it cannot be read, or if the entry of a removed row is unknown because no build has read the row. `leaf
build` streams deleted files again, without removed rows (ingest/tables/hub_stream.py).
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.images.formats.mend import digests
from leafinstruct.ingest import made
from leafinstruct.ingest.tables import hub_stream
from leafinstruct.publish.purge.find import Entry, Found, Place
from leafinstruct.publish.purge.quotes import strings
from leafinstruct.records.removals import Shown, Suppressed

_DAMAGE = (pa.ArrowException, OSError, ValueError)


def erase(folders: list[Path], listed: Suppressed, found: Found, dry_run: bool) -> int:
    """Empty removed rows of every run. Returns their number, including deleted rows. Raises OSError."""
    count = 0
    for run in folders:
        for root in sorted((run / "hub").glob("*")) if listed.entries else ():
            own = {place[1:]: entry for place, entry in found.places[run].items() if place[0] == root.name}
            names = sorted(path.name for path in root.glob("rows-*.parquet"))
            for name in names:
                entries = _of_file(root / name, own, listed, found)
                if entries is None:
                    count += hub_stream.ROWS * (len(names) - names.index(name))
                    if not dry_run:
                        hub_stream.discard(root, [name])
                    break
                count += len(entries)
                if entries and not dry_run:
                    hub_stream.empty(root, name, entries)
            if not dry_run and (root / made.SUMS).is_file() and not made.missing(root):
                made.write_sums(root)
    return count


def _of_file(
    path: Path, own: dict[Place, Entry], listed: Suppressed, found: Found
) -> dict[str, Entry] | None:
    """Locator -> entry of the removed rows of a file; None if the entry of a row is unknown or the file is
    unreadable."""
    entries: dict[str, Entry] = {}
    try:
        rows = pq.read_table(path).to_pylist()
    except _DAMAGE:
        return None
    for number, row in enumerate(rows):
        locator = f"row={number}"
        entry = own.get((path.name, locator)) or _entry(row, listed)
        if entry is not None and not _is_empty(row):
            entries[locator] = entry
        elif entry is None and (found.quotes.within(row) or found.images.intersection(_digests(row))):
            return None
    return entries


def _entry(row: dict[str, object], listed: Suppressed) -> Entry | None:
    """The entry that matches a URL in a cell of a row, or bytes in the row."""
    urls = tuple(
        cell for cell in strings(row) if cell.startswith(("http://", "https://")) and not cell.split()[1:]
    )
    entry = listed.match(Shown("", "", None, tuple(_digests(row)) if listed.images else (), urls))
    return None if entry is None else (entry.kind, entry.value)


def _digests(row: dict[str, object]) -> set[str]:
    return {sha256 for data in hub_stream.contained(row) for sha256 in digests(data)}


def _is_empty(row: dict[str, object]) -> bool:
    return all(value is None for value in row.values())
