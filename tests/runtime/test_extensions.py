"""Extensions of installed packages: found by metadata, imported on use, named in every error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from installing import install

from leafinstruct import __version__
from leafinstruct.errors import RecipeError
from leafinstruct.runtime.extensions import Extension, installed

READERS = "leafinstruct.readers"


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_an_extension_is_found_with_its_distribution_and_not_imported(site):
    install(
        site,
        "leaf_gallery",
        {READERS: {"gallery": "gallery_found:Gallery"}, "leafinstruct.formats": {"tsv": "gallery_found:TSV"}},
        {"gallery_found.py": "class Gallery:\n    kind = 'gallery'\n"},
        version="2.1",
    )
    found = installed(READERS, ("html",))
    assert found == {"gallery": Extension(READERS, "gallery", "gallery_found:Gallery", "leaf_gallery", "2.1")}
    assert list(installed("leafinstruct.formats", ())) == ["tsv"]
    assert installed("leafinstruct.scores", ()) == {}
    assert "gallery_found" not in sys.modules
    assert found["gallery"].load(("kind",)).kind == "gallery"
    assert "gallery_found" in sys.modules


def test_extensions_are_sorted_by_name_whatever_the_order_of_the_path(tmp_path, monkeypatch):
    for name in ("zebra", "apple"):
        install(tmp_path / name, name, {READERS: {f"{name}_kind": f"{name}:It"}})
        monkeypatch.syspath_prepend(str(tmp_path / name))
    assert list(installed(READERS, ())) == ["apple_kind", "zebra_kind"]
    monkeypatch.setattr(sys, "path", sys.path[:2][::-1] + sys.path[2:])
    assert list(installed(READERS, ())) == ["apple_kind", "zebra_kind"]


def test_the_first_of_two_installed_versions_counts_once(tmp_path, monkeypatch):
    for version in ("1.0", "2.0"):  # 2.0 is first on the path
        install(tmp_path / version, "leaf_gallery", {READERS: {"gallery": "it:It"}}, version=version)
        monkeypatch.syspath_prepend(str(tmp_path / version))
    assert [str(found) for found in installed(READERS, ()).values()] == ["leaf_gallery 2.0"]


def test_a_name_of_ours_is_an_error_that_names_both_distributions(site):
    install(site, "leaf_gallery", {READERS: {"html": "it:It"}})
    with pytest.raises(RecipeError) as caught:
        installed(READERS, ("mmc4", "html"))
    assert str(caught.value) == (
        f"leafinstruct.readers: both leafinstruct {__version__} and leaf_gallery 1.0 provide 'html'; "
        "uninstall leaf_gallery, or rename its entry point"
    )


def test_a_name_of_two_packages_is_an_error_that_names_both(site):
    install(site, "second", {READERS: {"gallery": "it:It"}}, version="3.4")
    install(site, "first", {READERS: {"gallery": "it:It"}})
    with pytest.raises(
        RecipeError,
        match=r"^leafinstruct\.readers: both first 1\.0 and second 3\.4 provide 'gallery'; uninstall second",
    ):
        installed(READERS, ())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library_here", "ModuleNotFoundError: No module named 'no_such_library_here'"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("pass", "AttributeError: module 'gallery_broken' has no attribute 'Gallery'"),
        ("class Gallery(:", "SyntaxError: invalid syntax (gallery_broken.py, line 1)"),
    ],
)
def test_what_cannot_be_imported_is_one_line_with_distribution_and_reason(site, source, reason):
    sys.modules.pop("gallery_broken", None)
    install(
        site, "leaf_gallery", {READERS: {"gallery": "gallery_broken:Gallery"}}, {"gallery_broken.py": source}
    )
    with pytest.raises(RecipeError) as caught:
        installed(READERS, ())["gallery"].load()
    assert str(caught.value) == (
        "leaf_gallery 1.0: 'gallery' of leafinstruct.readers (gallery_broken:Gallery) cannot be imported: "
        + reason
    )


def test_what_lacks_a_part_of_its_protocol_is_named(site):
    modules = {"gallery_half.py": "class Gallery:\n    def plan(): ...\n"}
    install(site, "leaf_gallery", {READERS: {"gallery": "gallery_half:Gallery"}}, modules)
    with pytest.raises(
        RecipeError,
        match=r"^leaf_gallery 1\.0: 'gallery' .* has no LIBRARIES, read; see docs/extensions\.md$",
    ):
        installed(READERS, ())["gallery"].load(("LIBRARIES", "plan", "read"))


def test_the_command_line_does_not_search_for_packages():
    code = "import sys, leafinstruct.cli; print('importlib.metadata' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
