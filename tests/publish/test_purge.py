"""`leaf remove --purge`: afterwards no file that leaf manages holds the text or the bytes, and nobody else
loses anything."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from command import leaf
from e2e.test_build_llm import answer, example, is_judge, text_of
from llm.fake_clock import FakeClock
from llm.misbehaving import Body, Misbehaving, Step, depending, good
from making import InlineEngine, build, png, recipe, rows, shard_sums
from publish.searching import holding
from serving import Answering, Serving

from leafinstruct.errors import DriftError
from leafinstruct.export.formats import conversations
from leafinstruct.export.run import export
from leafinstruct.images.web import store
from leafinstruct.llm import cache as answers
from leafinstruct.llm import clock as clocks
from leafinstruct.publish.purge import files
from leafinstruct.publish.purge import run as purging
from leafinstruct.publish.purge.quotes import Quotes
from leafinstruct.recipe import load as recipes
from leafinstruct.records.removals import beside, entry, load
from leafinstruct.rewrite.refine.examine import FIELDS
from leafinstruct.runtime import files as files_of_runs

pytestmark = pytest.mark.e2e

SECRET = 'The "quick" brown fox of Müllerstraße jumps over nine lazy dogs'
NAMES = ("basalt", "flint", "marble", "slate", "chalk", "quartz")
ALT = "my daughter on her fourth birthday"


class Gallery(Serving):
    """Serves images by name; every request is counted. pages 0 and 1 share image 2 under URLs of their
    own."""

    def __init__(self) -> None:
        super().__init__(_Answer)
        self.asked: Counter[str] = Counter()


def image(page: int, at: int) -> bytes:
    return (
        png((40 + 20 * page, 90, 60 * at), dot=7 * page + 3 * at)
        if at < 2
        else png((5, 200, 100), dot=max(page, 1))
    )


class _Answer(Answering):
    server: Gallery

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        known = self.path.startswith("/p") and self.path.endswith(".png")
        body = image(int(self.path[2]), int(self.path[4])) if known else b""
        self.send(200 if known else 404, body, ("Content-Type", "image/png" if known else "text/plain"))


@dataclass
class Project:
    """A recipe over four web pages, judged and rewritten by a model behind a real server, images fetched from
    another."""

    path: Path
    gallery: Gallery
    server: Misbehaving

    @property
    def workdir(self) -> Path:
        return self.path.parent / "runs"

    @property
    def requests(self) -> tuple[int, int]:
        return sum(self.gallery.asked.values()), len(self.server.seen)

    def purge(self, *entries: tuple[Any, str], dry_run: bool = False) -> dict[str, Any]:
        loaded = recipes.load(self.path)
        return purging.purge(loaded.path, loaded.directory, [entry(*each) for each in entries], dry_run)

    def ids(self) -> dict[str, str]:
        return {row["url"]: row["document_id"] for row in rows(self.workdir / "t/shard")}


def page_url(number: int) -> str:
    return f"https://site{number}.example/page"


def quoting(body: Body) -> Step:
    """A rewriter that repeats a sentence of the page, and an examiner that quotes it in its critique."""
    if is_judge(body):
        return answer(body)
    if "You examine one training example" in text_of(body):
        critique = f"Drop this: {SECRET}" if "Müllerstraße" in text_of(body) else ""
        found = {field: {"reason": "fine", "score": 3 if critique else 5} for field in FIELDS}
        return good({**found, "critique": critique})
    return good(example(body))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())
    gallery, server = Gallery(), Misbehaving()
    server.always = depending(quoting)
    thread = server.start()
    lines = []
    for number in range(4):
        texts = [
            f"First, draw the wall of house number {number} on green grass.",
            "Then add a brown roof on top of it.",
            "Paint a door.",
        ]
        # near-duplicates would be decided again together
        names = [f"{name}{number}" for name in NAMES[number == 1 :]]
        texts = [f"{text} {' '.join(f'{name}{at}' for name in names)}." for at, text in enumerate(texts)]
        texts[1] = f"{SECRET}." if number == 0 else texts[1]
        infos = [
            {
                "raw_url": f"http://{gallery.name}/p{number}-{at}.png",
                "matched_text_index": at,
                "image_name": "",
                "alt": ALT if number == 0 else "a house",
            }
            for at in range(3)
        ]
        lines.append(json.dumps({"url": page_url(number), "text_list": texts, "image_info": infos}))
    (tmp_path / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    fetch = {"contact": "crew@example.org", "allow_hosts": [gallery.name], "retries": 0}
    path = recipe(
        tmp_path,
        part_size=2,
        ingest={"sources": [{"kind": "mmc4", "name": "web", "path": "docs.jsonl", "license": "CC0-1.0"}]},
        filter={
            "min_words": 5,
            "images": {"fetch": fetch, "tolerate_failures": 0},
            "alignment": {"allow_toy": True, "model": "leaf:tiny-clip-1"},
            "rules": [{"score": "judge.text_quality", "min": 3, "model": "m"}],
        },
        rewrite={"tasks": ["guide"]},
        llm={"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60},
        shard={"splits": {"train": 1}},
    )
    with gallery:
        yield Project(path, gallery, server)
    server.stop(thread)


def test_a_page_is_erased_from_every_file_and_other_records_stay(project):
    build(project.path)
    build(project.path, limit=1)
    shown = conversations.FORMAT
    export("run:t", shown, project.workdir / "t/export", project.workdir)
    assert leaf("inspect", project.path).returncode == 0
    assert len(holding(project.workdir, SECRET)) > 10, "the search finds what is there"
    assert len(holding(project.workdir, image(0, 0))) > 4
    (project.workdir / "t/filter/.documents-x.parquet.17.tmp").write_text(SECRET)
    before, other = project.requests, project.ids()
    dry = project.purge(("url", page_url(0)), dry_run=True)
    assert holding(project.workdir, SECRET)
    assert not beside(project.path).exists()
    found = project.purge(("url", page_url(0)))
    assert holding(project.workdir, SECRET) == holding(project.workdir, ALT) == []
    assert holding(project.workdir, image(0, 0)) == holding(project.workdir, image(0, 1)) == []
    assert found["erased"] == dry["erased"]
    assert {
        name: found["erased"][name] for name in ("documents", "answers", "exchanges", "fetched images")
    } == {"documents": 1, "answers": 4, "exchanges": 4, "fetched images": 3}
    assert found["runs"] == ["t", "t-limit1"]
    assert "web: docs.jsonl" in found["remains"][0]
    assert (
        list(answers.verify(project.workdir / ".answers"))
        == list(store.verify(project.workdir / ".fetched"))
        == []
    )
    build(project.path)
    assert project.requests == before
    assert holding(project.workdir, SECRET) == []
    assert holding(project.workdir, image(0, 0)) == []
    assert set(project.ids()) == set(other) - {page_url(0)}
    assert all(outcome.up_to_date for outcome in build(project.path))
    build(project.path, rebuild=True)
    assert holding(project.workdir, SECRET) == []
    assert project.requests == before, "nothing of it is fetched or asked again, nor of others"
    assert project.purge(("url", page_url(0)))["erased"]["documents"] == 0


def test_what_is_built_after_a_purge_is_what_a_fresh_build_with_the_list_gives(project, tmp_path):
    build(project.path)
    project.purge(("domain", "site2.example"))
    build(project.path)
    sums = shard_sums(project.workdir / "t/shard")
    documents = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (project.workdir / "t/ingest").rglob("documents-*")
    }
    build(project.path, rebuild=True)
    assert shard_sums(project.workdir / "t/shard") == sums
    again = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (project.workdir / "t/ingest").rglob("documents-*")
    }
    assert again == documents


def test_only_parts_that_hold_something_are_made_again(project):
    build(project.path)
    project.purge(("url", page_url(0)))
    engine = InlineEngine()
    build(project.path, engine=engine)
    assert engine.total("reading", "documents") == 1
    assert engine.total("looking", "images_read") == 3
    assert engine.total("judging", "asked") == engine.total("rewriting", "documents") == 1


def test_an_image_that_others_show_stays_with_them_and_is_listed(project):
    build(project.path)
    assert image(0, 2) == image(1, 2)
    found = project.purge(("id", project.ids()[page_url(0)]))
    assert holding(project.workdir, image(1, 2))
    sha256 = hashlib.sha256(image(1, 2)).hexdigest()
    assert any(
        "1 images that remaining documents also show" in line and sha256 in line for line in found["remains"]
    )
    asked = project.requests
    build(project.path)
    assert project.requests == asked
    assert {row["url"]: len(row["images"]) for row in rows(project.workdir / "t/shard")} == {
        page_url(number): 3 for number in (1, 2, 3)
    }


def test_bytes_are_gone_from_everywhere_and_do_not_come_back_with_another_page(project):
    build(project.path)
    gone = image(1, 2)
    found = project.purge(("sha256", hashlib.sha256(gone).hexdigest()))
    assert holding(project.workdir, gone) == []
    assert found["entries"][0]["documents"] == 2
    build(project.path)
    assert holding(project.workdir, gone) == []
    assert set(project.ids()) == {page_url(2), page_url(3)}
    reasons = Counter(
        drop["rule"]
        for path in (project.workdir / "t/filter").rglob("dropped-*")
        for row in _rows(path)
        for drop in row["drops"][:1]
    )
    assert reasons == {"removed_by_request": 2}


def _rows(path: Path) -> list[dict[str, Any]]:
    from leafinstruct.records import table

    return list(table.read(path))


def test_what_was_dropped_or_never_kept_goes_too(project):
    build(project.path, "filter.min_words=41")
    assert page_url(1) not in project.ids()
    assert holding(project.workdir, "house number 1 on")
    project.purge(("url", page_url(1)))
    assert holding(project.workdir, "house number 1 on") == []


def test_answers_of_an_earlier_recipe_that_quote_it_go_too(project):
    """No table leads from the document to a question that today's recipe does not ask."""
    build(project.path, "llm.temperature=0.5")
    build(project.path)
    questions = len(project.server.seen)
    assert questions == 2 * (4 * 3 + 1)
    found = project.purge(("url", page_url(0)))
    assert (found["erased"]["answers"], found["erased"]["exchanges"]) == (8, 8)
    assert holding(project.workdir, SECRET) == []
    build(project.path, "llm.temperature=0.5")
    assert len(project.server.seen) == questions


