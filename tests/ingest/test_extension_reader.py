"""A reader of an installed package, on the way from the recipe to documents: its section is checked like
ours, and its version is part of the key."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
import yaml
from contributing import install_toy, write_project
from fuzz.test_parsers import READERS as FUZZED
from installing import install
from making import build
from pydantic import ValidationError

from leafinstruct import __version__
from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest.config import KINDS, FileSource, IngestConfig, source_of
from leafinstruct.ingest.draft.recognize import WHAT, recognize
from leafinstruct.ingest.readers.base import reader
from leafinstruct.pipeline import artifacts
from leafinstruct.recipe import load as recipes
from leafinstruct.recipe.draft import draft
from leafinstruct.recipe.resolved import resolved
from leafinstruct.records import table
from leafinstruct.records.removals import add, beside, entry

READERS = "leafinstruct.readers"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The recipe of CONTRIBUTING.md, and its package on the path."""
    monkeypatch.syspath_prepend(str(install_toy(tmp_path / "site")))
    return write_project(tmp_path)


def fault(path: Path, *changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        recipes.load(path, changes)
    return str(caught.value)


def test_a_section_is_checked_like_ours(project):
    assert fault(project, "ingest.sources[0].sgin=x") == (
        f"{project}, ingest.sources[0].sgin: unknown key; did you mean 'sign'?"
    )
    assert fault(project, "ingest.sources[0].sign=[1]") == (
        f"{project}, ingest.sources[0].sign: input should be a valid string, not [1]; write it in quotes"
    )
    assert fault(project, "ingest.sources[0].kind=galery") == (
        f"{project}, ingest.sources[0].kind: one of {', '.join(KINDS)}, gallery is needed"
    )
    assert fault(project, "ingest.sources[0]={kind: gallery, name: a}") == (
        f"{project}, ingest.sources[0].path: missing"
    )
    assert fault(project, "ingest.sources[1]={kind: mmc4, name: b, path: x, imagse: y}") == (
        f"{project}, ingest.sources[1].imagse: unknown key; did you mean 'images'?"
    )


def test_its_paths_are_relative_to_the_recipe_and_not_published(project):
    recipe = recipes.load(project).recipe
    (source,) = recipe.ingest.sources
    assert source.path == str(project.parent / "data")
    assert "path" not in resolved(recipe)["ingest"]["sources"][0]
    assert pickle.loads(pickle.dumps(source)) == source
    assert IngestConfig(sources=[source]).sources == [source]


def test_keys_that_hold_paths_are_those_that_its_class_names(project, tmp_path, monkeypatch):
    source = (
        "from typing import Literal\nfrom leafinstruct.ingest.config import FileSource\n"
        "LIBRARIES, SUFFIXES, root_of, plan, read = (), (), None, None, None\n"
        "class Source(FileSource):\n"
        "    PATH_KEYS = ('path', 'captions')\n"
        "    kind: Literal['album'] = 'album'\n    path: str\n    captions: str\n"
    )
    install(tmp_path / "other", "album", {READERS: {"album": "album_reader"}}, {"album_reader.py": source})
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    change = "ingest.sources[0]={kind: album, name: a, path: p, captions: notes/c}"
    recipe = recipes.load(project, (change,)).recipe
    assert recipe.ingest.sources[0].captions == str(project.parent / "notes" / "c")
    assert resolved(recipe)["ingest"]["sources"] == [{"name": "a", "kind": "album"}]


@pytest.mark.parametrize("kind", ["'other'", "'album', 'other'"])
def test_a_class_of_another_kind_is_refused(tmp_path, monkeypatch, kind):
    source = (
        "from typing import Literal\nfrom leafinstruct.ingest.config import FileSource\n"
        "LIBRARIES, SUFFIXES, root_of, plan, read = (), (), None, None, None\n"
        f"class Source(FileSource):\n    kind: Literal[{kind}] = 'other'\n"
    )
    module = f"wrong_kind_{len(kind)}"
    install(tmp_path, "album", {READERS: {"album": module}}, {f"{module}.py": source})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError, match=r"^album 1\.0: 'album' .* has a Source that is no FileSource with"):
        source_of({"kind": "album", "name": "a"})


def test_a_kind_of_ours_in_another_package_stops_every_recipe_with_sources(project, tmp_path, monkeypatch):
    install(tmp_path / "other", "pages", {READERS: {"html": "it"}}, version="3.0")
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    for change in ((), ("ingest.sources[0].kind=mmc4",)):
        assert fault(project, *change) == (
            f"{project}, leafinstruct.readers: both leafinstruct {__version__} and pages 3.0 provide 'html'; "
            "uninstall pages, or rename its entry point"
        )


