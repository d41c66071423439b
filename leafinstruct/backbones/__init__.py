"""Vision-language generalists: encode images as tokens, and generate text and images.

A small protocol (`Backbone`) defines what differs between backbones; `generate` is the same for all. `load`
returns Chameleon/Anole, Emu3 or Emu2 by name.
"""

from __future__ import annotations

from leafinstruct._torchvision import mend

mend()
