"""`import torchvision`, also where its published CUDA wheel meets a CPU build of torch.

clip and transformers (and so peft) import torchvision for image transforms alone. A torchvision whose
compiled operators do not fit this torch fails on import, where it declares shapes for `nms`; declaring the
two operators' schemas lets the import pass. Nothing is faked: calling them still raises. Where torchvision is
healthy, or not installed, this does nothing.
"""

from __future__ import annotations

import sys
from typing import Any

_KEPT_ALIVE: list[Any] = []
"""torch forgets an operator's schema when the Library object that defined it is collected."""


def mend() -> None:
    """Make `import torchvision` pass. Raises RuntimeError for a torchvision that is broken in another way."""
    try:
        import torchvision
    except ModuleNotFoundError:
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        from torch.library import Library

        library = Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT_ALIVE.append(library)
        import torchvision  # noqa: F401 - imported for those who import it next
