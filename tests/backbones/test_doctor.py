"""`leaf doctor` on tiny weights in the published layouts."""

from __future__ import annotations

import json

import pytest
import torch
from backbones.tiny_backbones import (
    EMU2_SPECIAL_TOKENS,
    EMU3_SPECIAL_TOKENS,
    checkpoint,
    gen_folder,
    interleaved,
    tokenizer,
)
from moss.tiny import emu3
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from leafinstruct.backbones import doctor
from leafinstruct.backbones.emu3 import Emu3
from leafinstruct.cli import app
from leafinstruct.errors import BackboneError

CHECKS = ["keys", "text", "images", "identity", "overfit", "leak"]


@pytest.fixture
def chameleon_folder(tmp_path):
    interleaved().save_pretrained(tmp_path)
    tokenizer({"<racm3:break>": 197, "<eoss>": 196, "<image>": 190}).save_pretrained(tmp_path)
    return tmp_path


def test_all_checks_pass_for_whole_weights_but_a_random_tokenizer(chameleon_folder):
    found = list(doctor.examine("chameleon", chameleon_folder, checkpoint(chameleon_folder)))
    assert [finding.check for finding in found] == CHECKS
    assert [finding.check for finding in found if not finding.ok] == ["images"]
    assert "largest change of a logit 0" in found[3].detail


def test_emu3_too(tmp_path):
    emu3().save_pretrained(tmp_path)
    tokenizer(EMU3_SPECIAL_TOKENS).save_pretrained(tmp_path)
    usual = Emu3.__init__.__defaults__
    Emu3.__init__.__defaults__ = ((6, 6),)  # the published grid is 90 x 90, too long for a tiny model
    try:
        found = list(doctor.examine("emu3", tmp_path))
    finally:
        Emu3.__init__.__defaults__ = usual
    assert [finding.check for finding in found if not finding.ok] == ["images"]


def test_emu2_too_and_without_its_decoder_images_say_why(tmp_path):
    found = list(doctor.examine("emu2", gen_folder(tmp_path)))
    assert [finding.check for finding in found] == CHECKS
    assert [finding.check for finding in found if not finding.ok] == ["images"], (
        "random weights draw no better than one color"
    )
    tokenizer(EMU2_SPECIAL_TOKENS).save_pretrained(tmp_path / "multimodal_encoder")
    alone = {finding.check: finding for finding in doctor.examine("emu2", tmp_path / "multimodal_encoder")}
    assert not alone["images"].ok
    assert alone["images"].detail.startswith("Emu2 has no image decoder")
    assert alone["overfit"].ok
    assert alone["leak"].ok


def test_missing_and_foreign_keys_are_named(chameleon_folder):
    path = chameleon_folder / "model.safetensors"
    weights = load_file(path)
    moved = weights.pop("model.norm.weight")
    save_file({**weights, "model.nrom.weight": moved}, path, metadata={"format": "pt"})
    first = next(doctor.examine("chameleon", chameleon_folder, checkpoint(chameleon_folder)))
    assert (first.check, first.ok) == ("keys", False)
    assert "2 keys differ, first missing model.norm.weight" in first.detail


def test_a_leak_is_found(chameleon_folder, monkeypatch):
    """A layer that looks one row ahead, as a symmetric kernel would."""
    from leafinstruct.moss import MossLayer

    honest = MossLayer._convolved

    def leaking(self, name, patches, now, layout):
        return honest(self, name, torch.roll(patches, -1, 0), now, layout)

    monkeypatch.setattr(MossLayer, "_convolved", leaking)
    found = {
        finding.check: finding.ok
        for finding in doctor.examine("chameleon", chameleon_folder, checkpoint(chameleon_folder))
    }
    assert not found["leak"]


def test_the_verb_prints_a_report_and_exits_1_where_a_check_fails(chameleon_folder):
    arguments = [
        "doctor",
        "--backbone",
        "chameleon",
        "--weights",
        str(chameleon_folder),
        "--decoder",
        str(checkpoint(chameleon_folder)),
    ]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 1
    assert [line.split()[1] for line in said.stdout.splitlines()[1:]] == CHECKS
    assert "FAIL  images" in said.stdout
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [finding["check"] for finding in told["findings"]] == CHECKS
    assert set(told["versions"]) == {"leafinstruct", "python", "torch", "transformers", "peft"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("janus", "janus: no such backbone; known are chameleon, emu3, emu2"),
        ("chameleon", r"needs its image decoder: give the published file with --decoder"),
        ("emu3", r"cannot read config\.json"),
    ],
)
def test_what_cannot_be_examined(tmp_path, name, sentence):
    with pytest.raises(BackboneError, match=sentence):
        next(doctor.examine(name, tmp_path))
