"""A dataset of the Hub, streamed from a local server that speaks its endpoints: kept once, gone on with after
a cut, asked for nothing again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import COMMIT, Hub
from making import png

pytestmark = pytest.mark.e2e


def dataset(rows: int) -> bytes:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    made = [
        {
            "caption": f"caption {number}",
            "image": {"bytes": png(dot=number % 70), "path": None},
            "unused": "x" * 100,
        }
        for number in range(rows)
    ]
    schema = pa.schema([("caption", pa.string()), ("image", image), ("unused", pa.string())])
    features = {
        "caption": {"dtype": "string", "_type": "Value"},
        "image": {"_type": "Image"},
        "unused": {"dtype": "string", "_type": "Value"},
    }
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(made, schema=schema), buffer, row_group_size=100)
    return buffer.getvalue()


@pytest.fixture
def server() -> Iterator[Hub]:
    with Hub("org/name", dataset(1200)) as hub:
        yield hub


SCRIPT = """
import json, sys
from pathlib import Path
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.errors import LeafInstructError
from leafinstruct.ingest.readers import hub
from leafinstruct.ingest.tables import hub_stream
from leafinstruct.ingest.config import HubSource
settings, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
class Engine:
    workers = 1
    remote = False
    def map(self, task, parts, needs):
        return [task(part) for part in parts]
source = HubSource(name="h", segments=[{"text": "caption"}, {"image": "image"}], **settings)
try:
    hub_stream.spool(source, folder, Engine())
except LeafInstructError as error:
    print(type(error).__name__, error)
    sys.exit(1)
local = source.model_copy(update={"repo": None, "path": str(folder)})
documents = [item for span in hub.plan(local, 100, folder / "cache") for item in hub.read(local, span, folder / "cache")]
from leafinstruct.images.read import fetch
import hashlib
print(json.dumps([[d.texts[0].text, hashlib.sha256(fetch(d.images[0].ref, folder)).hexdigest()] for d in documents]))
"""  # noqa: E501


def spool(
    server: Hub | str, folder: Path, home: Path, **settings: object
) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        **(
            server.variables(home)
            if isinstance(server, Hub)
            else {"HF_ENDPOINT": server, "HF_HOME": str(home)}
        ),
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps({"repo": "org/name", **settings}), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=variables, check=False)


def test_rows_are_kept_with_the_very_bytes_and_the_network_is_asked_nothing_again(server, tmp_path):
    done = spool(server, tmp_path / "rows", tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    wanted = [
        [f"caption {number}", hashlib.sha256(png(dot=number % 70)).hexdigest()] for number in range(1200)
    ]
    assert json.loads(done.stdout) == wanted
    assert sorted(path.name for path in (tmp_path / "rows").glob("*.parquet")) == [
        f"rows-{index:06d}.parquet" for index in range(3)
    ]
    assert "unused" not in pq.read_schema(tmp_path / "rows" / "rows-000000.parquet").names
    assert json.loads((tmp_path / "rows" / "complete.json").read_text())["commit"] == COMMIT
    server.asked.clear()
    again = spool(server, tmp_path / "rows", tmp_path / "home")
    assert json.loads(again.stdout) == wanted
    assert not server.asked


def test_what_was_cut_is_gone_on_with_behind_the_files_that_are_whole(server, tmp_path):
    spool(server, tmp_path / "rows", tmp_path / "home")
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "rows").glob("*.parquet")}
    (tmp_path / "rows" / "complete.json").unlink()
    (tmp_path / "rows" / "rows-000002.parquet").unlink()
    kept = (tmp_path / "rows" / "rows-000001.parquet").stat().st_mtime_ns
    spool(server, tmp_path / "rows", tmp_path / "home")
    assert {path.name: path.read_bytes() for path in (tmp_path / "rows").glob("*.parquet")} == wanted
    assert (tmp_path / "rows" / "rows-000001.parquet").stat().st_mtime_ns == kept


def test_only_so_many_rows(server, tmp_path):
    done = spool(server, tmp_path / "rows", tmp_path / "home", rows=7)
    assert len(json.loads(done.stdout)) == 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"repo": "org/other"}, "RecipeError source h: org/other is not on the Hub, or is private"),
        (
            {"split": "trian"},
            (
                "RecipeError source h: org/name cannot be read: Bad split: trian. Available splits: "
                "['train']; did you mean 'train'?"
            ),
        ),
        (
            {"config": "defualt"},
            (
                "RecipeError source h: org/name cannot be read: BuilderConfig 'defualt' not found. "
                "Available: ['default']; did you"
            ),
        ),
    ],
)
def test_what_does_not_exist_is_one_line_with_its_hint(server, tmp_path, settings, message):
    done = spool(server, tmp_path / "rows", tmp_path / "home", **settings)
    assert done.returncode == 1
    assert done.stdout.startswith(message)
    assert len(done.stdout.splitlines()) == 1


SECRET = "hf_0123456789abcdefsecret"


@pytest.mark.parametrize(
    ("status", "code", "place", "message"),
    [
        (
            401,
            "GatedRepo",
            "/resolve/",
            (
                "RecipeError source h: org/name is gated; accept its terms on the Hub, then log in with "
                "`hf auth login`"
            ),
        ),
        (403, "GatedRepo", "/api/", "RecipeError source h: org/name is gated; accept its terms"),
        (
            401,
            "",
            "/api/",
            "RecipeError source h: org/name: the Hub refuses this login (status 401); log in again",
        ),
        (
            429,
            "",
            "/api/",
            "SourceError source h: org/name: too many requests to the Hub (status 429); the rows read "
            "so far are kept",
        ),
    ],
)
def test_a_hub_that_refuses_names_the_hint_and_never_the_token(
    server, tmp_path, monkeypatch, status, code, place, message
):
    """A gated dataset shows itself to everybody and refuses its files."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    server.trouble = lambda path: (status, {"X-Error-Code": code} if code else {}) if place in path else None
    done = spool(server, tmp_path / "rows", tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout.startswith(message)
    assert len(done.stdout.splitlines()) == 1
    assert server.tokens == {f"Bearer {SECRET}"}
    assert SECRET not in done.stdout + done.stderr
    assert not [
        path
        for path in (tmp_path / "rows").rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_a_hub_that_is_busy_for_a_moment_is_asked_again(server, tmp_path):
    left = [2]

    def busy(path):
        if path.endswith(".parquet") and "/resolve/" in path and server.asked["file"] > 5 and left[0]:
            left[0] -= 1
            return 429, {"Retry-After": "1"}
        return None

    server.trouble = busy
    done = spool(server, tmp_path / "rows", tmp_path / "home", rows=7)
    assert len(json.loads(done.stdout)) == 7
    assert left == [0]


def test_a_connection_that_breaks_off_is_taken_up_again_and_nothing_is_lost_or_doubled(server, tmp_path):
    spool(server, tmp_path / "whole", tmp_path / "home")
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*.parquet")}
    server.cuts = 2
    done = spool(server, tmp_path / "rows", tmp_path / "home")
    assert done.returncode == 0, done.stdout
    assert server.cuts == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "rows").glob("*.parquet")} == wanted


def test_a_hub_that_does_not_answer_is_no_verdict(tmp_path):
    done = spool("http://127.0.0.1:9", tmp_path / "rows", tmp_path / "home")
    assert done.stdout.startswith("SourceError source h: org/name: the Hub does not answer"), (
        done.stdout + done.stderr[-500:]
    )
    assert "run the same command again" in done.stdout
