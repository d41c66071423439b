"""The section `engine:` and its options: what is refused, what opens which engine, what is published."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from command import leaf
from making import png, unjudged
from pydantic import ValidationError

from leafinstruct.recipe.load import load
from leafinstruct.runtime.engine.config import EngineConfig, opened
from leafinstruct.runtime.engine.local import LocalEngine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return unjudged(tmp_path, {"https://h.example/1": [("A wall.", png())]})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "spark"}, "should be 'local' or 'ray'"),
        ({"kind": "ray", "address": "ray://head:10001"}, "should match pattern"),
        ({"kind": "ray", "gpus": 1.5}, "above 1 it is a whole number"),
        ({"kind": "ray", "gpus": 0}, "greater than 0"),
        ({"kind": "ray", "nodes": 3}, "Extra inputs are not permitted"),
    ],
)
def test_what_ray_cannot_do_is_refused(section, message):
    with pytest.raises(ValidationError, match=message):
        EngineConfig.model_validate(section)


def test_the_engine_is_in_no_published_recipe(path):
    plain, ray = load(path), load(path, ('engine={"kind": "ray", "address": "head:6379", "gpus": 0.5}',))
    assert ray.recipe.engine == EngineConfig(kind="ray", address="head:6379", gpus=0.5)
    assert ray.resolved == plain.resolved


def test_local_is_the_default_and_uses_no_key_of_ray(path):
    with opened(EngineConfig(address="auto", cpus=3), 2, path.parent) as engine:
        assert isinstance(engine, LocalEngine)
        assert (engine.workers, engine.remote) == (2, False)


def test_the_options_of_the_command_take_precedence_over_the_recipe(path):
    changed = ("--set", "engine.kind=ray", "--set", "engine.address=head:1")
    assert leaf("build", path, *changed, "--engine", "local", "--stage", "ingest").returncode == 0
    refused = leaf("build", path, "--address", "head:6379")
    assert refused.returncode == 2
    assert "needs --engine ray" in refused.stderr
    unknown = leaf("build", path, "--engine", "rey")
    assert unknown.returncode == 1
    assert "engine.kind: input should be 'local' or 'ray', not 'rey'" in unknown.stderr


def test_ray_without_its_package_is_one_line_with_the_command(path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "leafinstruct.runtime.engine.ray.find_spec", lambda name: None if name == "ray" else found(name)
    )
    done = leaf("build", path, "--engine", "ray")
    assert done.returncode == 1
    assert done.stderr == ("leaf: engine.kind: ray is not installed; pip install 'leafinstruct[ray]'\n")
