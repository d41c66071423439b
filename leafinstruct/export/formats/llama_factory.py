"""LLaMA-Factory's sharegpt format with images, and its `dataset_info.json`.

    {"messages": [{"role": "user" | "assistant", "content": "... <image> ..."}, ...], "images": [path, ...], ...}

Read in llamafactory 0.9.5 (data/converter.py, data/mm_plugin.py, data/processor/supervised.py): contents are
strings; `<image>` is counted over all turns and must match `images`; turns alternate, beginning with the user
and ending with the assistant, or the row is skipped with a warning in the log, so such rows are left out here
with a reason. Turns of one speaker in a row become one. Relative paths are looked for below `media_dir`,
which is `dataset_dir` unless given. Loss falls on every assistant turn; an image in an answer is an input
like any other, but the tokens that hold its place are among the labels. No key says otherwise.
"""

from __future__ import annotations

import re
from typing import Any

from leafinstruct.export.format import Files, Format
from leafinstruct.export.row import Sample, alternating, unanswered
from leafinstruct.records.escaping import ESCAPED


def record(sample: Sample) -> dict[str, Any]:
    return {
        "messages": [
            {"role": turn.role, "content": turn.marked("<image>")} for turn in alternating(sample.turns)
        ],
        "images": [image.path for image in sample.images],
        "id": sample.row["id"] or "",
        "task": sample.row["task"] or "",
        **sample.origin(),
        "escaped": ESCAPED,
    }


def entry(name: str, split: str) -> str:
    """A dataset's name for its command line, where commas separate names."""
    return re.sub(r"[^0-9a-z]+", "_", f"{name}_{split}".lower()).strip("_")


def beside(name: str, files: Files) -> dict[str, Any]:
    """dataset_info.json."""
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    columns = {"messages": "messages", "images": "images"}
    return {
        "dataset_info.json": {
            entry(name, split): {
                "file_name": file,
                "formatting": "sharegpt",
                "columns": columns,
                "tags": tags,
            }
            for split, (file,) in files.items()
        }
    }


def loading(name: str, files: Files) -> str:
    trained = entry(name, "train" if "train" in files else next(iter(files)))
    return f"""Datasets of `dataset_info.json`: {", ".join(f"`{entry(name, split)}`" for split in files)}. Run where you like:

    llamafactory-cli train --stage sft --do_train --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct --template qwen2_vl \\
        --dataset_dir THIS_FOLDER --dataset {trained} --finetuning_type lora --output_dir OUT

Images are found because `media_dir` is `dataset_dir` unless it is given. To use it beside other datasets, copy the entries into their
`dataset_info.json` and give `--media_dir THIS_FOLDER`. Keys other than `messages` and `images` are not read.
"""


FORMAT = Format(
    name="llama-factory",
    title="LLaMA-Factory, sharegpt with images",
    packing="lines",
    placeholders=("<image>", "<video>", "<audio>"),
    record=record,
    loading=loading,
    answers=(
        "LLaMA-Factory does not train a model to draw them: they are inputs, seen by the words "
        "behind them, and the tokens that hold their places "
        "are among the labels. `leaf train` trains image output."
    ),
    fault=unanswered,
    beside=beside,
)
