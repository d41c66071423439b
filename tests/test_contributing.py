"""The package that CONTRIBUTING.md shows, installed and used by the document's own commands."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from command import leaf_process as leaf
from contributing import DOCUMENT, install_toy, shown_commands, shown_files, write_project
from making import rows

from leafinstruct.export.catalog import names
from leafinstruct.ingest.config import READER
from leafinstruct.records import table

pytestmark = pytest.mark.e2e

EXTENSIONS = DOCUMENT.parent / "docs" / "extensions.md"
TEXTS = [
    "The path begins behind the mill and follows the stream up into the woods.",
    "After an hour you see the bridge. Cross it, and keep to the left.",
    "The way back is shorter, because it goes through the meadow.",
]


def test_the_package_that_is_shown_builds_a_dataset_and_exports_it(tmp_path):
    write_project(tmp_path)
    site = install_toy(tmp_path / "site")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    for command in shown_commands():
        verb, *arguments = shlex.split(command)
        assert verb == "leaf"
        done = leaf(*arguments, cwd=tmp_path, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "toy"
    (row,) = rows(run / "shard")
    parts = [part["text"] for message in row["messages"] for part in message["content"]]
    assert [part for part in parts if part in TEXTS] == TEXTS
    assert [parts.index(text) - parts.index(TEXTS[0]) for text in TEXTS] == [0, 2, 4]  # images between
    assert [image["bytes"] for image in row["images"]] == [
        (tmp_path / "data" / name).read_bytes() for name in ("mill.png", "bridge.png")
    ]
    assert (row["source"], row["license"]) == ("walks", "CC-BY-4.0")
    assert [info["license"] for info in row["image_info"]] == ["CC-BY-4.0"] * 2
    assert json.loads((run / "ingest/fingerprint.json").read_text())["libraries"]["leaf-toy"] == "1.0"
    build = json.loads((run / "shard/build.json").read_text())
    assert build["versions"]["leaf-toy"] == "1.0"
    assert build["recipe"]["ingest"]["sources"][0] == {
        "name": "walks",
        "license": "CC-BY-4.0",
        "kind": "gallery",
        "sign": "!",
    }
    files = (run / "filter").rglob("scores-*.parquet")
    cells = [cell for path in files for cell in table.read(path) if cell["name"] == "toy.warmth"]
    # a rectangle of 20 x 36 pixels in (20, 20, 120) lies on 96 x 64 in (200, 90, 30) and in (140, 90, 30)
    share = 20 * 36 / (96 * 64)
    wanted = [((1 - share) * (red - 30) + share * (20 - 120)) / 255 for red in (200, 140)]
    assert [cell["value"] for cell in cells] == pytest.approx(wanted, abs=1e-4)
    assert {cell["model"] for cell in cells} == {"leaf-toy 1.0"}
    out = tmp_path / "exports" / "markdown"
    (line,) = (out / "train.jsonl").read_text(encoding="utf-8").splitlines()
    answer = json.loads(line)["turns"][-1]["markdown"].split("\n\n")
    shown = [re.fullmatch(r"!\[\]\((images/../\w{64}\.png)\)", part) for part in answer]
    assert [(out / found[1]).read_bytes() for found in shown if found] == [
        image["bytes"] for image in row["images"]
    ]
    assert json.loads((out / "fingerprint.json").read_text())["package"] == "leaf-toy 1.0"


def test_the_help_of_export_lists_installed_formats(tmp_path):
    site = install_toy(tmp_path)
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    done = leaf("export", "--help", PYTHONPATH=path)
    assert f"[{'|'.join(names())}|markdown]" in done.stdout
    wrong = leaf("export", "--to", "csv", "--out", "x", PYTHONPATH=path)
    assert wrong.returncode == 2
    assert "'csv' is none of conversations, webdataset, llama-factory, ms-swift, markdown" in " ".join(
        wrong.stderr.split()
    )


def test_a_package_that_cannot_be_imported_is_one_line(tmp_path):
    recipe = write_project(tmp_path)
    site = install_toy(tmp_path / "site", gallery="import no_such_library_here\n")
    done = leaf("build", recipe, PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"leaf: {recipe}, leaf-toy 1.0: 'gallery' of leafinstruct.readers (leaf_toy.gallery) cannot be "
        "imported: ModuleNotFoundError: No module named 'no_such_library_here'\n"
    )


def test_every_helper_that_the_page_of_the_protocols_names_is_public_and_exists():
    """`module`: `name`, `name` in a table of docs/extensions.md."""
    text = EXTENSIONS.read_text(encoding="utf-8")
    named = [
        (module, name)
        for module, cell in re.findall(r"^\| `(leafinstruct\.\w+\.[\w.]+)` \| ([^|]+) \|", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    ]
    assert len(named) > 20
    for module, name in named:
        assert not name.startswith("_")
        assert hasattr(__import__(module, fromlist=[name]), name), f"{module} has no {name}"
    assert set(READER) <= set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


def test_every_import_of_the_shown_files_is_on_the_page_of_the_protocols():
    text = EXTENSIONS.read_text(encoding="utf-8")
    for name, source in shown_files().items():
        if name.endswith(".py"):
            for module, imported in re.findall(
                r"^from (leafinstruct[\w.]+) import (.+)$", source, re.MULTILINE
            ):
                listed = f"{module}.{imported}" if imported == "files" else module
                row = next(line for line in text.splitlines() if line.startswith(f"| `{listed}` |"))
                wanted = [] if imported == "files" else imported.split(", ")
                assert [each for each in wanted if f"`{each}`" not in row] == [], (name, module)


def test_paths_of_the_document_are_the_repositorys():
    for path in re.findall(r"\]\((docs/[\w./-]+?)(?:#[\w-]+)?\)", DOCUMENT.read_text(encoding="utf-8")):
        assert (Path(DOCUMENT).parent / path).is_file(), path
