"""LLaMA-Factory's sharegpt format with images, and its `dataset_info.json`.

    {"messages": [{"role": "user" | "assistant", "content": "... <image> ..."}, ...],
     "images": [path, ...], ...}

Source: llamafactory 0.9.5 (data/converter.py, data/mm_plugin.py, data/processor/supervised.py). Contents are
strings. The number of `<image>` over all turns must match `images`. Turns must alternate, beginning with the
user and ending with the assistant; other rows would be skipped with a warning in the log, so they are left
out here with a reason.
Adjacent turns of the same role are merged. Relative paths are resolved in `media_dir`, by default
`dataset_dir`. The loss covers every assistant turn; an image in an answer is an input, but its placeholder
tokens are among the labels. No key changes that.
"""

from __future__ import annotations

import re

from leafinstruct.export.format import Files, Format
from leafinstruct.export.row import Sample, alternating, unanswered
from leafinstruct.records.escaping import ESCAPED


def record(sample: Sample) -> dict[str, object]:
    return {
        "messages": [
            {"role": turn.role, "content": turn.with_placeholders("<image>")}
            for turn in alternating(sample.turns)
        ],
        "images": [image.path for image in sample.images],
        "id": sample.row.id,
        "task": sample.row.task,
        **sample.origin(),
        "escaped": ESCAPED,
    }


def entry(name: str, split: str) -> str:
    """Name of a dataset on LLaMA-Factory's command line, where commas separate names."""
    return re.sub(r"[^0-9a-z]+", "_", f"{name}_{split}".lower()).strip("_")


def beside(name: str, files: Files) -> dict[str, object]:
    """Contents of dataset_info.json."""
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
    return f"""Datasets in `dataset_info.json`: {", ".join(f"`{entry(name, split)}`" for split in files)}. Run in any folder:

    llamafactory-cli train --stage sft --do_train --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct --template qwen2_vl \\
        --dataset_dir THIS_FOLDER --dataset {trained} --finetuning_type lora --output_dir OUT

Images are found because `media_dir` defaults to `dataset_dir`. To combine this dataset with others, copy the entries into their
`dataset_info.json` and give `--media_dir THIS_FOLDER`. Keys other than `messages` and `images` are not read.
"""  # noqa: E501


FORMAT = Format(
    name="llama-factory",
    title="LLaMA-Factory, sharegpt with images",
    packing="lines",
    placeholders=("<image>", "<video>", "<audio>"),
    record=record,
    loading=loading,
    answers=(
        "LLaMA-Factory does not train image generation: images in answers are inputs for the text after "
        "them, and their placeholder tokens are among the labels. `leaf train` trains image generation."
    ),
    fault=unanswered,
    beside=beside,
)
