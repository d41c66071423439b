"""The tree is the pipeline: who may import whom, read from the syntax tree, and what `import leafinstruct` costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "leafinstruct"
MODULES = sorted(PACKAGE.rglob("*.py"))

SHARED = {"pictures", "llm", "records", "artifact", "damage", "engine", "errors", "settings_text"}
STAGES = {"ingest", "filter", "rewrite", "shard"}
ALLOWED = {
    "errors": set(),
    "records": {"damage", "hub", "errors"},  # hub: shards of hub:ORG/NAME are had there
    "artifact": {"damage", "errors"},
    "cards": {"errors"},
    "hub": {"errors"},
    "damage": {"errors"},
    "last_write": set(),
    "sealed": {"artifact", "damage"},
    "licences": set(),
    "purge": {
        "artifact",
        "records",
        "suppressed",
        "sealed",
        "llm",
        "pictures",
        "train",
        "ingest",
        "errors",
    },  # train: the cache of codes, without torch; ingest: files that it made
    "suppressed": {"artifact", "records", "errors", "settings_text", "last_write"},
    "engine": {"errors"},
    "pictures": {"damage", "sealed", "records", "errors"},
    "llm": {"damage", "sealed", "errors"},
    "sketchbook": {"records", "errors"},
    "ingest": SHARED | {"sketchbook", "sealed", "suppressed"},  # sealed: indexes of large files
    "torchvision_import": set(),
    "filter": SHARED | {"torchvision_import"},
    "quiet_import": {"torchvision_import"},
    "moss": {"quiet_import"},
    "vlg": {"torchvision_import", "quiet_import", "errors", "moss"},
    "train": {"damage", "vlg", "moss", "quiet_import", "records", "artifact", "pictures", "cards", "hub", "errors", "last_write"},
    "evaluate": {"vlg", "llm", "records", "sketchbook", "errors"},  # sketchbook: the judge of lessons is its own
    "rewrite": SHARED,
    "shard": SHARED | {"cards", "licences", "suppressed"},
    "push": {
        "records",
        "artifact",
        "pictures",
        "engine",
        "hub",
        "licences",
        "suppressed",
        "errors",
        "last_write",
    },  # pictures, engine: hydrate fetches them again
    # filter: its catalogue of scores and its count of words, both pure, since a page replays trials; pictures: none is shown as it came;
    # engine: a large page is made in processes; llm: answers as received, prompts as sent
    "report": {"records", "artifact", "engine", "pictures", "filter", "llm", "errors", "last_write"},
    "export": {
        "records",
        "artifact",
        "pictures",
        "cards",
        "errors",
        "last_write",
    },  # pictures: what a header says names a file's type; cards: cell
    "recipe_faults": {"errors"},
    "settings_text": {"errors"},
    "templates": {"recipe_faults", "settings_text", "errors", "llm", "rewrite"},
    "recipe": {"recipe_faults", "settings_text", "templates", "errors", "ingest", "filter", "llm", "rewrite", "shard", "push", "train"},
    "recipe_template": set(),
    "recipe_draft": {"recipe", "recipe_template", "ingest", "pictures", "report", "errors"},  # report: what a terminal may be shown
    "resolved": {"recipe", "ingest", "llm"},  # which keys of a source hold paths
    "integrity": {"artifact", "damage", "engine", "records", "errors"},
    "verify": SHARED | {"export", "ingest", "integrity", "train"},  # train: the cache of codes, without torch
    "forecast": STAGES | {"artifact", "engine", "pipeline", "recipe"},
    "pipeline": STAGES
    | {"integrity", "recipe", "resolved", "artifact", "engine", "errors", "push", "suppressed", "sketchbook", "last_write"},
    "cli": {
        "forecast",
        "integrity",
        "verify",
        "pipeline",
        "recipe",
        "templates",
        "recipe_draft",
        "report",
        "engine",
        "errors",
        "terminal",
        "vlg",
        "train",
        "export",
        "push",
        "purge",
        "suppressed",
        "artifact",
        "last_write",
    },
    "terminal": {"pipeline", "recipe", "report"},
}
"""Room -> rooms that it may import. Missing on purpose: any stage in another stage, records <-> artifact, anything -> cli."""

HEAVY = {
    "openai": "llm",
    "tenacity": ("llm", "pictures/web"),
    "aiohttp": ("llm", "pictures/web"),
    "protego": "pictures/web",
    "pysubs2": "ingest/subtitles.py",
    "faster_whisper": "ingest/speech.py",
    "httpx2": ("llm", "hub.py", "push/repository.py"),
    "clip": "filter/alignment.py",
    "torchvision": "torchvision_import.py",
    "torch": ("filter/alignment.py", "moss", "vlg", "train", "evaluate", "torchvision_import.py"),
    "peft": ("moss", "train", "quiet_import.py"),
    "safetensors": ("moss", "vlg", "train"),
    "av": ("pictures", "sketchbook/as_video.py"),
    "ray": "engine/ray.py",
    "transformers": ("vlg", "train"),
    "diffusers": "vlg/diffusion.py",
    "fastwarc": "",
    "pandas": "report",
    "plotly": "report",
    "datasets": ("records/public.py", "ingest/hub"),
    "jinja2": "cards.py",
    "filelock": "artifact.py",
    "datasketch": "shard/ties.py",
    "scipy": "shard/groups.py",
    "publicsuffixlist": "records/url.py",
    "pycld2": "records/language.py",
    "typer": ("cli", "terminal.py"),
    "rich": "terminal.py",
}
"""One heavyweight, one place (a file or a room), or two where it is written down why."""


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, whole: bool = True) -> list[str]:
    """Dotted names that a module imports; whole=False leaves out imports inside functions and under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if whole else list(tree.body)
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_room_may(path):
    own = room(path)
    if own == "__init__":
        assert imported(path) == []
        return
    used = {name.split(".")[1] for name in imported(path) if name.startswith("leafinstruct.")} - {own, "__version__"}
    assert used <= ALLOWED[own], f"{own} may not import {sorted(used - ALLOWED[own])}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavyweight_lives_in_one_place(path):
    place = path.relative_to(PACKAGE).as_posix()
    for name in imported(path):
        home = HEAVY.get(name.split(".")[0])
        assert home is None or place.startswith(home), f"{place} imports {name}, which lives in {home}"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/config.py")), ids=lambda path: path.parent.name)
