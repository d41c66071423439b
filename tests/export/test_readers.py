"""LLaMA-Factory and ms-swift read what was exported for them: each mark its image, no other mark, loss where
it belongs.

Their packages want other versions of transformers and peft than ours, so each has a Python of its own, which
LEAF_LLAMA_FACTORY and LEAF_MS_SWIFT name (docs/exports.md says how it is made). Elsewhere these tests are
skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from export.dataset import HOSTILE, dataset

from leafinstruct.export.catalog import format_of
from leafinstruct.export.run import export
from leafinstruct.records.escaping import escape

HERE = Path(__file__).parent


@pytest.fixture(
    params=[("LEAF_LLAMA_FACTORY", "llama-factory"), ("LEAF_MS_SWIFT", "ms-swift")],
    ids=lambda param: param[1],
)
def reader(request, tmp_path):
    """Exports a folder of shards and reads its training split, in the reader's own Python. Returns the
    format's name and what was read."""
    variable, name = request.param
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python that has {name}")

    def read(shards: Path) -> tuple[str, list[dict[str, Any]]]:
        out = tmp_path / "out"
        export(str(shards), format_of(name), out, tmp_path)
        what = "made_train" if name == "llama-factory" else "train.jsonl"
        script = HERE / f"read_{name.replace('-', '_')}.py"
        root = HERE.parent.parent
        variables = {
            **os.environ,
            "PYTHONPATH": str(root),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "hf"),
            "MODELSCOPE_CACHE": str(tmp_path),
        }
        done = subprocess.run(
            [python, str(script), str(out), what, str(tmp_path / "said.json")],
            env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return name, json.loads((tmp_path / "said.json").read_text())

    return read


def test_it_reads_and_encodes_every_row(tmp_path, reader):
    name, found = reader(dataset(tmp_path))
    assert len(found) == 9
    for row in found:
        patches = [height * width // 4 for _, height, width in row["grids"]]  # 2 x 2 patches are one token
        assert row["patches"] == sum(patches)
        assert row["text"].count("<|vision_start|>") == len(patches)
        assert row["text"].count("<|im_start|>") == row["text"].count("<|im_end|>")
    assert [len(row["grids"]) for row in found] == [2] * 7 + [3, 3]
    hostile = found[7:]
    for row in hostile:
        assert escape(HOSTILE) in row["text"]
        assert "It is <\\image>." in row["learnt"]
        assert "And this?" not in row["learnt"]
        assert row["text"].count("<|im_start|>") == 5  # system, and two questions with their answers
    for row in found:
        assert (row["patches_learnt"] > 0) == (name == "llama-factory")  # as the README beside the files says
