"""The tree is the pipeline: who may import whom, how large a folder may be, read from the syntax tree; and
what `import leafinstruct` costs."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import code_versions
import pytest

import leafinstruct
from leafinstruct.filter.catalog import SCORES
from leafinstruct.ingest.readers.base import reader as ingest_reader

PACKAGE = Path(__file__).parent.parent / "leafinstruct"


@cache
def modules() -> dict[Path, ast.Module]:
    """The modules of the package; parsed in the one process that runs these tests."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


NAMES, SHARE = 27, 15
"""Folders and modules at the top of the package; modules of a folder (`__init__` not counted, cli/ exempt:
one module a verb)."""
STATEMENTS, LINES = 60, 400
"""Lines of the longest function and of the longest module: more lines mean two responsibilities."""
LOOSE, ROWS = 80, 0
"""How often `dict[str, Any]` may be written, and `row["..."]` outside of records/."""

STAGES = {"ingest", "filter", "rewrite", "shard"}
ALLOWED = {
    "errors": set(),
    "_torchvision": set(),
    "_quiet_import": {"_torchvision"},
    "runtime": {"errors"},
    "records": {"runtime", "errors"},
    "images": {"records", "runtime", "errors"},
    "llm": {"runtime", "errors"},
    "sketchbook": {"records", "errors"},
    "moss": {"_quiet_import"},
    "backbones": {"moss", "_quiet_import", "_torchvision", "errors"},
    "card": {"images", "records", "runtime", "errors"},
    "ingest": {"sketchbook", "llm", "images", "records", "runtime", "errors"},
    # sketchbook: its CLIP
    "filter": {"sketchbook", "llm", "images", "records", "runtime", "_torchvision", "errors"},
    "rewrite": {"llm", "images", "records", "runtime", "errors"},
    "shard": {"card", "llm", "images", "records", "runtime", "errors"},
    # images: a file's type by its header; card: cell
    "export": {"card", "images", "records", "runtime", "errors"},
    "report": {
        "filter",
        "llm",
        "images",
        "records",
        "runtime",
        "errors",
    },  # filter: its catalog and its count of words, since a page replays trials
    "train": {"card", "backbones", "moss", "images", "records", "runtime", "_quiet_import", "errors"},
    "generation": {"train", "backbones", "moss", "images", "records", "runtime", "_quiet_import", "errors"},
    "publish": {
        "train",
        "ingest",
        "llm",
        "images",
        "records",
        "runtime",
        "errors",
    },  # purge: codes of train without torch, files that ingest made
    # the sections; images, records: drafts
    "recipe": STAGES | {"publish", "train", "llm", "images", "records", "runtime", "errors"},
    "integrity": {"records", "runtime", "errors"},
    "verify": STAGES | {"integrity", "export", "train", "llm", "images", "records", "runtime", "errors"},
    "pipeline": {"integrity", "recipe", "publish", "records", "runtime", "errors"},
    "forecast": STAGES | {"pipeline", "recipe", "llm", "records", "runtime", "errors"},
    # recipe, rewrite: how a lesson is asked for; report, filter: the scores and rules of a run
    "evaluate": {
        *("recipe", "report", "filter", "rewrite", "backbones", "sketchbook", "llm", "records", "runtime"),
        "errors",
    },
    "cli": {
        *(
            "forecast",
            "pipeline",
            "verify",
            "integrity",
            "recipe",
            "report",
            "generation",
            "train",
            "backbones",
            "export",
            "publish",
            "evaluate",
        ),
        *("records", "runtime", "errors"),
    },
}
"""Package -> packages that it may import, from the bottom up: each lists only packages above it in this
table, so that there is no upward import and no circle. Missing on purpose: any stage in another stage,
records in runtime, anything -> cli."""

