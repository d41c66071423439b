"""Vision-language generalists: how a backbone writes images as tokens, and how text and images are drawn from
it in turn.

One small protocol (`Backbone`) says what differs; `generate` is the same for all. `load` gives
Chameleon/Anole, Emu3 and Emu2 by name.
"""

from __future__ import annotations

from leafinstruct._torchvision import mend

mend()
