"""README.md of an export: its files, dataset and licenses, how to load it, and how readers treat its images.

Names from the dataset (recipes, licenses, sources) pass `cell`, because this is Markdown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from leafinstruct.card.template import cell
from leafinstruct.export.format import Files, Format
from leafinstruct.records.escaping import ESCAPED


def readme(
    form: Format,
    dataset: str,
    files: Files,
    counts: Mapping[str, int],
    origins: Mapping[str, Counter[str]],
    reasons: Mapping[str, int],
) -> str:
    """Text of README.md.

    counts: of the whole export. origins: recipe, source or license -> name -> number of rows. reasons: why
    rows were left out -> number of rows.
    """
    lost = f"\nLeft out: {_listed(reasons)}. `left-out.jsonl` lists these rows.\n" if reasons else ""
    return f"""# {cell(dataset)}, as {form.title}

Written by `leaf export` of leafinstruct, from the dataset built by {_listed(origins["recipe"])}.
{counts["rows"]:,} rows, {counts["images"]:,} images{_files(form, counts)}.
{lost}
## Files

{_table(files)}
## Loading

{form.loading(dataset, files)}
Replace THIS_FOLDER by the folder of this file.

## Images in answers

{counts["answer_images"]:,} of {counts["images"]:,} images are in answers. {form.answers}

## Placeholders in texts

If a text contains `<image>`, `<|im_start|>` or another placeholder or special token of a format or a model, a backslash is inserted after its first
character (`<\\image>`), so that no reader interprets it. This affects {counts["escaped_texts"]:,} texts. `leafinstruct.records.escaping.unescape`
restores them; the key `escaped` of a record names the rule, `{ESCAPED}`. Adjacent texts without an image between them are joined by a line break, or
by a blank line next to a list.

## Licenses and sources

The license of each row is in `license`, the license of each image in `image_info`; empty means unknown.
Rows by license: {_listed(origins["license"])}. Rows by source: {_listed(origins["source"])}.
`url` and `provenance` (recipe, file, record) state the origin of each row.
"""  # noqa: E501


def _files(form: Format, counts: Mapping[str, int]) -> str:
    if form.packing == "tar":
        return " (in the tar shards, with the bytes of the dataset)"
    return f" ({counts['image_files']:,} files in `images/`, named by sha256, with the bytes of the dataset)"


def _table(files: Files) -> str:
    rows = [f"| {cell(split)} | {_range(names)} |" for split, names in files.items()]
    return "\n".join(["| split | files |", "|---|---|", *rows, ""])


def _range(names: Any) -> str:
    return f"`{names[0]}`" if len(names) == 1 else f"`{names[0]}` to `{names[-1]}`"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{cell(name) or 'unknown'} ({number:,})"
        for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
