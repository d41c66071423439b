"""Groups: rows that a split may not part, the connected components over equal group keys (the same document,
domain, text, image).

A global step over keys only. GroupKeys are followed one column at a time, near_text one band at a time: sort
its numbers, link equal neighbors, merge what is linked. So memory is one number a row and one column,
whatever the number of keys.

Chosen: scipy's connected_components over arrays. A million nodes and 1.2 million links, one thread: 0.4 CPU-s
and 41 MB; networkx 22 CPU-s and 616 MB, scipy's DisjointSet 11 CPU-s and 322 MB. The whole plan with 4 images
and 14 bands a row (benchmarks/planning.py): 1.1 CPU-s and 67 MB for a hundred thousand rows, 15 CPU-s and 574
MB for a million, 258 MB of it pages of mapped keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from leafinstruct.records.url import domains_of
from leafinstruct.shard.group_keys import BANDS

FEW_DOMAINS = 10
"""Below this many domains a split by domain would put nearly everything on one side."""

Link = tuple[NDArray[np.int64], NDArray[Any]]
"""(k,) row numbers and (k,) the value of one group key: rows with equal values belong together. A row may
stand in it often, or not at all."""


@dataclass(frozen=True)
class Groups:
    """label: (rows,) the group of each row; group_by: keys in force; domains: how many there are.

    names: of each group, the smallest domain in it, or document where domains are ignored: it does not depend
    on the order of parts, and a group of one domain keeps it while the corpus grows.
    """

    label: NDArray[np.int32]
    names: list[str]
    group_by: tuple[str, ...]
    domains: int


def group(rows: pa.Table, group_by: Sequence[str]) -> Groups:
    """rows: of keys.SCHEMA. In a corpus of fewer than FEW_DOMAINS domains, these are ignored."""
    domain = _domains(rows["host"])
    count = len(pc.unique(domain).drop_null())
    used = tuple(key for key in group_by if key != "domain" or count >= FEW_DOMAINS)
    document = rows["document"].combine_chunks()
    name = pc.coalesce(domain, document) if "domain" in used else document
    label = components(len(rows), _links(rows, name, used))
    order = pc.sort_indices(name).to_numpy()
    _, first = np.unique(label[order], return_index=True)  # the smallest name's row of each label
    return Groups(label, name.take(pa.array(order[first])).to_pylist(), used, count)


def components(count: int, links: Iterable[Link]) -> NDArray[np.int32]:
    """(count,) labels 0, 1, ... without gaps: equal where a chain of links leads from one row to the
    other."""
    label: NDArray[np.int32] = np.arange(count, dtype=np.int32)
    for rows, values in links:
        order = np.argsort(values, kind="stable")
        sorted_values, nodes = values[order], label[rows[order]]
        same = sorted_values[1:] == sorted_values[:-1]
        left, right = nodes[:-1][same], nodes[1:][same]
        if len(left):
            links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
            label = connected_components(links, directed=False)[1].astype(np.int32)[label]
    return np.unique(label, return_inverse=True)[1].astype(np.int32)


def _links(rows: pa.Table, name: pa.StringArray, group_by: Sequence[str]) -> Iterator[Link]:
    yield _column(rows["document"].combine_chunks().dictionary_encode().indices)
    if "domain" in group_by:
        yield _column(name.dictionary_encode().indices)
    if "text" in group_by:
        yield _column(rows["text"].combine_chunks())
    if "images" in group_by:
        yield _lists(rows["images"])
    if "near_text" in group_by:
        for band in range(BANDS):
            yield _band(rows["near_text"], band)


def _column(values: pa.Array) -> Link:
    known = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    return known, values.drop_null().to_numpy()


def _lists(values: pa.ChunkedArray) -> Link:
    """Every member of every list."""
    lengths = pc.list_value_length(values).to_numpy()
    return np.repeat(np.arange(len(values)), lengths), pc.list_flatten(values).to_numpy()


def _band(values: pa.ChunkedArray, band: int) -> Link:
    """One member of every list that is not empty."""
    known = np.flatnonzero(pc.list_value_length(values).to_numpy())
    chunks = [pc.list_flatten(chunk).to_numpy()[band::BANDS] for chunk in values.chunks]
    return known, np.concatenate(chunks)


def _domains(hosts: pa.ChunkedArray) -> pa.StringArray:
    """The domain of each host; null where there is none. Each host is looked up once."""
    coded = hosts.combine_chunks().dictionary_encode()
    return pa.array(domains_of(coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