def test_a_package_that_no_recipe_uses_is_not_imported(project, tmp_path, monkeypatch):
    install(tmp_path / "other", "broken", {READERS: {"broken": "no_such_module_here"}})
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    assert recipes.load(project).recipe.name == "toy"


def test_an_upgraded_package_reads_again_and_the_same_one_does_not(project, tmp_path, monkeypatch):
    assert [outcome.up_to_date for outcome in build(project, until="ingest")] == [False]
    assert [outcome.up_to_date for outcome in build(project, until="ingest")] == [True]
    monkeypatch.syspath_prepend(str(install_toy(tmp_path / "newer", version="1.1")))
    (outcome,) = build(project, until="ingest")
    assert outcome.changes == ('ingest.libraries.leaf-toy "1.0" -> "1.1"', "its parts")
    assert not outcome.up_to_date
    record = artifacts(recipes.load(project))["ingest"].record
    assert record["fingerprint"]["libraries"]["leaf-toy"] == "1.1"


def test_what_it_cannot_read_is_reported_and_removals_are_kept_out(project):
    data = project.parent / "data"
    (data / "bad.gallery").write_bytes(b"\xff")
    text = "Ten words of another walk, which nobody asked us to keep."
    (data / "odd.gallery").write_text(f"{text}\n! ../../etc/passwd\n! mill.png\n! bridge.png\n", "utf-8")
    build(project, until="ingest")
    out = artifacts(recipes.load(project))["ingest"]
    assert (out.totals().counts["documents"], out.totals().counts["images"]) == (2, 4)
    assert out.totals().reasons == {"not_utf8": 1}
    (report,) = out.reports()
    assert report.image_reasons == {"unsafe_path": 1}
    documents = {
        row["provenance"]["file"]: row["id"]
        for part in out.parts()
        for row in table.read(out.file("documents", part))
    }
    add(beside(project), [entry("id", documents["odd.gallery"])], project.parent / ".lock")
    build(project, "part_size=1")
    left = artifacts(recipes.load(project))["shard"]
    assert left.record["suppressed"] == 1


def test_init_recognizes_its_files_by_their_ending(project, tmp_path):
    (tmp_path / "data" / "readme.unknown").write_text("x", encoding="utf-8")
    text, summary = draft(tmp_path / "data", tmp_path / "made", None)
    assert yaml.safe_load(text)["ingest"]["sources"] == [
        {"kind": "gallery", "name": "gallery", "path": str(tmp_path / "data")}
    ]
    assert summary[1] == (
        "  gallery: files of the kind gallery, 1 file; 1 sampled document, 1 with images and 1 with two or "
        "more; 39 words; images: 2 here"
    )
    assert "1 .unknown" in summary[2]
    with pytest.raises(SourceError, match=r"videos with \.vtt or \.srt, gallery \(\.gallery\)$"):
        draft(tmp_path / "data" / "readme.unknown", tmp_path / "made", None)


def test_init_leaves_what_our_readers_recognize_to_them(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.html").write_text("<html><p>x</p></html>", encoding="utf-8")
    (tmp_path / "data" / "empty.gallery").write_bytes(b"")
    monkeypatch.syspath_prepend(str(install_toy(tmp_path / "site")))
    found = recognize(tmp_path / "data", tmp_path)
    assert [source.kind for source in found.found] == ["html"]
    assert found.problems == [("empty.gallery", "is empty")]


def test_init_names_the_keys_that_a_source_needs_beside_its_path(project, tmp_path, monkeypatch):
    text = (tmp_path / "site/leaf_toy/gallery.py").read_text().replace('sign: str = "!"', "sign: str")
    site = install_toy(tmp_path / "strict", gallery=text)
    monkeypatch.syspath_prepend(str(site))
    for name in ("leaf_toy.gallery", "leaf_toy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(
        SourceError, match="looks like files of the kind gallery, but its source needs other keys: sign"
    ):
        draft(tmp_path / "data", tmp_path / "made", None)


def test_our_kinds_are_written_once_and_have_a_reader_a_title_and_a_fuzzed_file():
    assert set(WHAT) == set(KINDS) - {"sketchbook"}
    for kind in WHAT:
        assert issubclass(KINDS[kind], FileSource)
        module = reader(kind)
        assert isinstance(module.LIBRARIES, tuple)
        assert isinstance(module.SUFFIXES, tuple)
        assert all(callable(getattr(module, name)) for name in ("root_of", "plan", "read"))
    assert {source(Path("a")).kind for _, source in FUZZED.values()} == set(WHAT) - {"video"}
    with pytest.raises(ValidationError, match="union_tag"):
        source_of({"kind": "gallery", "name": "a"})
    with pytest.raises(RecipeError, match=r"^no reader of 'gallery'; one of mmc4, "):
        reader("gallery")
