"""Find the adapter and the base that a user names, and load the backbone.

    run        `runs/NAME` or NAME: its adapter when it has finished, or one of its checkpoints
    recipe     the run that it trains, and the path of its weights
    folder     any PEFT adapter of type MOSS or LORA
    ORG/NAME   the same on the Hub (`hub:ORG/NAME` when a folder has that name); only its JSON and its
               safetensors are downloaded
    leaf:NAME  a packaged base; or a folder of weights with `backbone`: another base. Both are used without an
               adapter.

An adapter contains the portable name of its base, but not its path. Packaged bases are known; for others the
recipe or the caller gives the path, and nothing is guessed. Weights are read from safetensors only. LoRAs
that are initialized from the base (PiSSA, CorDA ...) are refused: peft would change the base or open further
files for them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from leafinstruct._quiet_import import import_peft
from leafinstruct.backbones import tiny
from leafinstruct.backbones.backbone import Backbone
from leafinstruct.backbones.load import load
from leafinstruct.errors import BackboneError, SourceError, TrainError
from leafinstruct.runtime import hub
from leafinstruct.runtime.files import file_fault, file_sha256
from leafinstruct.runtime.files import load as load_json
from leafinstruct.train.config import BASE_NAME, BackboneConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn

PACKAGED = {tiny.NAME: "chameleon"}
"""Packaged bases -> their backbones."""
_ODD = (
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    ImportError,
    OSError,
    re.error,
    SafetensorError,
)
"""Errors that peft and torch raise for an invalid config."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SHOWN = 100
"""Maximum number of characters of an unknown name in an error."""
_GIVE = f"give runs/NAME, a recipe, an adapter's folder, ORG/NAME of the Hub, or {', '.join(PACKAGED)}"
_HUB = re.compile(r"(hub:)?([A-Za-z0-9][\w.-]*/[\w.-]+)")


@dataclass(frozen=True, slots=True)
class Base:
    """A base model. kind: chameleon, emu3 or emu2; weights: a folder, or the name of a packaged base;
    decoder: the image decoder's path; name: portable, no path."""

    kind: str | None = None
    weights: str | None = None
    decoder: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A base and its adapter. adapter: its folder, None for a base alone; name: the adapter's, no path."""

    base: Base
    adapter: Path | None = None
    name: str | None = None

    @property
    def sha256(self) -> str | None:
        """sha256 of the adapter's weights, None for a base alone."""
        return file_sha256(self.adapter / WEIGHTS) if self.adapter is not None else None


def of_recipe(directory: Path, backbone: BackboneConfig, options: Base, checkpoint: int | None) -> Found:
    """Return the adapter that a recipe trains. directory: `runs/<name>`; options: values of the caller that
    override the recipe's. Raises as `find`."""
    base = Base(
        options.kind or backbone.name,
        options.weights or backbone.weights,
        options.decoder or backbone.decoder,
    )
    return _complete(
        Found(replace(base, name=backbone.known_as), _of_run(directory, checkpoint), directory.name)
    )


def find(given: str, options: Base, checkpoint: int | None) -> Found:
    """Find what `given` names. options: what the caller knows of the base.

    Raises SourceError for an unknown name, TrainError for an unfinished run, BackboneError for an adapter
    that is unusable or whose base has an unknown path.
    """
    check(given)
    folder = Path(given)
    if given.startswith("leaf:"):
        return _alone(given, options)
    if not folder.is_dir() and "/" not in given and (Path("runs") / given / "train").is_dir():
        folder = Path("runs") / given
    if (folder / CONFIG).is_file():
        return _complete(Found(options, folder, folder.resolve().name))
    if (folder / "train").is_dir():
        return _complete(
            Found(_recorded(folder, options), _of_run(folder, checkpoint), folder.resolve().name)
        )
    if (folder / "config.json").is_file():
        return _alone(given, options)
    if not folder.exists() and not folder.parent.is_dir() and (named := _HUB.fullmatch(given)):
        return _complete(
            Found(
                options,
                hub.snapshot(named[2], [CONFIG, WEIGHTS], named[2], SourceError, kind="model"),
                named[2],
            )
        )
    what = (
        f"contains neither {CONFIG}, a folder train nor weights (config.json)"
        if folder.is_dir()
        else "no such run, adapter, recipe or base"
    )
    raise SourceError(f"{_short(given)}: {what}; {_GIVE}")


