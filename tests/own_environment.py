"""The environment variables of a test run: fixed values, whatever the caller has set.

tests/conftest.py applies this before anything else is imported, because huggingface_hub, torch, numpy and
openai read variables once, on import. Processes that tests start, and workers of pytest-xdist, inherit the
result. A test that needs a variable sets it itself, with monkeypatch or for its own process.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from pathlib import Path

PREFIXES = (
    *(
        "HF_",
        "HUGGINGFACE_",
        "HUGGING_FACE_",
        "TRANSFORMERS_",
        "DATASETS_",
        "DIFFUSERS_",
        "SAFETENSORS_",
        "TOKENIZERS_",
        "ACCELERATE_",
        "FSDP_",
    ),
    *(
        "OPENAI_",
        "WANDB_",
        "TENSORBOARD_",
        "BNB_",
        "KERNELS_",
        "TORCH",
        "PYTORCH_",
        "NCCL_",
        "GLOO_",
        "CUDA_",
        "SLURM_",
        "PMI_",
        "OMPI_",
    ),
    *("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "VECLIB_", "KMP_", "GOMP_", "ARROW_", "XDG_", "LC_"),
)
"""Settings of libraries, threads, folders and the language."""

SUFFIXES = ("_PROXY",)

NAMES = frozenset(
    {
        *(
            "LANG",
            "LANGUAGE",
            "TZ",
            "TERM",
            "COLORTERM",
            "COLUMNS",
            "LINES",
            "NO_COLOR",
            "FORCE_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
        ),
        *(
            "TTY_COMPATIBLE",
            "TTY_INTERACTIVE",
            "PY_COLORS",
            "PYTHONWARNINGS",
            "PYTHONIOENCODING",
            "PYTHONUTF8",
            "PYTHONCOERCECLOCALE",
        ),
        *(
            "PYTHONHASHSEED",
            "PYTHONOPTIMIZE",
            "PYTHONDEVMODE",
            "PYTHONASYNCIODEBUG",
            "PYTHONPROFILEIMPORTTIME",
            "PYTHONVERBOSE",
        ),
        *(
            "RANK",
            "WORLD_SIZE",
            "LOCAL_RANK",
            "LOCAL_WORLD_SIZE",
            "GROUP_RANK",
            "NODE_RANK",
            "MASTER_ADDR",
            "MASTER_PORT",
        ),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "NETRC"),
        *("SOURCE_DATE_EPOCH", "LEAF_RECIPE"),
    }
)


def fixed(home: Path) -> dict[str, str]:
    """Variables that every test finds. home: a folder of this test run, for caches and tokens."""
    return {
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        # tiny models are fastest on one thread, and sums do not depend on the number of cores
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",  # models are tested on the CPU
    }


def own(environment: MutableMapping[str, str], home: Path) -> None:
    """Remove the caller's settings from `environment` and set `fixed(home)`."""
    for name in list(environment):
        upper = name.upper()
        if upper in NAMES or upper.startswith(PREFIXES) or upper.endswith(SUFFIXES):
            del environment[name]
    environment.update(fixed(home))
    time.tzset()
