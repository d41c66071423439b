"""The examples of docs/moss.md run as they are."""

from __future__ import annotations

import re
from pathlib import Path

import torch

_PAGE = Path(__file__).parents[2] / "docs" / "moss.md"


def _examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_twenty_lines_learn_and_load_again(tmp_path, monkeypatch):
    code, _ = _examples()
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


def test_a_backbone_answers_with_a_text_and_an_image(capsys):
    _, code = _examples()
    exec(code, {})
    text, image = capsys.readouterr().out.splitlines()
    assert "wall" in text
    assert image == "(64, 64)"