def check(given: str) -> None:
    """Raise SourceError for a string that cannot be a file name: a prompt in place of the run is too long."""
    try:
        Path(given, CONFIG).exists()  # the longest path that is tried
    except OSError as error:
        raise SourceError(f"{_short(given)}: {error.strerror}; {_GIVE}") from error


def _short(given: str) -> str:
    """Shorten a name, so that the list of allowed ones stays visible."""
    return given if len(given) <= _SHOWN else f"{given[: _SHOWN - 1]}…"


def _alone(given: str, options: Base) -> Found:
    """Return a base without an adapter."""
    if options.weights is not None:
        raise BackboneError(
            f"{given}: is a base itself, so --weights {options.weights} has no meaning; leave it out"
        )
    return _complete(Found(replace(options, weights=given)))


def _of_run(directory: Path, checkpoint: int | None) -> Path:
    """Return the folder of a run's adapter, or of one of its checkpoints."""
    train = directory / "train"
    steps = sorted(
        int(path.name[11:])
        for path in train.glob("checkpoint-*")
        if path.name[11:].isdecimal() and (path / WEIGHTS).is_file()
    )
    known = (
        f"its checkpoints are at steps {', '.join(map(str, steps))}" if steps else "it has no checkpoint yet"
    )
    if checkpoint is not None:
        if checkpoint not in steps:
            raise TrainError(f"{directory}: no checkpoint {checkpoint}; {known}")
        return train / f"checkpoint-{checkpoint}"
    if not (train / "record.json").is_file() or not (train / "adapter").is_dir():
        hint = f"use --checkpoint {steps[-1]}, or " if steps else ""
        raise TrainError(
            f"{directory}: its training has not finished; {known}; {hint}finish it with `leaf train` of its "
            "recipe"
        )
    for name, sha256 in (load_json(train / "record.json") or {}).get("adapter", {}).items():
        if (fault := file_fault(train / "adapter" / name, sha256)) is not None:
            raise TrainError(
                f"{train / 'adapter' / name}: {fault}; run `leaf train` of its recipe to save it again from "
                "the last checkpoint"
            )
    return train / "adapter"


def _recorded(directory: Path, options: Base) -> Base:
    """Add kind and portable name of the base from a run's fingerprint, which has no path."""
    train = _json(directory / "train" / "fingerprint.json").get("train")
    recorded = train.get("backbone") if isinstance(train, dict) else None
    if not isinstance(recorded, dict):
        return options
    return replace(options, kind=options.kind or recorded.get("name"), name=recorded.get("base"))


def _complete(found: Found) -> Found:
    """Fill in the base. Raises BackboneError when its path or kind is unknown."""
    base = found.base
    if found.adapter is not None:
        name = _json(found.adapter / CONFIG).get("base_model_name_or_path")
        # a path is private to this machine
        base = replace(
            base, name=name if isinstance(name, str) and re.fullmatch(BASE_NAME, name) else base.name
        )
        if base.weights is None and str(base.name).startswith("leaf:"):
            base = replace(base, weights=str(base.name))
    if base.weights is None:
        raise BackboneError(
            f"{found.adapter}: belongs to {base.name or 'a base without a public name'}; give its path with "
            "--weights FOLDER --backbone NAME (and --decoder), or give the run's recipe instead"
        )
    if base.weights.startswith("leaf:"):
        if base.weights not in PACKAGED:
            raise BackboneError(f"{base.weights}: no such packaged base; known are {', '.join(PACKAGED)}")
        base = replace(base, kind=PACKAGED[base.weights], name=base.weights)
    if base.kind is None:
        raise BackboneError(f"{base.weights}: which backbone is it? Give --backbone chameleon, emu3 or emu2")
    own = Path(str(base.weights)).resolve().name
    return replace(found, base=replace(base, name=base.name or own))


