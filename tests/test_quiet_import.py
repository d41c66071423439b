"""Optional libraries that are imported on the way are not heard."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from leafinstruct._quiet_import import quiet

pytestmark = pytest.mark.e2e

NOISY = """
import logging, warnings
logging.getLogger("bitsandbytes.backends.cpu.ops").warning("Failed to load CPU gemm_4bit_forward from kernels-community")
warnings.warn("compiled without GPU support")
class nn:
    class Linear4bit: pass
    class Linear8bitLt: pass
"""  # noqa: E501


USES = {
    "moss": "import leafinstruct.moss",
    "training": "import leafinstruct.train.run",
    "a LoRA of peft": "from leafinstruct.generation.adapter import _lora as use; use(empty, None, print)",
    "diffusion decoder": "from leafinstruct.backbones.emu2.diffusion import Diffusion; Diffusion.load(empty)",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_library_that_logs_and_warns_on_import_is_not_heard(use: str, tmp_path: Path) -> None:
    """A stub in the place of bitsandbytes, which peft and diffusers import, logs what the real one logs on
    some CPUs."""
    (tmp_path / "bitsandbytes").mkdir()
    (tmp_path / "bitsandbytes/__init__.py").write_text(NOISY)
    code = (
        "import contextlib, pathlib, sys\n"
        f"empty = pathlib.Path({str(tmp_path)!r})\n"
        f"with contextlib.suppress(Exception): {use}\n"
        "print(sys.modules['bitsandbytes'].__file__)"
    )
    path = os.pathsep.join(
        [str(tmp_path), str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(tmp_path / "bitsandbytes/__init__.py")


def test_records_of_other_threads_and_of_configured_handlers_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Kept(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self.messages: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.messages.append(record.getMessage())

    last, configured = Kept(), Kept()
    monkeypatch.setattr(logging, "lastResort", last)
    lonely, heard = logging.Logger("lonely"), logging.Logger("heard")
    heard.addHandler(configured)
    with quiet():
        lonely.warning("own thread")
        warnings.warn("own warning", UserWarning, stacklevel=1)
        heard.warning("configured")
        other = threading.Thread(target=lonely.warning, args=("other thread",))
        other.start()
        other.join()
    lonely.warning("afterwards")
    assert last.messages == ["other thread", "afterwards"]
    assert configured.messages == ["configured"]
