"""Run by a Python that has ms-swift: `read_ms_swift.py DIR FILE ANSWER`. Loads an export as its trainer does,
and writes what it made of each row, as read_llama_factory.py does."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def read(folder: str, file: str) -> list[dict[str, Any]]:
    import qwen
    from swift.dataset import load_dataset
    from swift.model.model_meta import get_matched_model_meta
    from swift.template import get_template

    processor = qwen.processor()
    tokenizer = processor.tokenizer
    processor.model_info = SimpleNamespace(
        config=None, task_type="causal_lm", max_model_len=1 << 16, model_dir="none"
    )
    processor.model_meta = get_matched_model_meta("Qwen/Qwen2-VL-7B-Instruct")
    template = get_template(processor, template_type="qwen2_vl")
    template.set_mode("train")
    pad = template.image_token_id = tokenizer.convert_tokens_to_ids(qwen.PAD)
    rows, _ = load_dataset([str(Path(folder) / file)], strict=True, load_from_cache_file=False)
    found = []
    for row in rows:
        made = template.encode(row)
        found.append(
            qwen.understood(
                tokenizer, list(made["input_ids"]), list(made["labels"]), pad, made.get("image_grid_thw")
            )
        )
    return found


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]
    os.environ["ROOT_IMAGE_DIR"] = sys.argv[1]
    importlib.import_module("leafinstruct._torchvision").mend()
    Path(sys.argv[3]).write_text(json.dumps(read(*sys.argv[1:3])), encoding="utf-8")