HEAVY = {
    "openai": ("llm/protocol/transport.py",),
    "tenacity": ("images/web",),
    "aiohttp": ("llm", "images/web"),
    "protego": ("images/web",),
    "faster_whisper": ("ingest/video/speech.py",),
    "httpx2": ("llm", "runtime/hub.py", "publish/repository.py"),
    "clip": ("filter/embedders/clip.py",),
    "open_clip": ("filter/embedders/open_clip.py",),
    "torchvision": ("_torchvision.py",),
    "torch": (
        *("filter/embedders", "filter/predictors", "moss", "backbones", "train", "generation"),
        *("evaluate", "_torchvision.py"),
    ),
    "peft": ("moss", "train", "generation", "_quiet_import.py"),
    "safetensors": ("moss", "backbones", "train", "generation"),
    "av": ("images/video", "sketchbook/formats/video.py"),
    "ray": ("runtime/engine/ray.py", "runtime/engine/ray_pools.py"),
    "transformers": (*("backbones", "train", "filter/embedders/pretrained.py"),),
    "diffusers": ("backbones/emu2/diffusion.py",),
    # which writes archives
    "fastwarc": (
        "ingest/archive",
        "ingest/readers/warc.py",
        "images/archive.py",
        "sketchbook/formats/warc.py",
    ),
    "pandas": ("report", "__init__.py"),  # the types of the public API
    "plotly": ("report/inspect/page.py",),
    "matplotlib": ("evaluate/calibration/plots.py",),
    "datasets": ("records/public.py", "ingest/tables/hub_stream.py"),
    "jinja2": ("card/template.py",),
    "filelock": ("runtime/locks.py",),
    # components of splits and of near-duplicates, with the intersections of runs; ranks; filters; owners
    "scipy": (
        *(
            "shard/groups.py",
            "filter/index/groups.py",
            "records/agreement/measures.py",
            "forecast/estimate.py",
        ),
        *("filter/scores/pixels/text.py", "filter/scores/pixels/tiling.py", "filter/scores/sequence.py"),
        *("filter/scores/registration.py", "filter/scores/alignment.py"),
    ),
    "publicsuffixlist": ("records/url.py",),
    "ftfy": ("filter/scores/prose/gibberish.py",),
    "zxingcpp": ("filter/scores/pixels/codes.py",),
    "pycld2": ("records/text/language.py",),
    "typer": ("cli",),
    "rich": ("cli/output.py",),
}
"""One heavyweight, one place (a file or a folder), or two where it is written down why."""

PURE = (
    *("filter/scores/text.py", "filter/decision.py", "filter/judging/rules.py", "filter/scores/order.py"),
    *("rewrite/prompt.py", "rewrite/parse.py", "records/text/language.py"),
)


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def package_of(path: Path) -> str:
    return place(path).split("/")[0].removesuffix(".py")


