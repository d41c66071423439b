"""MossConfig: what an adapter is, as `adapter_config.json` keeps it.

The paper (arXiv 2407.03604) gives a Linear LoRA to text tokens and a Convolutional LoRA to image tokens; its
kernel size, scale, initialization and target modules could not be read, so the defaults here are ours: kernel
2, alpha twice the rank, B = 0, the attention projections of the decoder. Rank 32 and not the paper's 256,
because rank 256 over all linears of a 7B model is 2.15 B trainable parameters.
"""

from __future__ import annotations

import re
import reprlib
import sys
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from peft import PeftConfig

FORMAT = 1
"""Of adapter_config.json and of the names of the weights."""
Method = Literal["moss", "moe_lora", "lora"]
ConvMode = Literal["full_space", "rank", "depthwise"]
TapShape = Literal["top_left", "raster", "shuffled", "symmetric"]
_ID = 2**63 - 1
"""The largest number that a tensor of ids holds."""
_SIDE = 2**31 - 1
"""Of a grid, so that height x width is such a number, too."""


class MossConfigError(ValueError):
    """A setting is wrong; the message names it and what is allowed."""


@dataclass
class MossConfig(PeftConfig):
    """A MoSS adapter. Raises MossConfigError for settings that are wrong or do not go together."""

    target_modules: str | list[str] | None = None
    """Regular expression over whole module names; None: the attention projections of the decoder. Lists of
    name endings work as in PEFT."""
    exclude_modules: str | list[str] | None = None
    """As in PEFT."""
    r_text: int = 32
    """Rank for text rows; of method `lora` for all rows."""
    r_image: int = 32
    """Rank for image rows. method `lora` has none."""
    alpha_text: float = 64.0
    """The text half is scaled by alpha_text / r_text."""
    alpha_image: float = 64.0
    """The image half is scaled by alpha_image / r_image."""
    method: Method = "moss"
    """moss: convolution for image rows; moe_lora: a second linear LoRA for them; lora: one for all rows, no
    routing."""
    kernel_size: int = 2
    """k of the k x k neighborhood."""
    conv_mode: ConvMode = "full_space"
    """full_space: A is the convolution, d -> r (the paper). rank: A linear, then a convolution r -> r (Zhong
    et al. 2024). depthwise: A linear, then one k x k kernel for each of the r channels."""
    taps: TapShape = "top_left"
    """Which neighbors: top_left (the paper), raster (all earlier ones within k - 1), shuffled (a control:
    itself and seeded earlier patches, as many as top_left), symmetric (an ablation that sees later patches,
    for images that are read and never written; k odd)."""
    taps_seed: int = 0
    """Of shuffled taps."""
    dropout: float = 0.0
    """On the adapter's input."""
    init: Literal["identity", "random"] = "identity"
    """identity: B = 0, so that the start is the base model (and the rank kernel passes a patch as it is).
    random: B too, for tests."""
    image_tokens: list[list[int]] | None = None
    """Ids of image patches as inclusive ranges, [[4, 8195]]; None: what the model's config tells (Chameleon,
    Emu3), else `patch_pos` is needed."""
    image_grid: list[int] | None = None
    """[height, width] of every image in patches; None: what the model's config tells."""
    end_of_line: int | None = None
    """Id that ends each row of an image, where images have many shapes (Emu3)."""
    modules_to_save: list[str] | None = None
    """As in PEFT."""
    bias: Literal["none"] = "none"
    """Biases stay frozen."""
    leafinstruct_format: int = field(default=FORMAT)
    """Format of this file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = "MOSS"  # the enum's member where it is registered; equal to it as text
        for name, allowed in (("method", Method), ("conv_mode", ConvMode), ("taps", TapShape)):
            self._check(
                name, getattr(self, name) in get_args(allowed), f"one of {', '.join(get_args(allowed))}"
            )
        for name, least in (("r_text", 1), ("r_image", 1), ("kernel_size", 1)):
            self._check(name, _whole(getattr(self, name), least), f"a whole number of at least {least}")
        for name in ("alpha_text", "alpha_image"):
            self._check(
                name, _number(getattr(self, name)) and getattr(self, name) > 0, "a finite number above 0"
            )
        self._check("dropout", _number(self.dropout) and 0.0 <= self.dropout < 1.0, "in [0, 1)")
        self._check(
            "taps_seed",
            _whole(self.taps_seed, -(2**63), 2**64 - 1),
            "a whole number from -2^63 to 2^64 - 1, as torch's seeds are",
        )
        self._check_images()
        self._check_modules()
        if self.taps == "symmetric" and self.kernel_size % 2 == 0:
            raise MossConfigError(
                f"symmetric taps lie around a patch, so kernel_size must be odd, not {self.kernel_size}"
            )
        if self.image_tokens is not None and (self.image_grid is None) == (self.end_of_line is None):
            raise MossConfigError(
                "image_tokens need image_grid or end_of_line, and not both, to tell where in its image a "
                "patch stands"
            )
        if self.bias != "none":
            raise MossConfigError("bias must be none: MoSS trains no biases")
        if self.leafinstruct_format != FORMAT:
            raise MossConfigError(
                f"the adapter has format {self.leafinstruct_format}; this version reads {FORMAT}: "
                "upgrade leafinstruct"
            )
        if isinstance(self.target_modules, list):
            self.target_modules = sorted(self.target_modules)

    def _check(self, name: str, holds: bool, allowed: str) -> None:
        """The value is shortened, since a file may hold any, and what is allowed must stay in sight."""
        if not holds:
            raise MossConfigError(f"{name} is {reprlib.repr(getattr(self, name))}; it must be {allowed}")

    def _check_images(self) -> None:
        ranges, grid, line = self.image_tokens, self.image_grid, self.end_of_line
        fits = ranges is None or (
            _listed(ranges)
            and all(_listed(ids, 2) and all(_whole(code, 0) for code in ids) for ids in ranges)
        )
        self._check("image_tokens", fits, "ranges of ids, such as [[4, 8195]]")
        fits = grid is None or (_listed(grid, 2) and all(_whole(side, 1, _SIDE) for side in grid))
        self._check("image_grid", fits, "[height, width], two whole numbers of at least 1")
        self._check("end_of_line", line is None or _whole(line, 0), "an id")

    def _check_modules(self) -> None:
        for name in ("target_modules", "exclude_modules", "modules_to_save"):
            given: Any = getattr(self, name)
            pattern, listed = isinstance(given, str), isinstance(given, list | tuple | set)
            names = given is None or (listed and all(isinstance(part, str) for part in given))
            if name == "modules_to_save":
                self._check(name, names, "a list of names")
                continue
            self._check(name, names or pattern, "a regular expression or a list of names")
            if pattern:
                try:
                    re.compile(given)
                except (re.error, ValueError, OverflowError, RecursionError) as error:
                    self._check(name, False, f"a regular expression, and is none: {error}")

    @property
    def routed(self) -> bool:
        """Whether text rows and image rows go different ways."""
        return self.method != "lora"

    @property
    def convolves(self) -> bool:
        """Whether image rows see their neighbors."""
        return self.method == "moss"

    def to_dict(self) -> dict[str, Any]:
        """What adapter_config.json holds."""
        return {**super().to_dict(), "peft_type": "MOSS"}


def _whole(value: object, least: int, most: int = _ID) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: object) -> bool:
    """Finite; a float that an adapter's file writes without a point is an int here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _listed(value: object, length: int | None = None) -> bool:
    return isinstance(value, list | tuple) and length in (None, len(value))
