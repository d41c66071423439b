"""MossConfig: the settings of an adapter, as stored in `adapter_config.json`.

The paper (arXiv 2407.03604) gives a Linear LoRA to text tokens and a Convolutional LoRA to image tokens; its
kernel size, scale, initialization and target modules could not be read, so the defaults here are ours: kernel
2, alpha twice the rank, B = 0, the attention projections of the decoder. Rank 32 and not the paper's 256,
because rank 256 over all linears of a 7B model is 2.15 B trainable parameters.
"""

from __future__ import annotations

import re
import reprlib
import sys
from dataclasses import InitVar, dataclass, field
from typing import Any, Literal, get_args

from peft import PeftConfig

FORMAT = 2
"""Version of adapter_config.json and of the names of the weights. Format 1 named `neighbors` and
`neighbors_seed` `taps` and `taps_seed`; it is still read."""
Method = Literal["moss", "moe_lora", "lora"]
ConvMode = Literal["full_space", "rank", "depthwise"]
Arrangement = Literal["top_left", "raster", "shuffled", "symmetric"]
_ID = 2**63 - 1
"""The largest id that an int64 tensor holds."""
_SIDE = 2**31 - 1
"""The longest side of a grid, so that height x width fits int64, too."""


class MossConfigError(ValueError):
    """A setting is wrong. The message names the setting and what is allowed."""


@dataclass
class MossConfig(PeftConfig):
    """The settings of a MoSS adapter. Raises MossConfigError for wrong or incompatible settings."""

    target_modules: str | list[str] | None = None
    """Regular expression over whole module names, or a list of name endings as in PEFT. None: the attention
    projections of the decoder."""
    exclude_modules: str | list[str] | None = None
    """As in PEFT."""
    r_text: int = 32
    """Rank for text rows; with method `lora` for all rows."""
    r_image: int = 32
    """Rank for image rows; unused by method `lora`."""
    alpha_text: float = 64.0
    """The text half is scaled by alpha_text / r_text."""
    alpha_image: float = 64.0
    """The image half is scaled by alpha_image / r_image."""
    method: Method = "moss"
    """moss: a convolution for image rows; moe_lora: a second linear LoRA for image rows; lora: one LoRA for
    all rows, without routing."""
    kernel_size: int = 2
    """k of the k x k neighborhood."""
    conv_mode: ConvMode = "full_space"
    """full_space: A is the convolution, d -> r (the paper). rank: A linear, then a convolution r -> r (Zhong
    et al. 2024). depthwise: A linear, then one k x k kernel for each of the r channels."""
    neighbors: Arrangement = "top_left"
    """Which patches the convolution sees: top_left (the paper), raster (all earlier ones within k - 1),
    shuffled (a control: the patch itself and earlier patches chosen at random, as many as top_left),
    symmetric (an ablation that sees later patches, for images that are read and never generated; k odd)."""
    neighbors_seed: int = 0
    """Seed of shuffled neighbors."""
    dropout: float = 0.0
    """Dropout on the adapter's input."""
    init: Literal["identity", "random"] = "identity"
    """identity: B = 0, so that the adapted model starts as the base model (and the rank kernel as the
    identity). random: B is random, too; for tests."""
    image_tokens: list[list[int]] | None = None
    """Ids of image patches as inclusive ranges, [[4, 8195]]. None: taken from the model's config (Chameleon,
    Emu3, Emu2); for other models pass `patch_pos`."""
    image_grid: list[int] | None = None
    """[height, width] of every image in patches. None: taken from the model's config."""
    end_of_line: int | None = None
    """Id that ends each row of an image, for models whose images have many shapes (Emu3)."""
    modules_to_save: list[str] | None = None
    """As in PEFT."""
    bias: Literal["none"] = "none"
    """Biases stay frozen."""
    leafinstruct_format: int = field(default=FORMAT)
    """Version of the file, see FORMAT."""
    taps: InitVar[str | None] = None
    """`neighbors` in a file of format 1."""
    taps_seed: InitVar[int | None] = None
    """`neighbors_seed` in a file of format 1."""

    def __post_init__(self, taps: str | None, taps_seed: int | None) -> None:
        super().__post_init__()
        self.peft_type = "MOSS"  # equal as text to the enum's member, which exists once registered
        self._read_format(taps, taps_seed)
        for name, allowed in (("method", Method), ("conv_mode", ConvMode), ("neighbors", Arrangement)):
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
            "neighbors_seed",
            _whole(self.neighbors_seed, -(2**63), 2**64 - 1),
            "a whole number from -2^63 to 2^64 - 1, as torch's seeds are",
        )
        self._check_images()
        self._check_modules()
        if self.neighbors == "symmetric" and self.kernel_size % 2 == 0:
            raise MossConfigError(
                f"symmetric neighbors lie around a patch, so kernel_size must be odd, not {self.kernel_size}"
            )
        if self.image_tokens is not None and (self.image_grid is None) == (self.end_of_line is None):
            raise MossConfigError(
                "image_tokens need either image_grid or end_of_line, from which the position of a patch in "
                "its image follows"
            )
        if self.bias != "none":
            raise MossConfigError("bias must be none: MoSS trains no biases")
        if isinstance(self.target_modules, list):
            self.target_modules = sorted(self.target_modules)

    def _read_format(self, taps: object, taps_seed: object) -> None:
        """Convert a file of format 1 to FORMAT; refuse newer formats."""
        if self.leafinstruct_format not in (1, FORMAT):
            raise MossConfigError(
                f"the adapter has format {reprlib.repr(self.leafinstruct_format)}; this version reads 1 and "
                f"{FORMAT}: upgrade leafinstruct"
            )
        for old, new, value in (("taps", "neighbors", taps), ("taps_seed", "neighbors_seed", taps_seed)):
            if value is not None and self.leafinstruct_format != 1:
                raise MossConfigError(f"{old}: unknown setting; it is now called {new!r}")
            if value is not None:
                setattr(self, new, value)
        self.leafinstruct_format = FORMAT

    def _check(self, name: str, ok: bool, allowed: str) -> None:
        """Raise unless ok. The value is shortened: a file may hold any, and what is allowed must stay
        visible."""
        if not ok:
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
                    self._check(name, False, f"a valid regular expression: {error}")

    @property
    def routed(self) -> bool:
        """Whether text rows and image rows use different weights."""
        return self.method != "lora"

    @property
    def convolves(self) -> bool:
        """Whether image rows see their neighbors."""
        return self.method == "moss"

    def to_dict(self) -> dict[str, object]:
        """Return the contents of adapter_config.json."""
        return {**super().to_dict(), "peft_type": "MOSS"}


def _whole(value: object, least: int, most: int = _ID) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: object) -> bool:
    """Whether value is a finite number; JSON may write a float without a point, which is read as an int."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _listed(value: object, length: int | None = None) -> bool:
    return isinstance(value, list | tuple) and length in (None, len(value))
