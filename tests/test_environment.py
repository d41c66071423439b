"""Tests own their environment: the caller's settings change no result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import own_environment

HOSTILE = {
    "HF_HUB_OFFLINE": "1",
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "HF_TOKEN": "hf_callers",
    "HF_HUB_DISABLE_XET": "0",
    "TRANSFORMERS_VERBOSITY": "debug",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "all_proxy": "socks5://127.0.0.1:9",
    "OPENAI_LOG": "debug",
    "LC_ALL": "C",
    "LANG": "tr_TR",
    "TZ": "Asia/Kathmandu",
    "OMP_NUM_THREADS": "7",
    "COLUMNS": "20",
    "FORCE_COLOR": "1",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "error",
    "XDG_CACHE_HOME": "/nowhere",
    "WORLD_SIZE": "8",
    "LEAF_RECIPE": "/nowhere/recipe.yaml",
}


def test_settings_of_the_caller_are_removed_and_everything_else_stays(tmp_path):
    kept = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PYTHONPATH": "here",
        "LEAF_REAL_DATA": "/real",
        "PYTEST_XDIST_WORKER": "gw0",
    }
    environment = {**kept, **HOSTILE}
    own_environment.own(environment, tmp_path)
    assert environment == {**kept, **own_environment.fixed(tmp_path)}


def test_this_process_has_its_own_environment():
    """Also what libraries and the C library have read from it."""
    from huggingface_hub import constants

    assert not constants.HF_HUB_OFFLINE
    assert constants.ENDPOINT == "https://huggingface.co"
    assert os.environ["HF_HOME"] == constants.HF_HOME
    assert (time.timezone, os.environ["LC_ALL"]) == (0, "C.UTF-8")
    assert {name for name in HOSTILE if os.environ.get(name) == HOSTILE[name]} == set()


def test_a_hostile_environment_does_not_reach_the_tests():
    """The test above, in a pytest that is started with it."""
    wanted = f"{Path(__file__)}::{test_this_process_has_its_own_environment.__name__}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(Path(__file__).parent.parent),
        wanted,
    ]
    # read by the interpreter before any test
    quiet = {name: value for name, value in HOSTILE.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