def test_a_config_imports_nothing_heavy(path):
    allowed = {"pydantic", "leafinstruct", "__future__", *sys.stdlib_module_names}
    if path.parent.name == "moss":  # a PEFT configuration, no part of a recipe
        allowed.add("peft")
    assert {name.split(".")[0] for name in imported(path)} <= allowed


@pytest.mark.parametrize(
    "place",
    [
        "filter/text.py",
        "filter/verdict.py",
        "filter/judge.py",
        "filter/order.py",
        "rewrite/prompt.py",
        "rewrite/parse.py",
        "records/language.py",
    ],
)
def test_pure_modules_do_no_input_or_output(place):
    names = set(imported(PACKAGE / place))
    assert not names & {"pathlib", "os", "io", "subprocess", "socket", "leafinstruct.pictures", "leafinstruct.artifact"}
    assert "open(" not in (PACKAGE / place).read_text(encoding="utf-8")


def test_every_stage_has_the_same_door():
    import inspect
    from importlib import import_module

    for stage in ("ingest", "filter", "rewrite", "shard"):
        module = import_module(f"leafinstruct.{stage}.stage")
        for door in (module.run, module.fingerprint):
            assert list(inspect.signature(door).parameters) == ["settings", "inputs", "out", "engine"]


def test_only_the_command_prints_exits_or_reads_the_environment():
    for path in MODULES:
        if room(path) in {"cli", "terminal"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            assert name not in {"print", "sys.exit", "exit", "os.getenv"}, f"{path}: {name}"
            if name == "os.environ":
                assert room(path) in {"llm", "engine"}, f"{path} reads the environment"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 320
    assert ast.get_docstring(ast.parse(text)) or not text.strip(), "a module docstring is the architecture of that module"


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import leafinstruct", {"torch", "pydantic", "typer", "pyarrow", "numpy"}),
        ("import leafinstruct.cli", {"torch", "pydantic", "pyarrow", "numpy", "datasets", "openai", "PIL"}),
        ("import leafinstruct.recipe", {"torch", "pyarrow", "numpy", "datasets", "openai", "PIL", "clip"}),
    ],
)
def test_what_an_import_loads(code, forbidden):
    """`leaf --help` and the check of a recipe stay instant."""
    script = f"import sys; {code}; print(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    loaded = set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & forbidden