@pytest.mark.parametrize("step", [0, 4, 9, 14])
def test_a_killed_purge_is_finished_by_the_same_command(project, monkeypatch, step):
    build(project.path)
    done = 0
    calls = {
        name: getattr(module, name)
        for module, name in ((files, "delete"), (store, "erase"), (answers, "erase"))
    }

    def dying(work: Any) -> Any:
        def run(*args: Any, **more: Any) -> Any:
            nonlocal done
            if work is calls["delete"]:
                for path in args[0]:
                    done += 1
                    if done == 1 + step:
                        raise KeyboardInterrupt
                    work([path])
                return None
            return work(*args, **more)

        return run

    monkeypatch.setattr(files, "delete", dying(calls["delete"]))
    with pytest.raises(KeyboardInterrupt):
        project.purge(("url", page_url(0)))
    monkeypatch.undo()
    assert load(beside(project.path)).purged.entries
    project.purge()
    assert holding(project.workdir, SECRET) == []
    assert holding(project.workdir, image(0, 0)) == []
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())
    asked = project.requests
    build(project.path)
    assert project.requests == asked
    assert set(project.ids()) == {page_url(number) for number in (1, 2, 3)}


def test_a_named_version_complies(project):
    build(project.path, "version='1.0'")
    found = project.purge(("url", page_url(0)))
    assert found["runs"] == ["t@1.0"]
    build(project.path, "version='1.0'")
    assert {row["url"] for row in rows(project.workdir / "t@1.0/shard")} == {
        page_url(number) for number in (1, 2, 3)
    }


