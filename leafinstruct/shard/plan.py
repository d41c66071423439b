"""Assign every row to a shard. Only keys are read, so a million rows take seconds (figures in groups.py).

A group (groups.py) is assigned to a split and a row to a shard of its task and split, both by hash
(split.py). A shard's key is the digest of its rows' digests, so a changed row rewrites one shard. So does an
added or removed row, unless it joins or divides groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.record import StageFacts
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.groups import FEW_DOMAINS, Groups, group
from leafinstruct.shard.split import shard_count, split_of, unit


def plan(
    config: ShardConfig, seed: int, keys: Mapping[str, pa.Table], near: pa.Table, shaping: object
) -> tuple[list[Part], StageFacts]:
    """Every shard as a part, and facts about the split for the record and the card.

    keys: a table of keys.SCHEMA per part; near: a table of keys.NEAR; shaping: what a shard's bytes depend on
    besides its rows. A shard's name is `<task>.<split>-00000-of-00004`. Its payload is (key, places), where
    places is a table (`part`, `index`) of its rows, in order.
    """
    table, groups, splits = assigned(config, seed, keys, near)
    return list(shards(config, table, shaping)), facts(config, groups, splits)


def assigned(
    config: ShardConfig, seed: int, keys: Mapping[str, pa.Table], near: pa.Table
) -> tuple[pa.Table, Groups, list[str]]:
    """All rows with their split, the point that decides on their shard, and their place (`part`, `index`), in
    the order of `keys`; their groups, and the split of each group."""
    rows = pa.concat_tables(keys.values())
    groups = group(rows, near, config.group_by)
    splits = [split_of(seed, name, config.splits) for name in groups.names]  # of each group
    points = np.array([unit(seed, f"shard\0{id}") for chunk in rows["id"].chunks for id in chunk.to_pylist()])
    table = pa.table(
        {
            **{name: rows[name] for name in ("task", "id", "bytes", "digest")},
            "split": pa.array(splits).take(pa.array(groups.label)),
            "point": points,
            "part": pa.array(list(keys)).take(
                pa.array(np.repeat(np.arange(len(keys)), [len(table) for table in keys.values()]))
            ),
            "index": np.concatenate([np.arange(len(table), dtype=np.int32) for table in keys.values()]),
        }
    )
    return table, groups, splits


def shards(
    config: ShardConfig,
    rows: pa.Table,
    shaping: object,
    places: Sequence[str] = ("part", "index"),
    stem: str = "{task}.{split}",
) -> Iterator[Part]:
    """Yield the shards of rows, see `plan`. places: columns of the payload. stem: beginning of the names."""
    order = pc.sort_indices(rows, [(name, "ascending") for name in ("task", "split", "point", "id")])
    rows = rows.take(order)
    for task, split, start, end in _runs(rows):
        members = rows.slice(start, end - start)
        count = shard_count(pc.sum(members["bytes"]).as_py(), config.max_bytes)
        # increases with the order; exact, because count is a power of two
        number = (members["point"].to_numpy() * count).astype(np.int64)
        bounds = np.searchsorted(number, np.arange(count + 1))
        for at, (low, high) in enumerate(pairwise(bounds)):
            content = members.slice(low, high - low)
            identity = digest([shaping, content["digest"].to_pylist()])
            # a copy, because a slice would be pickled with the whole table
            taken = content.select(places).take(np.arange(len(content)))
            name = stem.format(task=task, split=split)
            yield Part(f"{name}-{at:05d}-of-{count:05d}", (identity, taken))


def _runs(rows: pa.Table) -> Iterator[tuple[str, str, int, int]]:
    """Yield (task, split, first row, row after the last) of each pair in sorted rows."""
    codes = [rows[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("task", "split")]
    changes = np.flatnonzero((np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0)) + 1
    bounds = [0, *changes.tolist(), len(rows)]
    for start, end in pairwise(bounds):
        yield rows["task"][start].as_py(), rows["split"][start].as_py(), start, end


def facts(config: ShardConfig, groups: Groups, splits: Sequence[str]) -> StageFacts:
    """StageFacts about the split for the card. splits: the split of each group.

    split_by: `domain` or `document`; group_by: keys in use; domains, groups: their numbers; largest_group:
    its rows, its share of all rows and its split; warnings: sentences for the user.
    """
    sizes = np.bincount(groups.label)
    largest = min(np.flatnonzero(sizes == sizes.max()).tolist(), key=lambda at: groups.names[at])
    share = int(sizes[largest]) / len(groups.label)
    return {
        "split_by": "domain" if "domain" in groups.group_by else "document",
        "group_by": list(groups.group_by),
        "domains": groups.domains,
        "groups": len(sizes),
        "largest_group": {"rows": int(sizes[largest]), "share": round(share, 4), "split": splits[largest]},
        "warnings": list(_warnings(config, groups, share, splits[largest], set(splits))),
    }


def _warnings(
    config: ShardConfig, groups: Groups, largest: float, where: str, found: set[str]
) -> Iterator[str]:
    wanted = {name: share for name, share in config.splits.items() if share > 0}
    if len(wanted) < 2:
        return
    if "domain" in config.group_by and "domain" not in groups.group_by and groups.domains:
        few = f"{groups.domains} web domain{'s' if groups.domains > 1 else ''}"
        yield (
            f"the rows come from {few}, fewer than {FEW_DOMAINS}, so they are split by document and "
            "pages of one domain may be in two splits"
        )
    small = min(wanted, key=lambda name: wanted[name])
    if largest > wanted[small]:
        hint = (
            "; another seed, or fewer keys in shard.group_by, would split the rows differently"
            if largest > wanted[where]
            else ""
        )
        yield (
            f"the largest group has {largest:.1%} of all rows, more than the share of `{small}` "
            f"({wanted[small]:.1%}), and is in `{where}`{hint}"
        )
    for name in wanted:
        if name not in found:
            yield f"split `{name}` has no rows"