def imported(path: Path, whole: bool = True) -> list[tuple[str, str]]:
    """(module, name in it) that a module imports, name "" for `import module`; whole=False: while it is
    imported itself."""
    nodes = ast.walk(modules()[path]) if whole else modules()[path].body
    found: list[tuple[str, str]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
    return found


def dotted(path: Path) -> str:
    return ".".join(["leafinstruct", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


def test_a_package_imports_only_packages_below_it():
    order = list(ALLOWED)
    for own, allowed in ALLOWED.items():
        assert allowed <= set(order[: order.index(own)]), (
            f"{own}: {sorted(allowed - set(order[: order.index(own)]))} upwards"
        )
    wrong = []
    for path in modules():
        names = [
            f"{module}.{name}" for module, name in imported(path) if module.split(".")[0] == "leafinstruct"
        ]
        if path.parent == PACKAGE and path.name.startswith("__"):  # the public API, and `python -m`
            continue
        used = {name.split(".")[1] for name in names} - {package_of(path), *leafinstruct.__all__}
        wrong += [f"{place(path)} may not import {name}" for name in sorted(used - ALLOWED[package_of(path)])]
    assert wrong == []


def test_no_module_imports_itself_on_a_way_round():
    known = {dotted(path): path for path in modules()}
    graph = {}
    for name, path in known.items():
        found = imported(path, whole=False)
        graph[name] = {full if (full := f"{module}.{it}") in known else module for module, it in found} & set(
            known
        )
    done: set[str] = set()

    def circle(name: str, way: tuple[str, ...]) -> tuple[str, ...]:
        if name in way:
            return (*way[way.index(name) :], name)
        if name in done:
            return ()
        for other in sorted(graph[name]):
            if found := circle(other, (*way, name)):
                return found
        done.add(name)
        return ()

    circles = [circle(name, ()) for name in graph]
    assert not any(circles), next(filter(None, circles))


def test_folders_can_be_looked_over():
    top = {package_of(path) for path in modules()} - {"__init__", "__main__"}
    assert top == set(ALLOWED)
    assert len(top) <= NAMES
    folders: dict[str, int] = {}
    for path in modules():
        if path.parent != PACKAGE and path.name != "__init__.py":
            folders[place(path.parent)] = folders.get(place(path.parent), 0) + 1
        assert (path.parent / "__init__.py").exists(), path.parent
    assert {folder: count for folder, count in folders.items() if count > SHARE and folder != "cli"} == {}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_files_stay_readable():
    loose = rows = 0
    for path, tree in modules().items():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LINES, path
        assert ast.get_docstring(tree) or not text.strip(), (
            f"{path}: a module docstring is the architecture of that module"
        )
        for function in functions(tree):
            assert (function.end_lineno or 0) - function.lineno + 1 <= STATEMENTS, f"{path}: {function.name}"
        loose += text.count("dict[str, Any]")
        rows += 0 if package_of(path) == "records" else len(re.findall(r'\brow\["', text))
    assert loose <= LOOSE
    assert rows <= ROWS


def test_a_heavyweight_lives_in_one_place():
    wrong = []
    for path in modules():
        for module, _ in imported(path):
            homes = HEAVY.get(module.split(".")[0])
            if homes is not None and not any(
                place(path) == home or place(path).startswith(f"{home}/") for home in homes
            ):
                wrong.append(f"{place(path)} imports {module}, which lives in {homes}")
    assert wrong == []


def test_configs_are_light_and_pure_modules_pure():
    for path in modules():
        if path.name == "config.py":
            allowed = {"pydantic", "leafinstruct", "__future__", *sys.stdlib_module_names}
            if package_of(path) == "moss":  # a PEFT configuration, no part of a recipe
                allowed.add("peft")
            assert {module.split(".")[0] for module, _ in imported(path)} <= allowed, path
    for name in PURE:
        path = PACKAGE / name
        used = {module for module, _ in imported(path)}
        assert not {module.split(".")[0] for module in used} & {
            "pathlib",
            "os",
            "io",
            "subprocess",
            "socket",
        }, path
        assert not [
            module
            for module in used
            if module.startswith(("leafinstruct.images", "leafinstruct.runtime.artifact"))
        ], path
        assert "open(" not in path.read_text(encoding="utf-8"), path


def test_private_names_stay_in_their_package():
    for path in modules():
        for module, name in imported(path):
            if module.startswith("leafinstruct.") and module.split(".")[1] != package_of(path):
                assert not name.startswith("_"), f"{place(path)} imports {name} of {module}"


def test_every_stage_has_the_same_interface():
    for stage in sorted(STAGES):
        module = import_module(f"leafinstruct.{stage}.stage")
        assert (module.STAGE.run, module.STAGE.fingerprint) == (module.run, module.fingerprint)
        for function in (module.run, module.fingerprint):
            assert list(inspect.signature(function).parameters) == ["settings", "inputs", "out", "engine"]


def test_only_the_command_prints_exits_or_reads_the_environment():
    for path, tree in modules().items():
        if package_of(path) == "cli":
            continue
        for node in ast.walk(tree):
            name = (
                ast.unparse(node.func)
                if isinstance(node, ast.Call)
                else ast.unparse(node)
                if isinstance(node, ast.Attribute)
                else ""
            )
            assert name not in {"print", "sys.exit", "exit", "os.getenv"}, f"{path}: {name}"
            if name == "os.environ":
                assert place(path).startswith(("llm/", "runtime/engine/")), f"{path} reads the environment"


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        (
            "import leafinstruct; list(map(vars(leafinstruct).get, leafinstruct.__all__))",
            {"torch", "pydantic", "typer", "pyarrow", "numpy", "pandas", "PIL", "typing", "pathlib"},
        ),
        ("import leafinstruct.cli", {"torch", "pydantic", "pyarrow", "numpy", "datasets", "openai", "PIL"}),
        (
            "import leafinstruct.recipe.load",
            {"torch", "pyarrow", "numpy", "datasets", "openai", "PIL", "clip"},
        ),
    ],
)
def test_what_an_import_loads(code, forbidden):
    """`leaf --help` and the check of a recipe stay instant."""
    script = f"import sys; {code}; print(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert not loaded & forbidden


def test_the_package_itself_imports_types_alone():
    """Its functions import what they need when they are called, and have the names of no module: importing
    that module would hide the function."""
    assert imported(PACKAGE / "__init__.py", whole=False) == [("__future__", "annotations")]
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & {*leafinstruct.__all__}
    assert set(leafinstruct.__all__) == {"__version__"} | {
        name for name, value in vars(leafinstruct).items() if inspect.isfunction(value)
    }


def test_the_architecture_lists_every_module_with_the_first_line_of_its_docstring():
    """`python scripts/module_list.py` writes the list."""
    module_list = runpy.run_path(str(PACKAGE.parent / "scripts" / "module_list.py"))
    document = module_list["DOCUMENT"].read_text(encoding="utf-8")
    assert module_list["written"](document, PACKAGE) == document


def test_code_that_changed_has_another_number():
    """Or an entry that the bytes are the same: `python scripts/code_versions.py` records both."""
    code = code_versions.Code({place(path): tree for path, tree in modules().items()})
    recorded = code_versions.load()
    found = code.unsettled(recorded)
    assert not found, code_versions.explained(found)
    assert code.merged(recorded) == recorded, f"run: {code_versions.COMMAND}"


def test_every_number_of_code_is_guarded():
    written = {
        f"{place(path)} {target.id}"
        for path, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"CODE", "VERSION", "OFFLINE", "SKETCHBOOK"}
    }
    families = {score.family for score in SCORES.values()}
    assert {number.name for number in code_versions.NUMBERS} == written | families


