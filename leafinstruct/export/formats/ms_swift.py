"""ms-swift's JSONL of messages and images.

    {"messages": [{"role": "user" | "assistant", "content": "... <image> ..."}, ...],
     "images": [path, ...], ...}

Source: ms-swift 4.6.0 (swift/template/base.py and template_inputs.py, swift/dataset/preprocessor). The images
replace `<image>` in order over all turns; surplus images are put before the first turn, and a literal
`<video>`, `<bbox>` or `<img>PATH</img>` is interpreted, so texts are escaped. ms-swift would join adjacent
turns of the same role without a space; here they are merged with a line break. A row that ends with the user
has no target, and a row that begins with the assistant would get an empty question, so both are left out with
a reason. Relative paths are resolved in the current folder and in ROOT_IMAGE_DIR. The loss covers assistant
turns, never the patches of an image; the key `"loss": false` of a message is not needed.
"""

from __future__ import annotations

from leafinstruct.export.format import Files, Format
from leafinstruct.export.formats.llama_factory import record
from leafinstruct.export.row import unanswered


def loading(name: str, files: Files) -> str:  # noqa: ARG001 - the signature of Format.loading
    train = files.get("train") or next(iter(files.values()))
    validation = (
        f" --val_dataset THIS_FOLDER/{files['validation'][0]}"
        if {"train", "validation"} <= set(files)
        else ""
    )
    return f"""Paths of images are relative to this folder, which ROOT_IMAGE_DIR names:

    ROOT_IMAGE_DIR=THIS_FOLDER swift sft --model Qwen/Qwen2.5-VL-7B-Instruct --dataset THIS_FOLDER/{train[0]}{validation}

Keys other than `messages` and `images` are not read.
"""  # noqa: E501


FORMAT = Format(
    name="ms-swift",
    title="ms-swift, messages with images",
    packing="lines",
    placeholders=(
        "<image>",
        "<video>",
        "<audio>",
        "<bbox>",
        "<ref-object>",
        "<cot-process>",
        "<start-image>",
        "<img>",
        "</img>",
    ),
    record=record,
    loading=loading,
    answers=(
        "ms-swift does not train image generation: images in answers are inputs for the text after them, "
        "and the loss does not cover their patches. `leaf train` trains image generation."
    ),
    fault=unanswered,
)