def test_a_deleted_line_of_the_list_brings_the_page_back(project):
    build(project.path)
    before = shard_sums(project.workdir / "t/shard")
    project.purge(("url", page_url(0)))
    build(project.path)
    beside(project.path).unlink()
    build(project.path)
    assert shard_sums(project.workdir / "t/shard") == before


def test_an_id_of_an_example_purges_its_document(project):
    build(project.path)
    example = next(row for row in rows(project.workdir / "t/shard") if row["url"] == page_url(0))
    project.purge(("id", example["id"]))
    assert holding(project.workdir, SECRET) == []
    build(project.path, rebuild=True)
    assert holding(project.workdir, SECRET) == []
    assert ("id", example["document_id"]) in {
        (each.kind, each.value) for each in load(beside(project.path)).entries
    }


def test_the_command_reports_what_it_erases(project):
    build(project.path)
    dry = leaf("remove", project.path, "--purge", "--url", page_url(0), "--dry-run")
    assert dry.returncode == 0
    assert "would erase: 1 documents" in dry.stderr
    assert "no document here matches" not in dry.stderr
    missed = leaf("remove", project.path, "--purge", "--url", f"{page_url(0)}x", "--dry-run")
    assert (
        f"no document here matches url {page_url(0)}x: it was erased before, was never read, or is "
        "spelled differently"
    ) in missed.stderr
    done = leaf("remove", project.path, "--purge", "--url", page_url(0))
    assert done.stdout.split() == ["1", "url", page_url(0)]
    assert "erased: 1 documents, 1 examples" in done.stderr
    assert "next: leaf build" in done.stderr
    assert "remains: copies:" in done.stderr
    found = json.loads(leaf("remove", project.path, "--purge", "--json").stdout)
    assert found["erased"]["documents"] == 0
    assert leaf("remove", project.path, "--dry-run", "--url", page_url(0)).returncode == 2
    assert leaf("remove", project.path, "--purge", "--list").returncode == 2


