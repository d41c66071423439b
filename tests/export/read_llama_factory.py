"""Run by a Python that has llamafactory: `read_llama_factory.py DIR DATASET ANSWER`. Loads an export as its
trainer does, and writes what it made of each row, as JSON: input_ids as text, labels as text, patches of
images among both, and the grids of the images."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def sounds() -> None:
    """llamafactory imports torchaudio at once and uses it for sounds alone, of which there are none here; its
    wheels are CUDA builds and do not load beside a CPU build of torch."""
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError):
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
        sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)


def read(folder: str, dataset: str) -> list[dict[str, Any]]:
    import qwen
    from llamafactory.data.loader import get_dataset
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    processor = qwen.processor()
    tokenizer = processor.tokenizer
    beside = Path(folder).parent
    data = DataArguments(
        template="qwen2_vl", dataset=dataset, dataset_dir=folder, cutoff_len=1 << 16, overwrite_cache=True
    )
    model = ModelArguments(model_name_or_path="none", cache_dir=str(beside / "cache"))
    training = Seq2SeqTrainingArguments(output_dir=str(beside / "trained"), report_to=[], use_cpu=True)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    rows = get_dataset(template, model, data, training, "sft", tokenizer, processor)["train_dataset"]
    pad = tokenizer.convert_tokens_to_ids(qwen.PAD)
    found = []
    for row in rows:
        images = row["images"] or []
        inputs = template.mm_plugin.get_mm_inputs(
            images, [], [], [len(images)], [0], [0], [row["input_ids"]], processor
        )
        found.append(
            qwen.understood(
                tokenizer, row["input_ids"], row["labels"], pad, inputs["image_grid_thw"] if images else None
            )
        )
    return found


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    importlib.import_module("leafinstruct._torchvision").mend()
    sounds()
    Path(sys.argv[3]).write_text(json.dumps(read(*sys.argv[1:3])), encoding="utf-8")
