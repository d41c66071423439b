"""Run by a Python that has llamafactory: `read_llama_factory.py DIR DATASET`. Loads an export as its trainer does, and prints what it made of each
row, as JSON: input_ids as text, labels as text, patches of pictures among both, and the grids of the pictures."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
os.environ["DISABLE_VERSION_CHECK"] = "1"

from leafinstruct.torchvision_import import mend

mend()
try:
    import torchaudio
except (ImportError, OSError):  # its wheels are CUDA builds; imported at once and used for sounds alone, of which there are none
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")

import qwen
from llamafactory.data.loader import get_dataset
from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import TrainingArguments

folder, dataset = sys.argv[1:]
processor = qwen.processor()
tokenizer = processor.tokenizer
data = DataArguments(template="qwen2_vl", dataset=dataset, dataset_dir=folder, cutoff_len=1 << 16, overwrite_cache=True)
model = ModelArguments(model_name_or_path="none", cache_dir=str(Path(folder).parent / "cache"))
training = TrainingArguments(output_dir=str(Path(folder).parent / "out"), report_to=[], use_cpu=True)
template = get_template_and_fix_tokenizer(tokenizer, data)
rows = get_dataset(template, model, data, training, "sft", tokenizer, processor)["train_dataset"]
pad = tokenizer.convert_tokens_to_ids(qwen.PAD)
found = []
for row in rows:
    images = row["images"] or []
    inputs = template.mm_plugin.get_mm_inputs(images, [], [], [len(images)], [0], [0], [row["input_ids"]], processor)
    found.append(
        {
            "text": tokenizer.decode(row["input_ids"]),
            "learnt": tokenizer.decode([token for token in row["labels"] if token >= 0 and token != pad]),
            "patches": row["input_ids"].count(pad),
            "patches_learnt": row["labels"].count(pad),
            "grids": inputs["image_grid_thw"].tolist() if images else [],
        }
    )
Path(sys.argv[1] + ".read").write_text(json.dumps(found))