def test_quotations_are_found_through_escapes_and_common_words_are_none():
    quotes = Quotes()
    quotes.add([SECRET, "short", "We use cookies to improve your experience"])
    quotes.close()
    quotes.without(["we use cookies, to improve YOUR experience!"])
    assert quotes.hit(json.dumps(json.dumps(f"it says: {SECRET}")))
    assert quotes.hit("QUICK brown fox of Müllerstraße")
    assert quotes.within({"a": [{"b": f"x {SECRET}"}]})
    assert not quotes.hit("we use cookies to improve your experience")
    assert not quotes.hit("short")


def test_verify_drops_damage_in_the_shared_caches_and_nothing_else_is_paid_again(project):
    build(project.path)
    asked = project.requests
    for path in [
        *(project.workdir / ".answers").glob("*.jsonl"),
        *(project.workdir / ".fetched").glob("*.*"),
    ]:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    first = leaf("verify", project.path)
    assert first.returncode == 1
    dropped = Counter(
        "image" if "/.fetched/" in line else line.rpartition("/")[2].partition("-")[0]
        for line in first.stdout.splitlines()
    )
    assert leaf("verify", project.path).returncode == 0
    assert all(outcome.up_to_date for outcome in build(project.path))
    assert project.requests == asked
    build(project.path, rebuild=True)
    again = [after - before for before, after in zip(asked, project.requests, strict=True)]
    ends = ("that needs it", "that needs the answer asks again", "only `leaf explain` uses it")
    assert all(line.endswith(ends) for line in first.stdout.splitlines()), first.stdout
    assert 1 <= again[0] <= dropped["image"]
    assert 1 <= again[1] == dropped["answers"], (first.stdout, again)


def holding_one(path: Path, needle: str) -> bool:
    return path.name in holding(path.parent, needle)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 500, None])
def test_what_cannot_be_read_is_erased_unread(project, damage):
    """Of all tables of the page's part: nobody knows any more what was asked about it, and which images it
    showed."""
    build(project.path)
    (part,) = {
        path.stem.partition("-")[2]
        for path in (project.workdir / "t/ingest").rglob("documents-*")
        if holding_one(path, SECRET)
    }
    for path in (project.workdir / "t").rglob(f"*-{part}.*"):
        path.write_bytes(path.read_bytes()[:-9] if damage is None else damage)
    for path in (project.workdir / "t/shard").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-9] if damage is None else damage)
    found = project.purge(("url", page_url(0)))
    assert found["notes"] == [purging.DAMAGED]
    assert holding(project.workdir, SECRET) == holding(project.workdir, ALT) == []
    assert holding(project.workdir, image(0, 0)) == []
    asked = project.requests
    build(project.path)
    assert set(project.ids()) == {page_url(number) for number in (1, 2, 3)}
    again = [after - before for before, after in zip(asked, project.requests, strict=True)]
    assert again == [5, 3], (
        "of the page in the same part: three images, after robots.txt and tdmrep.json of their host"
    )
    assert holding(project.workdir, SECRET) == []


def test_rows_of_a_build_that_was_cut_before_its_shards_are_found(project):
    """The page left its source since; only rows that were gathered before, and the shards of that time, still
    hold it."""
    build(project.path)
    source = project.path.parent / "docs.jsonl"
    lines = source.read_text(encoding="utf-8").splitlines()
    source.write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    build(project.path, until="rewrite")
    for path in (project.workdir / "t/shard").glob("*.parquet"):
        path.unlink()
    assert any("/shard/" in name for name in holding(project.workdir, SECRET))
    project.purge(("url", page_url(0)))
    assert holding(project.workdir, SECRET) == []