UNUSED = {
    "hub": {"selectolax"},  # only markers of lists, no HTML
    # images of archives are read by filter; no normal form of a URL is stored
    "html": {"fastwarc", "pyarrow", "yarl"},
    "warc": {"pyarrow"},  # pyarrow undoes br and zstd, whose result is a standard's
    "video": {
        "fastwarc",
        "faster_whisper",
        "numpy",
        "pyarrow",
    },  # a transcript is kept whatever recognized it
    "youcook2": {"fastwarc", "numpy", "pyarrow"},  # its steps are its annotations
}
"""Libraries that a reader's modules import, but that change no document of it."""


def test_the_keys_of_a_reader_have_the_libraries_that_it_uses():
    code = code_versions.Code({place(path): tree for path, tree in modules().items()}, numbers=())
    for path in sorted((PACKAGE / "ingest" / "readers").glob("[a-z]*.py")):
        if path.stem == "base":
            continue
        named = {{"pillow": "PIL"}.get(name, name) for name in ingest_reader(path.stem).LIBRARIES}
        # of all readers, or checks; the values of pydantic's parser are the standard library's (test_parse)
        used = code.libraries(place(path)) - {"pydantic", "pydantic_core", "regex", "pycld2"}
        assert used - named == UNUSED.get(path.stem, set()), path
