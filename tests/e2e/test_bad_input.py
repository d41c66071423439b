"""Bad input: one line that names the place and the hint, exit code 1, and nothing else harmed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import leaf
from e2e.test_build import pages
from making import build, mmc4, png, recipe, rows

from leafinstruct.runtime.locks import one_build

LAX = {"min_words": 1, "alignment": {"allow_toy": True}}


def source(path: str, kind: str = "mmc4") -> dict[str, object]:
    return {"sources": [{"kind": kind, "name": "own", "path": path}]}


def fault(folder: Path, *arguments: str) -> str:
    done = leaf("build", folder / "recipe.yaml", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "parts" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("kind", "make"),
    [("mmc4", None), ("html", "empty"), ("warc", "empty"), ("mmc4", "empty"), ("html", None), ("warc", None)],
)
def test_missing_or_empty_sources_are_named(tmp_path, kind, make):
    if make == "empty":
        (tmp_path / "data").mkdir()
    recipe(tmp_path, ingest=source("data", kind), filter=LAX)
    assert str(tmp_path / "data") in fault(tmp_path)


def test_a_broken_line_is_a_reason_and_its_neighbors_live(tmp_path):
    path = mmc4(tmp_path / "data", pages(4))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40], "", "[1]", lines[2], lines[3]]) + "\n")
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    build(tmp_path / "recipe.yaml")
    status = json.loads(leaf("status", tmp_path / "recipe.yaml", "--json").stdout)["stages"][0]
    assert status["counts"]["documents"] == 3
    assert status["reasons"] == {"broken_json": 1, "empty_line": 1, "not_an_object": 1}
    assert [(item["file"], item["locator"]) for item in status["rejected"]] == [
        ("docs.jsonl", f"line={number}") for number in (2, 3, 4)
    ]
    assert len(rows(tmp_path / "runs/t/shard")) == 3


def test_a_cut_gzip_stops_the_build_after_all_else_unless_truncated_is_keep(tmp_path):
    path = mmc4(tmp_path / "data", pages(30))
    packed = gzip.compress(path.read_bytes(), mtime=0)
    path.unlink()
    (tmp_path / "data/docs.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    mmc4(tmp_path / "data", pages(3, start=50), name="whole.jsonl")
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    message = fault(tmp_path)
    assert "docs.jsonl.gz" in message
    assert "set ingest.truncated: keep" in message
    assert list((tmp_path / "runs/t/ingest").rglob("documents-*.parquet"))
    build(tmp_path / "recipe.yaml", "ingest.truncated=keep")
    assert 3 < len(rows(tmp_path / "runs/t/shard")) < 33


def test_images_that_are_missing_cut_or_no_images_are_reasons(tmp_path):
    mmc4(tmp_path / "data", pages(4))
    images = sorted((tmp_path / "data/images").glob("docs-0-*.png"))
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:60])
    images[2].write_text("<html>not found</html>")
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    build(tmp_path / "recipe.yaml")
    assert len(rows(tmp_path / "runs/t/shard")) == 3
    from leafinstruct.records import table

    dropped = [
        row for path in (tmp_path / "runs/t/filter").rglob("dropped-*.parquet") for row in table.read(path)
    ]
    assert len(dropped) == 1
    reasons = [
        drop["detail"].split(":")[0] for drop in dropped[0]["drops"] if drop["rule"] == "image.decoded"
    ]
    assert reasons == ["missing", "truncated", "not_an_image"]


def test_zero_documents_are_explained_by_their_rules(tmp_path):
    mmc4(tmp_path / "data", pages(4))
    recipe(
        tmp_path,
        ingest=source("data"),
        filter={**LAX, "rules": [{"score": "image.side", "min": 5000, "drop": "document"}]},
    )
    assert "no document is left after filter: image.side removed 4" in fault(tmp_path)
    assert not (tmp_path / "runs/t/filter/record.json").exists()


def test_a_recipe_fault_names_key_and_neighbor(tmp_path):
    recipe(tmp_path, ingest=source("data"), filtre=LAX)
    assert "filtre: unknown key; did you mean 'filter'?" in fault(tmp_path)
    assert "no such recipe" in leaf("build", tmp_path / "none.yaml").stderr


def test_a_prompt_that_is_no_text_and_a_place_that_is_no_folder_are_one_line(tmp_path):
    mmc4(tmp_path / "data", pages(2))
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    assert "cannot write here" in fault(tmp_path, "--set", "workdir=/proc/nowhere")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/judge.md").write_bytes(b"\xff\xfe\x00")
    assert "judge.md: cannot be read" in fault(tmp_path)


def test_wrong_usage_is_exit_code_2(tmp_path):
    assert leaf("build", "--stage", "nonsense").returncode == 2
    assert leaf("bild").returncode == 2
    assert leaf("build", "--workers", "0").returncode == 2


def test_a_checkpoint_that_is_missing_or_no_checkpoint_is_one_line(tmp_path):
    mmc4(tmp_path / "data", pages(2))
    recipe(tmp_path, ingest=source("data"), filter={"min_words": 1, "alignment": {"model": "my.pt"}})
    assert "my.pt: no such file" in fault(tmp_path)
    (tmp_path / "my.pt").write_bytes(b"no weights")
    assert "cannot be opened" in fault(tmp_path)
    assert "neither a file nor one of" in fault(tmp_path, "--set", "filter.alignment.model=ViT-Z/99")


def test_a_second_build_in_the_same_place_is_refused_while_the_first_runs(tmp_path):
    leaf("init", tmp_path / "a")
    with one_build(tmp_path / "a/runs/my-dataset"):
        second = leaf("build", cwd=tmp_path / "a")
    assert second.returncode == 1
    assert "another `leaf build` is running here" in second.stderr
    assert "Traceback" not in second.stderr


def test_an_interrupt_is_130_and_names_the_next_command(tmp_path):
    leaf("init", tmp_path / "a")
    command = [sys.executable, "-c", "from leafinstruct.cli import main; main()", "build"]
    process = subprocess.Popen(
        command, cwd=tmp_path / "a", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "a/runs/my-dataset/.lock").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(2)
    _, noise = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "run the same command again to continue" in noise
    assert "Traceback" not in noise


def test_a_full_disk_is_one_line_and_what_was_done_is_kept(tmp_path):
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs to mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        content = {
            url: [(text, png(size=(300, 200), dot=at)) for at, (text, _) in enumerate(steps)]
            for url, steps in pages(40).items()
        }
        mmc4(tmp_path / "data", content)
        for number in range(40):
            for index in range(3):
                (tmp_path / f"data/images/docs-{number}-{index}.png").write_bytes(noise(number * 3 + index))
        recipe(tmp_path, part_size=10, ingest=source("data"), filter=LAX)
        message = fault(tmp_path, "--set", f"workdir={disk}")
        assert "No space left on device" in message
        assert "free some space and run the same command again" in message
        assert list((disk / "runs/t/ingest").rglob("report-*.json"))
        assert not list(disk.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


def noise(seed: int) -> bytes:
    """An image that no compression makes small."""
    import io

    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (80, 100, 3), dtype=np.uint8)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def test_unreadable_files_are_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = mmc4(tmp_path / "data", pages(2))
    path.chmod(0)
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    assert "docs.jsonl" in fault(tmp_path)


def test_a_cut_parquet_file_of_a_run_is_named_and_made_again(tmp_path):
    mmc4(tmp_path / "data", pages(4))
    recipe(tmp_path, ingest=source("data"), filter=LAX)
    build(tmp_path / "recipe.yaml", until="ingest")
    path = next((tmp_path / "runs/t/ingest").rglob("documents-*.parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    done = leaf("build", tmp_path / "recipe.yaml")
    assert done.returncode == 0, done.stderr
    assert (
        f"leaf: ingest: damaged, and rebuilt: {path.name} (its sha256 is not the recorded one)" in done.stderr
    )
    assert path.read_bytes() == whole
