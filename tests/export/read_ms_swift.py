"""Run by a Python that has ms-swift: `read_ms_swift.py DIR FILE`. As read_llama_factory.py does, with ms-swift's loader and template."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
folder = sys.argv[1]
os.environ["ROOT_IMAGE_DIR"] = folder

from leafinstruct.torchvision_import import mend

mend()

import qwen
from swift.dataset import load_dataset
from swift.template import TEMPLATE_MAPPING

processor = qwen.processor()
tokenizer = processor.tokenizer
print(TEMPLATE_MAPPING["qwen2_vl"])
rows, _ = load_dataset([str(Path(folder) / sys.argv[2])], strict=True, load_from_cache_file=False)
