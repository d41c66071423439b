"""ms-swift's JSONL of messages and images.

    {"messages": [{"role": "user" | "assistant", "content": "... <image> ..."}, ...], "images": [path, ...], ...}

Read in ms-swift 4.6.0 (swift/template/base.py and template_inputs.py, swift/dataset/preprocessor): `<image>`
stands for the images in order over all turns; surplus images are put before the first turn, and a literal
`<video>`, `<bbox>` or `<img>PATH</img>` is obeyed, so texts are escaped. Turns of one speaker in a row would
be glued without a space; here they become one with a line break. A row that ends with the user has nothing to
learn and one that begins with the assistant gets an empty question, so both are left out with a reason.
Relative paths are looked for below the current folder and below ROOT_IMAGE_DIR. Loss falls on assistant
turns, never on the patches of an image; a message could say `"loss": false`, and ours need not.
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
"""


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
        "ms-swift does not train a model to draw them: they are inputs, seen by the words behind "
        "them, and their patches bear no loss. "
        "`leaf train` trains image output."
    ),
    fault=unanswered,
)
