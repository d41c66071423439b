"""The card's front matter, which the Hub reads. Written by the YAML library, so that no value can end it.

There is one configuration per task family, `default` for all of them, and `preference` for preference rows.
`dataset_info` lists the columns and the size of each split (examples, bytes to download, bytes before
compression from the Parquet footers), so that readers need not download anything to know them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import yaml

from leafinstruct.records import public
from leafinstruct.records.preference.row import FOLDER

Splits = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Task -> split -> rows, images, bytes, and bytes before compression (`plain_bytes`)."""

_STEPS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_SIZES = (
    (1_000, "n<1K"),
    *((10**power, f"{low}<n<{high}") for power, (low, high) in enumerate(pairwise(_STEPS), start=4)),
)


def front_matter(
    name: str,
    splits: Splits,
    rights: Mapping[str, str],
    languages: Mapping[str | None, int],
    sides: Mapping[tuple[str, str, str], int],
    origins: list[str],
    preference: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """The front matter as YAML, without the `---` lines.

    rights: the license fields. languages, sides: see Tally. origins: Hub datasets among the sources.
    preference: split -> counts of the preference rows; None without any.
    """
    codes = sorted((code for code in languages if code), key=lambda code: (-languages[code], code))
    rows = sum(cell["rows"] for parts in splits.values() for cell in parts.values())
    fields = {
        "pretty_name": name,
        **rights,
        **({"language": codes} if codes else {}),
        "task_categories": categories(sides),
        "tags": ["interleaved", "instruction-tuning", "leafinstruct"],
        "size_categories": [size_category(rows)],
        **({"source_datasets": origins} if origins else {}),
        "dataset_info": [
            _info("default", _over_tasks(splits)),
            *(_info(task, parts) for task, parts in splits.items()),
            *([_info(FOLDER, preference, public.preference_features)] if preference else []),
        ],
        "configs": [
            {"config_name": "default", "default": True, "data_files": _files("*", _over_tasks(splits))},
            *({"config_name": task, "data_files": _files(task, parts)} for task, parts in splits.items()),
            *([{"config_name": FOLDER, "data_files": _preference_files(preference)}] if preference else []),
        ],
    }
    return yaml.dump(fields, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000).rstrip("\n")


def size_category(rows: int) -> str:
    """The Hub's `size_categories` label for a number of rows."""
    return next((label for bound, label in _SIZES if rows < bound), "n>1T")


def categories(sides: Mapping[tuple[str, str, str], int]) -> list[str]:
    """The Hub's task categories: images occur in questions, in answers, or in both."""
    with_image = {(task, role) for (task, role, kind), count in sides.items() if kind == "image" and count}
    asked = {task for task, role in with_image if role == "user"}
    answered = {task for task, role in with_image if role == "assistant"}
    found = {"image-text-to-text": asked, "text-to-image": answered, "image-to-image": asked & answered}
    return [name for name, tasks in found.items() if tasks] or ["text-generation"]


class _Plain(yaml.SafeDumper):
    """A dumper without anchors, since all configurations repeat the same columns and should stay readable."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def _over_tasks(splits: Splits) -> dict[str, dict[str, int]]:
    whole: dict[str, Counter[str]] = {}
    for parts in splits.values():
        for split, cell in parts.items():
            whole.setdefault(split, Counter()).update(cell)
    return {split: dict(whole[split]) for split in order(whole)}


def order(splits: Mapping[str, Any]) -> list[str]:
    """Order splits: `train` first, then by name."""
    return sorted(splits, key=lambda split: (split != "train", split))


def _files(task: str, parts: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"split": split, "path": f"{task}.{split}-*.parquet"} for split in order(parts)]


def _preference_files(parts: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"split": split, "path": f"{FOLDER}/{split}-*.parquet"} for split in order(parts)]


def _info(
    config: str, parts: Mapping[str, Mapping[str, int]], features: Callable[[], Any] = public.features
) -> dict[str, object]:
    splits = [
        # `datasets` ignores splits without num_bytes and num_examples
        {"name": split, "num_bytes": parts[split]["plain_bytes"], "num_examples": parts[split]["rows"]}
        for split in order(parts)
    ]
    sizes = {
        "download_size": sum(cell["bytes"] for cell in parts.values()),
        "dataset_size": sum(cell["plain_bytes"] for cell in parts.values()),
    }
    return {"config_name": config, "features": public.card_features(features), "splits": splits, **sizes}
