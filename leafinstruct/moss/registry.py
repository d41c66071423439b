"""Register MOSS as a method of PEFT.

`register_peft_method` needs a member of the closed enum PeftType, so one is added first. If another package
has registered a MOSS before, nothing changes; `load` works without the registry.
"""

from __future__ import annotations

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils import register_peft_method
from peft.utils.peft_types import PeftType

from leafinstruct.moss.config import MossConfig
from leafinstruct.moss.model import MossModel

NAME = "MOSS"


class RegistrationError(RuntimeError):
    """Another method is registered as MOSS."""


def register() -> None:
    """Make MossConfig known to get_peft_model and PeftModel.from_pretrained. Raises RegistrationError when
    another MOSS is registered."""
    if NAME in PeftType.__members__:
        if PEFT_TYPE_TO_CONFIG_MAPPING.get(PeftType(NAME)) is MossConfig:
            return
        raise RegistrationError(
            "another package has registered a PEFT method MOSS; use leafinstruct.moss.load(base, "
            "path), or import only one of them"
        )
    member = str.__new__(PeftType, NAME)
    member._name_, member._value_ = NAME, NAME
    PeftType._member_map_[NAME] = member
    PeftType._member_names_.append(NAME)
    PeftType._value2member_map_[NAME] = member
    type.__setattr__(PeftType, NAME, member)
    register_peft_method(name=NAME.lower(), config_cls=MossConfig, model_cls=MossModel)
