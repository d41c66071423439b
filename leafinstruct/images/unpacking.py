"""Read rows of a Parquet file in batches that keep repeated values packed, and compute how much a batch
unpacks to.

A column's dictionary holds each of its values once: 1 kB of Parquet can mean "these 20 MB, a thousand times"
in one row of a column of lists, while the footer states 20 MB. Arrow writes out every repetition before
anyone can check: 4 GB at the peak for a hundred, then it fails, since a column of a batch has 2 GB at most.
So columns of lists that are compressed more than any text (SHRUNK) are read as dictionaries, whose lengths
state the unpacked size: 209 MB at the peak. This is not done for all columns: if most values are distinct, it
takes three times as long, and Arrow repeats these values in the dictionary of every later batch, so memory
and time grow with the rows of the group (71 MB for a million short URLs, 4 MB otherwise). So a column is read
plainly if its dictionary has no value that is long enough to be a danger (_longest_repeated), or if it has no
lists, which bounds it by the number of rows. Row groups are read one at a time, because Arrow cannot batch
two dictionaries in lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leafinstruct.runtime.store.path import openable

PAGE = 1 << 20
"""Bytes read at a time; without it Arrow loads whole columns of a row group, 400 MB for the column of a
400 MB file."""
MAX_BATCH = 128 << 20
"""Bytes that a batch may be decoded to, as far as the file reveals. Values in the pages are together no
more than the column of the row group. A value of the dictionary may repeat in every row, and is no longer
than the dictionary."""
SKEW = 256
"""Maximum length of a row, as a multiple of the mean, if the column has more than MAX_BATCH. Without it a
row group of 100,000 pages was read one row at a time, which costs ten times as much. A file with less even
rows costs more memory, at most the column."""
SHRUNK = 8
"""Compression ratio from which on a column is read packed; texts shrink to a third."""
MAX_ROW = 512 << 20
"""Bytes that a row may unpack to; no document is that large."""


def batches(
    path: Path, opened: pq.ParquetFile, group: int, leaves: Sequence[str], most: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a row group, at most `most` at a time, fewer if a row could be large. Raises what
    Arrow raises on damage."""
    columns = {opened.schema.column(index).path: index for index in range(len(opened.schema))}
    chunks = {leaf: opened.metadata.row_group(group).column(columns[leaf]) for leaf in leaves}
    size = max(1, min([most, *(MAX_BATCH // _longest(path, chunk) for chunk in chunks.values())]))
    packed = [
        leaf
        for leaf, chunk in chunks.items()
        if _is_packed(opened.schema.column(columns[leaf]), chunk)
        and _longest_repeated(path, opened, group, leaf, chunk) * chunk.num_values > MAX_ROW
    ]
    with pq.ParquetFile(
        openable(path), metadata=opened.metadata, read_dictionary=packed, pre_buffer=False, buffer_size=PAGE
    ) as reader:
        yield from reader.iter_batches(size, row_groups=[group], columns=list(leaves))


def _longest(path: Path, chunk: pq.ColumnChunkMetaData) -> int:
    """Bytes assumed as the maximum of a row of a column, see MAX_BATCH and SKEW."""
    whole = max(1, chunk.total_uncompressed_size)
    written = 1 if whole <= MAX_BATCH else min(whole, SKEW * whole // max(1, chunk.num_values))
    repeated = _dictionary(path, chunk, whole) if chunk.has_dictionary_page else 1
    return max(1, written, repeated)


def _dictionary(path: Path, chunk: pq.ColumnChunkMetaData, whole: int) -> int:
    """Return the bytes of a column's unpacked dictionary: the second number of its page's header
    (parquet.thrift: PageHeader, compact protocol). whole: returned if the header is another."""
    with path.open("rb") as stream:
        stream.seek(chunk.dictionary_page_offset)
        header = stream.read(8)
    if len(header) < 8 or header[:3] != b"\x15\x04\x15":  # field 1, i32: 2, a dictionary; field 2, i32
        return whole
    number = 0
    for place, byte in enumerate(header[3:]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number >> 1  # zigzag
    return whole


def _is_packed(column: pq.ColumnSchema, chunk: pq.ColumnChunkMetaData) -> bool:
    texts = chunk.physical_type == "BYTE_ARRAY" and column.logical_type.type in ("STRING", "NONE")
    shrunk = chunk.total_uncompressed_size > SHRUNK * chunk.total_compressed_size
    return texts and shrunk and chunk.has_dictionary_page and column.max_repetition_level > 0


def _longest_repeated(
    path: Path, opened: pq.ParquetFile, group: int, leaf: str, chunk: pq.ColumnChunkMetaData
) -> int:
    """Return the bytes of the longest value of a column's dictionary; the size of the dictionary if the
    first row does not include exactly that one."""
    whole = _dictionary(path, chunk, max(1, chunk.total_uncompressed_size))
    with pq.ParquetFile(
        openable(path), metadata=opened.metadata, read_dictionary=[leaf], pre_buffer=False, buffer_size=PAGE
    ) as reader:
        first = next(reader.iter_batches(1, row_groups=[group], columns=[leaf]), None)
    array = first.column(0) if first is not None else pa.array([])
    while not pa.types.is_dictionary(array.type):
        inner = array.flatten() if pa.types.is_nested(array.type) else []
        array = inner[0] if pa.types.is_struct(array.type) and inner else inner
        if not isinstance(array, pa.Array):
            return whole
    lengths = pc.binary_length(array.dictionary)
    total = (pc.sum(lengths).as_py() or 0) + 4 * len(lengths)  # each value of the page follows its length
    return int(pc.max(lengths).as_py()) if len(lengths) and total == whole else whole


def unpacked(array: pa.Array) -> int:
    """Return the bytes of an array's values once each is written out."""
    kind = array.type
    if pa.types.is_dictionary(kind) and kind.value_type in (
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
    ):
        lengths = pc.fill_null(pc.binary_length(array.dictionary), 0).cast(pa.int64())
        return int(pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(map(unpacked, array.flatten()))
    if (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_map(kind)
    ):
        return unpacked(array.flatten())
    return int(array.nbytes)
