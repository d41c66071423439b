"""The adapter's card, and `leaf train --push-to` against a Hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import leaf_process as leaf
from hub_repos import ReposHub
from train.conftest import lessons, shard
from typer.testing import CliRunner

from leafinstruct.cli import app
from leafinstruct.errors import TrainError
from leafinstruct.publish.adapter import FILES, push
from leafinstruct.train.card import dataset

pytestmark = pytest.mark.e2e

TOKEN = "hf_secretsecretsecret"


def test_an_adapter_is_uploaded_after_a_failure_and_loads_from_there(recipe, tmp_path, monkeypatch):
    stated = [
        {**entry, "license": "CC-BY-4.0" if number < 9 else "# Mine\n|x"}
        for number, entry in enumerate(lessons(12))
    ]
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", stated)
    path = recipe(steps=2)
    with ReposHub() as hub:
        for name, value in hub.logged_in(tmp_path / "home", TOKEN).items():
            monkeypatch.setenv(name, value)
        hub.trouble = lambda _, at: 403 if at.startswith("/lfs") else None
        failed = leaf("train", path, "--push-to", "me/lessons")
        assert failed.returncode == 1
        last = failed.stderr.splitlines()[-1]
        assert last.startswith("leaf: --push-to me/lessons: the Hub rejected it: "), failed.stderr
        assert last.endswith("the adapter is saved in runs/trained/train/adapter; run the same command again")
        assert (hub.repos["me/lessons"].private, hub.repos["me/lessons"].files) == (True, {})
        hub.trouble = lambda *_: None
        again = leaf("train", path, "--push-to", "me/lessons")
        assert again.returncode == 0, again.stderr
        assert "leaf: nothing to do: all 2 steps are done" in again.stderr
        assert f"leaf: uploaded to {hub.url}/me/lessons" in again.stderr
        assert hub.tokens >= {f"Bearer {TOKEN}"}
        assert TOKEN not in failed.stdout + failed.stderr + again.stdout + again.stderr
        files = hub.repos["me/lessons"].files
        assert set(files) == set(FILES)
        assert str(tmp_path).encode() not in b"".join(files.values())
        card = files["README.md"].decode()
        for said in (
            "An adapter for tiny, trained",
            "| method | moss, full_space, neighbors top_left, kernel 2 |",
            "demo: 12 rows, 12 images, 396 tokens",
            "| CC-BY-4.0 | 9 |\n| \\# Mine \\|x | 3 |",
            "2 steps of 4 rows, context 80",
            "\n| image 1 | ",
        ):
            assert said in card, card
        adapter = tmp_path / "runs/trained/train/adapter"
        assert files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
        layout = """from leafinstruct import moss
import peft
from backbones.tiny_backbones import interleaved
print(type(peft.PeftModel.from_pretrained(interleaved(), "me/lessons").base_model).__name__)"""
        path_of_tests = f"{Path(__file__).parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        loaded = subprocess.run(
            [sys.executable, "-c", layout],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path_of_tests},
        )
        assert loaded.stdout.strip() == "MossModel", loaded.stderr
        assert hub.asked["GET resolve"] >= 2
        hub.make("me/seen", private=False)
        seen = leaf("train", path, "--push-to", "me/seen")
        assert (seen.returncode, hub.repos["me/seen"].files) == (1, {})
        assert seen.stderr.splitlines()[-1].startswith(
            "leaf: --push-to me/seen: this repository is public; give --public"
        )


def test_a_name_that_is_none_is_one_line(tmp_path):
    with pytest.raises(
        TrainError, match=r"^--push-to a/b/c: the Hub rejected it: [^\n]+; the adapter is saved in"
    ) as caught:
        push(tmp_path, "a/b/c", public=False)
    assert "\n" not in str(caught.value)


def test_an_upload_that_cannot_be_is_refused_before_anything_is_trained(recipe, tmp_path):
    path = recipe()
    for more, sentence in (
        (["--push-to", "a/b/c"], "--push-to a/b/c: is no valid name on the Hub; give ORG/NAME"),
        (["--public"], "makes an upload public; add --push-to ORG/NAME"),
        (["--push-to", "a/b", "--dry-run"], "has nothing to upload after --dry-run; omit one"),
    ):
        done = CliRunner().invoke(app, ["train", str(path), *more])
        assert sentence in f"{done.exception} {' '.join(done.output.replace('│', ' ').split())}"
        assert done.exit_code in (1, 2)
    assert not (tmp_path / "runs/trained").exists()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("run:demo@1", "demo@1"),
        ("hub:org/name", "org/name"),
        ("/home/somebody/runs/demo/shard", "demo"),
        ("/data/lessons", "lessons"),
        ("/data/lessons/*.parquet", "lessons"),
    ],
)
def test_a_dataset_is_named_and_not_where_it_lies(data, name):
    assert dataset(data) == name
