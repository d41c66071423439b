"""Groups: rows that must be in one split, the connected components over equal group keys (document, domain,
text, image).

A global step that reads only keys, one column at a time: sort the numbers, link equal neighbors, merge linked
rows. So it needs memory for one column and one number per row, whatever the number of keys.

Chosen: scipy's connected_components over arrays. A million nodes and 1.2 million links, one thread: 0.4 CPU-s
and 41 MB; networkx 22 CPU-s and 616 MB, scipy's DisjointSet 11 CPU-s and 322 MB. The whole plan with 4 images
per row (benchmarks/planning.py): 0.5 CPU-s and 74 MB for a hundred thousand rows.
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

FEW_DOMAINS = 10
"""Minimum number of domains to group by domain; with fewer, one split would get nearly all rows."""

Link = tuple[NDArray[np.int64], NDArray[Any]]
"""(k,) row numbers and (k,) values of one group key. Rows with equal values are in one group. A row may occur
any number of times."""


@dataclass(frozen=True)
class Groups:
    """The group of each row. label: (rows,) group numbers; group_by: keys in use; domains: number of domains.

    names: of each group, its smallest domain, or its smallest document if domains are ignored. Names do not
    depend on the order of parts, and a group of one domain keeps its name while the corpus grows.
    """

    label: NDArray[np.int32]
    names: list[str]
    group_by: tuple[str, ...]
    domains: int


def group(rows: pa.Table, near: pa.Table, group_by: Sequence[str]) -> Groups:
    """Group rows. rows: a table of keys.SCHEMA; near: of keys.NEAR. With fewer than FEW_DOMAINS domains,
    domains are ignored."""
    domain = _domains(rows["host"])
    count = len(pc.unique(domain).drop_null())
    used = tuple(key for key in group_by if key != "domain" or count >= FEW_DOMAINS)
    document = rows["document"].combine_chunks()
    name = pc.coalesce(domain, document) if "domain" in used else document
    label = components(len(rows), _links(rows, near, name, used))
    order = pc.sort_indices(name).to_numpy()
    _, first = np.unique(label[order], return_index=True)  # the row with the smallest name of each label
    return Groups(label, name.take(pa.array(order[first])).to_pylist(), used, count)


def components(count: int, links: Iterable[Link]) -> NDArray[np.int32]:
    """Labels 0, 1, ... of `count` rows, (count,). Two rows have the same label if a chain of links connects
    them."""
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


def _links(rows: pa.Table, near: pa.Table, name: pa.StringArray, group_by: Sequence[str]) -> Iterator[Link]:
    yield _column(rows["document"].combine_chunks().dictionary_encode().indices)
    if "domain" in group_by:
        yield _column(name.dictionary_encode().indices)
    if "text" in group_by:
        yield _column(rows["text"].combine_chunks())
    if "images" in group_by:
        yield _lists(rows["images"])
    if "near_text" in group_by:
        groups = near["group"].combine_chunks().dictionary_encode().indices
        yield _column(groups.take(pc.index_in(rows["document"].combine_chunks(), near["document"])))


def _column(values: pa.Array) -> Link:
    known = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    return known, values.drop_null().to_numpy()


def _lists(values: pa.ChunkedArray) -> Link:
    """Every member of every list."""
    lengths = pc.list_value_length(values).to_numpy()
    return np.repeat(np.arange(len(values)), lengths), pc.list_flatten(values).to_numpy()


def _domains(hosts: pa.ChunkedArray) -> pa.StringArray:
    """The domain of each host, null if it has none. Each host is looked up once."""
    coded = hosts.combine_chunks().dictionary_encode()
    return pa.array(domains_of(coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