def adapted(found: Found, device: str, log: Callable[[str], None]) -> Backbone:
    """Load the backbone with its adapter. Raises BackboneError when files are missing, unreadable, or do not
    fit each other."""
    base = found.base
    assert base.kind is not None, "checked by _complete"
    assert base.weights is not None, "checked by _complete"
    if found.adapter is not None:
        values = _checked(found.adapter)
    backbone, odd = load(base.kind, Path(base.weights), Path(base.decoder) if base.decoder else None, device)
    if odd:
        raise BackboneError(
            f"{base.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; run `leaf doctor` "
            "for details"
        )
    if found.adapter is None:
        return backbone
    try:
        if values["peft_type"] == "MOSS":
            _moss(found.adapter, backbone, values)
        else:
            backbone.model = _lora(found.adapter, backbone.model, log)
    except _ODD as error:
        raise BackboneError(
            f"{found.adapter}: does not fit {base.name}: {_line(error)}; does it belong to another base?"
        ) from error
    backbone.model.eval()
    return backbone


def _checked(folder: Path) -> dict[str, object]:
    """Return an adapter's config. Raises BackboneError for adapters that are not supported."""
    if not (folder / CONFIG).is_file():
        raise BackboneError(f"{folder}: contains no {CONFIG}, so it is not a PEFT adapter")
    values = _json(folder / CONFIG)
    kind = values.get("peft_type")
    if kind not in ("MOSS", "LORA"):
        raise BackboneError(f"{folder}: the adapter has type {kind!r}; MOSS and LORA are supported")
    if kind == "LORA" and values.get("init_lora_weights", True) not in (True, False, "gaussian"):
        raise BackboneError(
            f"{folder}: a LoRA initialized as {values['init_lora_weights']!r} changes its base; "
            "convert it to "
            "a plain LoRA"
        )
    if not (folder / WEIGHTS).is_file():
        bad = (
            "its weights are a pickle, which may run code"
            if list(folder.glob("*.bin"))
            else "its weights are missing"
        )
        raise BackboneError(f"{folder}: no {WEIGHTS}: {bad}; save the adapter as safetensors")
    return values


def _moss(folder: Path, backbone: Backbone, values: Mapping[str, object]) -> None:
    """Add a MoSS adapter to the backbone's model, in place."""
    from leafinstruct.moss import MossConfig, MossConfigError
    from leafinstruct.moss import load as load_moss

    if unknown := sorted(values.keys() - MossConfig.__dataclass_fields__.keys() - {"peft_version"}):
        raise BackboneError(
            f"{folder}: {CONFIG} has {unknown[0]}, which this version does not know: upgrade leafinstruct"
        )
    try:
        ids = load_moss(backbone.model, folder).peft_config["default"].image_tokens
    except MossConfigError as error:
        raise BackboneError(f"{folder}: {_line(error)}") from error
    if ids is not None and not all(
        any(low <= code <= high for low, high in ids) for code in backbone.image_layout(None).codes.tolist()
    ):
        raise BackboneError(
            f"{folder}: its image_tokens {ids} are not the codes of this vocabulary; it belongs to another "
            "base"
        )


def _lora(folder: Path, model: nn.Module, log: Callable[[str], None]) -> PeftModel:
    import_peft()
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = PeftConfig.from_pretrained(str(folder))
    for warning in caught:
        log(_line(warning.message))
    config.inference_mode = True
    with warnings.catch_warnings():
        # to the local path
        warnings.filterwarnings(
            "ignore", "The PEFT config's `base_model_name_or_path` was renamed", UserWarning
        )
        # peft 0.21 uses the old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        adapted = get_peft_model(model, config)
    result = set_peft_model_state_dict(adapted, load_file(folder / WEIGHTS))
    if odd := [*result.unexpected_keys, *(key for key in result.missing_keys if "lora_" in key)]:
        raise ValueError(f"its weights begin to differ with {odd[0]}")
    return adapted


def _json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: cannot be read as JSON: {_line(error)}") from error
    return found if isinstance(found, dict) else {}


def _line(error: object) -> str:
    """Return a library's message as one line: torch and peft put the important part on the second line."""
    return " ".join(str(error).split())[:250] or type(error).__name__
