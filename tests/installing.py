"""Install a package for a test as pip does: its modules and the metadata of a wheel in one folder, without
pip and without network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(
    site: Path,
    name: str,
    entry_points: Mapping[str, Mapping[str, str]],
    modules: Mapping[str, str] | None = None,
    version: str = "1.0",
) -> Path:
    """Write a distribution into a folder for `sys.path` or PYTHONPATH, replacing other versions of it.
    Returns the folder.

    entry_points: group -> name -> `module:object`. modules: file name -> source.
    """
    stem = name.replace("-", "_")
    for old in site.glob(f"{stem}-*.dist-info"):
        for path in old.iterdir():
            path.unlink()
        old.rmdir()
    folder = site / f"{stem}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    sections = (
        f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in points.items())
        for group, points in entry_points.items()
    )
    (folder / "entry_points.txt").write_text("\n".join(sections), "utf-8")
    for file, text in (modules or {}).items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text, "utf-8")
    return site
