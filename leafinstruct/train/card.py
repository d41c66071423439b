"""The adapter's card: its data, settings and final losses. Every number comes from the run itself; the card
contains no path of this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from leafinstruct.card.template import fill
from leafinstruct.records import shards
from leafinstruct.runtime.files import writing
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.tally import IMAGES

SHOWN = 20
"""Number of licenses listed by name; the others are summed."""
LIBRARIES = ("leafinstruct", "torch", "transformers", "peft")


def write(
    folder: Path,
    template: str,
    config: TrainConfig,
    run: str,
    files: Sequence[Path],
    counts: Mapping[str, int],
    trainable: int,
    reached: Mapping[str, float],
    processes: int,
) -> None:
    """Write README.md beside the adapter. run: name[@version]; files: the shards; counts: counts of their
    rows; reached: last losses. Raises RecipeError."""
    base = config.backbone.known_as
    contents = {
        "run": run,
        "base": base,
        "hub_base": base if base is not None and "/" in base and not base.startswith("leaf:") else None,
        "backbone": config.backbone.name,
        "data": dataset(config.data),
        "hub_data": config.data.removeprefix("hub:") if config.data.startswith("hub:") else None,
        "train": config.model_dump(),
        "adapter": config.adapter.model_dump(),
        "global_batch": config.batch * config.accumulate * processes,
        "counts": {"rows": 0, "images": 0, "tokens": 0, "target_tokens": 0, "cut": 0, **counts},
        "trainable": trainable,
        "licenses": licenses(files),
        "losses": _losses(reached),
        "versions": {name: version(name) for name in LIBRARIES},
    }
    with writing(folder / "README.md") as temporary:
        temporary.write_text(fill(template, contents, "data_cards/adapter.md"), encoding="utf-8")


def dataset(data: str) -> str:
    """Return a portable name of a recipe's `data`: a run's name[@version], a name on the Hub, or the last
    part of a path."""
    kind, _, name = data.partition(":")
    if kind in ("run", "hub") and name:
        return name
    path = Path(data).parent if any(sign in data for sign in "*?[") else Path(data)
    return path.parent.name if path.name == "shard" else path.name


def licenses(files: Sequence[Path]) -> list[tuple[str, int]]:
    """Return (license, number of rows), most frequent first; rows that state no license count as
    `unknown`."""
    found: Counter[str] = Counter()
    for path in files:
        for batch in shards.values(path, "license"):
            found.update(name or "unknown" for name in batch.to_pylist())
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    others = ordered[SHOWN:]
    return [
        *ordered[:SHOWN],
        *([(f"{len(others):,} others", sum(count for _, count in others))] if others else []),
    ]


def _losses(reached: Mapping[str, float]) -> list[tuple[str, float | None, float | None]]:
    """Return (label, training loss, validation loss), without the losses that neither has."""
    ordinals = [
        (f"image {number}" + (" and later" if number == IMAGES else ""), f"image_loss_{number}")
        for number in range(1, IMAGES + 1)
    ]
    names = [("text", "text_loss"), ("images", "image_loss"), *ordinals]
    rows = [(label, reached.get(name), reached.get(f"eval_{name}")) for label, name in names]
    return [row for row in rows if row[1] is not None or row[2] is not None]
