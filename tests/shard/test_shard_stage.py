"""shard: whole or absent after a kill, few open files, and a card that follows the stages before it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from making import InlineEngine, build, mmc4, png, recipe, rows, shard_sums

from leafinstruct import pipeline
from leafinstruct import recipe as recipes
from leafinstruct.artifact import Artifact
from leafinstruct.engine.base import Part
from leafinstruct.shard import keys, stage

SENTENCES = ("First, draw a red wall on the grass.", "Then add a brown roof on top of it.", "Finally, paint a blue door in it.")
SHARD = "guide.train-00000-of-00001"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A built dataset of eight documents in one shard. Returns its recipe."""
    pages = {
        f"https://host.example/{number}": [
            (f"{text} Number {number}.", png((20 * number, 70 * at, 90), dot=at)) for at, text in enumerate(SENTENCES)
        ]
        for number in range(8)
    }
    mmc4(tmp_path / "data", pages)
    path = recipe(
        tmp_path,
        part_size=4,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={"min_words": 10, "alignment": {"allow_toy": True}, "rules": []},
        rewrite={"tasks": ["guide"]},
        shard={"splits": {"train": 1}},
    )
    build(path)
    return path


def settings(path: Path) -> stage.ShardSettings:
    found = pipeline.settings_of(recipes.load(path), "shard")
    assert isinstance(found, stage.ShardSettings)
    return found


def gathered_part(out: Artifact) -> str:
    return min(path.name for path in out.path.glob("rows-*.arrow")).removeprefix("rows-").removesuffix(".arrow")


def test_the_card_follows_counts_that_leave_the_examples_alone(small):
    """A line that cannot be read for another reason changes no example and no shard, but what the card says of the source."""
    folder = small.parent / "runs/t/shard"
    source = small.parent / "data/docs.jsonl"
    whole = source.read_text(encoding="utf-8")
    source.write_text(whole + '{"url": broken\n', encoding="utf-8")
    build(small)
    before = shard_sums(folder)
    assert "| `broken_json` | 1 |" in (folder / "README.md").read_text(encoding="utf-8")
    source.write_text(whole + "[1]\n", encoding="utf-8")
    engine = InlineEngine()
    outcomes = {outcome.stage: outcome.stood for outcome in build(small, engine=engine)}
    assert outcomes == {"ingest": False, "filter": True, "rewrite": True, "shard": False}
    assert "writing shards" not in engine.reports or engine.reports["writing shards"] == []
    assert shard_sums(folder) == before
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| `not_an_object` | 1 |" in card
    assert "broken_json" not in card
    assert all(outcome.stood for outcome in build(small))


def test_a_shard_of_many_parts_opens_few_files(small):
    """120 parts under a limit of 40 open files: the rows are the same, and in the order of the plan."""
    out = Artifact(small.parent / "runs/t/shard")
    part = gathered_part(out)
    for number in range(120):
        shutil.copy(out.file("rows", part, ".arrow"), out.path / f"rows-p{number}.arrow")
    places = {"part": [f"p{7 * number % 120}" for number in range(480)], "index": [number % 4 for number in range(480)]}
    script = (
        "import json, resource, sys; from pathlib import Path\n"
        "from leafinstruct import pipeline, recipe\n"
        "from leafinstruct.artifact import Artifact\n"
        "from leafinstruct.engine.base import Part\n"
        "from leafinstruct.shard import stage\n"
        "settings = pipeline.settings_of(recipe.load(Path(sys.argv[1])), 'shard')\n"
        "import datasets\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "import pyarrow\n"
        "places = pyarrow.table(json.loads(sys.argv[3]))\n"
        "stage.write(settings, Artifact(Path(sys.argv[2])), Part('many.train-00000-of-00001', ('key', places)))\n"
    )
    command = [sys.executable, "-c", script, str(small), str(out.path), json.dumps(places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (out.path / f"{SHARD}.parquet").unlink()
    ids = keys.read(out, [part])[part]["id"].to_pylist()
    assert [row["id"] for row in rows(out.path)] == [ids[index] for index in places["index"]]
    report = out.report("many.train-00000-of-00001")
    assert report is not None
    assert (report["counts"]["rows"], report["counts"]["pictures"]) == (480, 1440)


class Killed(Artifact):
    """An artifact whose writer dies between its files and its report."""

    def commit(self, *_: object) -> dict[str, object]:
        raise ZeroDivisionError


def test_a_kill_between_a_shard_and_its_report_leaves_no_report(small):
    """An old report over a new shard would say that the new one is the old one."""
    out = Artifact(small.parent / "runs/t/shard")
    assert out.report(SHARD) is not None
    part = gathered_part(out)
    with pytest.raises(ZeroDivisionError):
        stage.write(settings(small), Killed(out.path), Part(SHARD, ("other", pa.table({"part": [part], "index": [0]}))))
    assert len(rows(out.path)) == 1
    assert out.report(SHARD) is None


def test_a_kill_between_rows_and_keys_leaves_no_keys(small):
    """Old keys over new rows would place rows by what they were. The writer dies here of a key that is no text."""
    run = small.parent / "runs/t"
    chain = pipeline.artifacts(recipes.load(small))
    name = chain["rewrite"].parts()[0]
    vouching, gathered = run / f"shard/keys-{name}.arrow", run / f"shard/rows-{name}.arrow"
    before = gathered.stat().st_ino
    with pytest.raises(TypeError, match="object"):
        stage.gather(settings(small), chain["rewrite"], chain["shard"], Part(name, object()))
    assert gathered.stat().st_ino != before
    assert not vouching.exists()
    wanted = shard_sums(run / "shard")
    (run / "shard/record.json").unlink()
    build(small)
    assert vouching.exists()
    assert shard_sums(run / "shard") == wanted


def test_half_a_keys_file_is_as_good_as_none(small):
    folder = small.parent / "runs/t/shard"
    wanted = shard_sums(folder)
    half = next(folder.glob("keys-*.arrow"))
    whole = half.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    (folder / "record.json").unlink()
    build(small)
    assert half.read_bytes() == whole
    assert shard_sums(folder) == wanted
