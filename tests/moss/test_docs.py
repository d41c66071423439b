"""The example of docs/moss.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import torch


def test_the_twenty_lines_learn_and_load_again(tmp_path, monkeypatch):
    text = (Path(__file__).parent.parent.parent / "docs" / "moss.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert code.count("\n") <= 26
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    exec(code.replace("for step", "first = model(input_ids=ids, labels=ids).loss.item()\nfor step"), names)
    assert names["loss"].item() < names["first"]
    with torch.no_grad():
        wanted, found = (names[name].eval()(input_ids=names["ids"]) for name in ("model", "again"))
    assert found.logits.shape == wanted.logits.shape
    assert (tmp_path / "adapter" / "adapter_config.json").exists()
