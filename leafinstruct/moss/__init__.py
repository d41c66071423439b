"""MoSS, modality-specialized adaptation (arXiv 2407.03604), as a PEFT method: a Linear LoRA for text tokens,
a Convolutional LoRA for image tokens.

    import leafinstruct.moss                       # registers the method; without it PEFT raises KeyError:
                                                   'MOSS'
    from peft import get_peft_model
    model = get_peft_model(base, leafinstruct.moss.MossConfig())

Imports torch and peft, and nothing else of leafinstruct except `_quiet_import`.
"""
# ruff: noqa: E402 - import_peft must come before the imports that use peft

from __future__ import annotations

import warnings

from leafinstruct._quiet_import import import_peft

import_peft()

from leafinstruct.moss.config import MossConfig, MossConfigError
from leafinstruct.moss.four_bit import keep_4bit_layout
from leafinstruct.moss.layer import MossLayer
from leafinstruct.moss.load import load
from leafinstruct.moss.match import Matched, match_params
from leafinstruct.moss.model import MossModel
from leafinstruct.moss.registry import RegistrationError, register

__all__ = [
    "Matched",
    "MossConfig",
    "MossConfigError",
    "MossLayer",
    "MossModel",
    "RegistrationError",
    "keep_4bit_layout",
    "load",
    "match_params",
    "register",
]

try:
    register()
except RegistrationError as error:
    warnings.warn(str(error), RuntimeWarning, stacklevel=2)