def test_exports_and_hydrated_folders_below_the_working_directory_go(project):
    build(project.path)
    for form, out in (("webdataset", "tar"), ("conversations", "json")):
        done = leaf("export", project.path, "--to", form, "--out", project.workdir / out)
        assert done.returncode == 0, done.stderr
    hydrated = leaf(
        "hydrate",
        project.workdir / "t/shard",
        "--out",
        project.workdir / "again",
        "--contact",
        "a@example.org",
        "--allow-host",
        project.gallery.name,
    )
    assert hydrated.returncode == 0, hydrated.stderr
    assert any(name.startswith("again/") for name in holding(project.workdir, SECRET))
    kept = project.workdir / "row-left-out"
    shutil.copytree(project.workdir / "again", kept)
    for path in kept.glob("*.parquet"):
        pq.write_table(pq.read_table(path).filter(pc.field("url") != page_url(0)), path)
    foreign = project.workdir / "of-somebody-else"
    foreign.mkdir()
    (foreign / "missing.jsonl").write_text("{}\n", encoding="utf-8")
    (foreign / "table.parquet").write_bytes(b"PAR1 of another program")
    project.purge(("url", page_url(0)))
    assert holding(project.workdir, SECRET) == holding(project.workdir, image(0, 0)) == []
    assert sorted(path.name for path in foreign.iterdir()) == ["missing.jsonl", "table.parquet"]
    assert not (project.workdir / "again").exists()
    assert not kept.exists(), "its fetched images and its card show the page"


def test_texts_of_every_script_and_of_any_length_go(project):
    source = project.path.parent / "docs.jsonl"
    odd = [
        'say "hi"\n\tand \\ go ' + "\U0001f98a" * 3,
        "\u05e9\u05dc\u05d5\u05dd \u202e\u05e2\u05d5\u05dc\u05dd \u05d9\u05e4\u05d4 \u05de\u05d0\u05d5\u05d3",
        "Ok zqx.",
    ]
    line = json.loads(source.read_text(encoding="utf-8").splitlines()[0])
    source.write_text(
        json.dumps({**line, "text_list": [odd[0], odd[1], odd[2]]})
        + "\n"
        + "\n".join(source.read_text().splitlines()[1:])
        + "\n"
    )
    build(project.path, "filter.min_words=1")
    assert all(holding(project.workdir, text) for text in ("\U0001f98a" * 3, odd[1], odd[2]))
    project.purge(("url", page_url(0)))
    assert {
        text: found
        for text in ("\U0001f98a" * 3, odd[1], odd[2])
        if (found := holding(project.workdir, text))
    } == {}


def test_a_sentence_that_another_page_contains_stays_there(project):
    source = project.path.parent / "docs.jsonl"
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    lines[3]["text_list"][1] = lines[0]["text_list"][1]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    build(project.path)
    asked = project.requests
    project.purge(("url", page_url(0)))
    assert holding(project.workdir, SECRET)
    assert holding(project.workdir, ALT) == []
    build(project.path)
    assert project.requests == asked
    assert {page_url(3)} == {
        row["url"]
        for row in rows(project.workdir / "t/shard")
        if SECRET in json.dumps(row["messages"], ensure_ascii=False).replace('\\"', '"')
    }


def test_a_build_that_runs_refuses_the_purge_in_one_line(project):
    from leafinstruct.runtime.locks import one_build

    build(project.path)
    with one_build(project.workdir / "t"):
        done = leaf("remove", project.path, "--purge", "--url", page_url(0))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "is running here; wait for it" in done.stderr
    assert holding(project.workdir, SECRET)


def test_a_run_of_another_format_stops_the_purge_before_anything_is_erased(project):
    """Its tables have other names, so nothing could be found in them; the entry is kept in the list."""
    build(project.path)
    fingerprint = project.workdir / "t/filter/fingerprint.json"
    value = files_of_runs.load(fingerprint)
    assert value is not None
    files_of_runs.save(fingerprint, {name: item for name, item in value.items() if name != "format"})
    with pytest.raises(DriftError, match=r"t/filter: was made by another version .*--rebuild"):
        project.purge(("url", page_url(0)))
    assert holding(project.workdir, SECRET)
    assert [each.value for each in load(beside(project.path)).purged.entries] == [page_url(0)]
