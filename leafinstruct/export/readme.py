"""The page beside the files: what they are, of which dataset, under which licenses, how they are loaded, and
what their reader makes of them.

What a dataset named (recipes, licenses, sources) passes `cell`, because this is Markdown.
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
    """Markdown. counts: of the whole export; origins: what (recipe, source, license) -> rows of each;
    reasons: why rows were left out -> how many."""
    lost = f"\nLeft out: {_listed(reasons)}; `left-out.jsonl` says which and why.\n" if reasons else ""
    return f"""# {cell(dataset)}, as {form.title}

Written by `leaf export` of leafinstruct, from the dataset built by {_listed(origins["recipe"])}.
{counts["rows"]:,} rows, {counts["images"]:,} images{_files(form, counts)}.
{lost}
## Files

{_table(files)}
## Loading

{form.loading(dataset, files)}
Write the folder that this page lies in for THIS_FOLDER.

## Images in answers

{counts["answer_images"]:,} of {counts["images"]:,} images stand in answers. {form.answers}

## Marks in texts

A text that says `<image>`, `<|im_start|>` or another mark or control token of a format or a model has a backslash behind its first character
(`<\\image>`), so that no reader obeys it; {counts["escaped_texts"]:,} texts of these rows do. The way back is
`leafinstruct.records.escaping.unescape`; the key `escaped` of a record names the rule, `{ESCAPED}`. Texts that follow each other without an image
between them are one text: a line break separates them, a blank line beside a list.

## Licenses and sources

The license of each row is its `license`, that of each image stands in `image_info`; empty means unknown.
Rows by license: {_listed(origins["license"])}. Rows by source: {_listed(origins["source"])}.
`url` and `provenance` (recipe, file, record) say where each row comes from.
"""


def _files(form: Format, counts: Mapping[str, int]) -> str:
    if form.packing == "tar":
        return " in the tar shards, bytes as in the dataset"
    return (
        f" in {counts['image_files']:,} files below `images/`, named by their sha256, bytes as in the dataset"
    )


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
