"""From what a person names to a backbone that draws: which adapter, on which base, lying where.

    run        `runs/NAME` or NAME: its adapter when it has finished, a checkpoint of it when one is asked for
    recipe     the run that it trains, and where its weights lie
    folder     any PEFT adapter of type MOSS or LORA
    ORG/NAME   the same on the Hub (`hub:ORG/NAME` where a folder has that name); only its JSON and its safetensors are fetched
    leaf:NAME  a base that is packaged; a folder of weights with `backbone`: a base of one's own. Both draw unadapted.

An adapter names its base portably and cannot say where that lies here: packaged bases are known, for others
the recipe or the caller says it, and nothing is guessed. Weights are read from safetensors only. LoRAs whose
start is computed from the base (PiSSA, CorDA ...) are refused: peft would change the base or open further
files for them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from leafinstruct._quiet_import import import_peft
from leafinstruct.backbones import tiny
from leafinstruct.backbones.backbone import Backbone
from leafinstruct.backbones.load import load
from leafinstruct.errors import BackboneError, SourceError, TrainError
from leafinstruct.runtime import hub
from leafinstruct.runtime.artifact import file_fault, file_sha256
from leafinstruct.runtime.artifact import load as load_json
from leafinstruct.train.config import BASE_NAME, BackboneConfig

PACKAGED = {tiny.NAME: "chameleon"}
"""Bases in the package, and which backbone each is."""
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
"""What peft and torch raise for a config that nothing has checked before."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SHOWN = 100
"""Characters of what was given, where it is nothing."""
_GIVE = f"give runs/NAME, a recipe, an adapter's folder, ORG/NAME of the Hub, or {', '.join(PACKAGED)}"
_HUB = re.compile(r"(hub:)?([A-Za-z0-9][\w.-]*/[\w.-]+)")


@dataclass(frozen=True, slots=True)
class Base:
    """A model that is adapted. kind: chameleon, emu3 or emu2. weights: a folder, or the name of a packaged
    one. name: for other people, no path."""

    kind: str | None = None
    weights: str | None = None
    decoder: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """adapter: its folder, None for a base alone. name: of the adapter, no path."""

    base: Base
    adapter: Path | None = None
    name: str | None = None

    @property
    def sha256(self) -> str | None:
        """Of the adapter's weights."""
        return file_sha256(self.adapter / WEIGHTS) if self.adapter is not None else None


def of_recipe(directory: Path, backbone: BackboneConfig, said: Base, checkpoint: int | None) -> Found:
    """The adapter that a recipe trains. directory: `runs/<name>`; said: what the caller says instead of the
    recipe. Raises as `find`."""
    base = Base(
        said.kind or backbone.name, said.weights or backbone.weights, said.decoder or backbone.decoder
    )
    return _complete(
        Found(replace(base, name=backbone.known_as), _of_run(directory, checkpoint), directory.name)
    )


def find(given: str, said: Base, checkpoint: int | None) -> Found:
    """What is named. said: what the caller says of the base. Raises SourceError for what is nothing,
    TrainError for a run that has not finished, BackboneError for an adapter that cannot be used, or whose
    base lies nobody says where."""
    check(given)
    folder = Path(given)
    if given.startswith("leaf:"):
        return _alone(given, said)
    if not folder.is_dir() and "/" not in given and (Path("runs") / given / "train").is_dir():
        folder = Path("runs") / given
    if (folder / CONFIG).is_file():
        return _complete(Found(said, folder, folder.resolve().name))
    if (folder / "train").is_dir():
        return _complete(Found(_noted(folder, said), _of_run(folder, checkpoint), folder.resolve().name))
    if (folder / "config.json").is_file():
        return _alone(given, said)
    if not folder.exists() and not folder.parent.is_dir() and (named := _HUB.fullmatch(given)):
        return _complete(
            Found(
                said, hub.snapshot(named[2], [CONFIG, WEIGHTS], named[2], SourceError, kind="model"), named[2]
            )
        )
    what = (
        f"holds neither {CONFIG}, a folder train nor weights (config.json)"
        if folder.is_dir()
        else "no such run, adapter, recipe or base"
    )
    raise SourceError(f"{_short(given)}: {what}; {_GIVE}")


def check(given: str) -> None:
    """Raises SourceError for what no file can be called: a prompt in the run's place is too long for the file
    system."""
    try:
        Path(given, CONFIG).exists()  # the longest name that is looked for
    except OSError as error:
        raise SourceError(f"{_short(given)}: {error.strerror}; {_GIVE}") from error


def _short(given: str) -> str:
    """What was given, so that what may be given stays in sight."""
    return given if len(given) <= _SHOWN else f"{given[: _SHOWN - 1]}…"


def _alone(given: str, said: Base) -> Found:
    """A base without an adapter."""
    if said.weights is not None:
        raise BackboneError(
            f"{given}: is a base itself, so --weights {said.weights} says nothing; leave it out"
        )
    return _complete(Found(replace(said, weights=given)))


def _of_run(directory: Path, checkpoint: int | None) -> Path:
    """The folder of a run's adapter."""
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
        hint = f"--checkpoint {steps[-1]} draws from one, " if steps else ""
        raise TrainError(
            f"{directory}: its training has not finished; {known}; {hint}`leaf train` of its recipe "
            "finishes it"
        )
    for name, sha256 in (load_json(train / "record.json") or {}).get("adapter", {}).items():
        if (fault := file_fault(train / "adapter" / name, sha256)) is not None:
            raise TrainError(
                f"{train / 'adapter' / name}: {fault}; `leaf train` of its recipe saves it again from "
                "the last checkpoint"
            )
    return train / "adapter"


def _noted(directory: Path, said: Base) -> Base:
    """What a run's fingerprint tells of its base: the kind and the portable name, never the place."""
    noted = _json(directory / "train" / "fingerprint.json").get("train", {}).get("backbone", {})
    return replace(said, kind=said.kind or noted.get("name"), name=noted.get("base"))


def _complete(found: Found) -> Found:
    """With a base that can be loaded. Raises BackboneError where something is missing."""
    base = found.base
    if found.adapter is not None:
        name = _json(found.adapter / CONFIG).get("base_model_name_or_path")
        # a path stays here
        base = replace(
            base, name=name if isinstance(name, str) and re.fullmatch(BASE_NAME, name) else base.name
        )
        if base.weights is None and str(base.name).startswith("leaf:"):
            base = replace(base, weights=str(base.name))
    if base.weights is None:
        raise BackboneError(
            f"{found.adapter}: belongs to {base.name or 'a base without a public name'}; say where "
            "that lies with --weights FOLDER --backbone NAME "
            "(and --decoder), or give the run's recipe instead"
        )
    if base.weights.startswith("leaf:"):
        if base.weights not in PACKAGED:
            raise BackboneError(f"{base.weights}: no such packaged base; known are {', '.join(PACKAGED)}")
        base = replace(base, kind=PACKAGED[base.weights], name=base.weights)
    if base.kind is None:
        raise BackboneError(f"{base.weights}: say which backbone it is: --backbone chameleon, emu3 or emu2")
    own = Path(str(base.weights)).resolve().name
    return replace(found, base=replace(base, name=base.name or own))


def adapted(found: Found, device: str, log: Callable[[str], None]) -> Backbone:
    """The backbone, with its adapter. Raises BackboneError where files are missing, not to be read, or do not
    fit each other."""
    base = found.base
    assert base.kind is not None, "_complete said so"
    assert base.weights is not None, "_complete said so"
    if found.adapter is not None:
        values = _checked(found.adapter)
    backbone, odd = load(base.kind, Path(base.weights), Path(base.decoder) if base.decoder else None, device)
    if odd:
        raise BackboneError(
            f"{base.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; `leaf doctor` "
            "tells more"
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
            f"{found.adapter}: does not fit {base.name}: {_line(error)}; is it another base's?"
        ) from error
    backbone.model.eval()
    return backbone


def _checked(folder: Path) -> dict[str, Any]:
    """What an adapter's config says, where it is one of those that are read here."""
    if not (folder / CONFIG).is_file():
        raise BackboneError(f"{folder}: holds no {CONFIG}, so it is no PEFT adapter")
    values = _json(folder / CONFIG)
    kind = values.get("peft_type")
    if kind not in ("MOSS", "LORA"):
        raise BackboneError(f"{folder}: an adapter of type {kind!r}; MOSS and LORA are known here")
    if kind == "LORA" and values.get("init_lora_weights", True) not in (True, False, "gaussian"):
        raise BackboneError(
            f"{folder}: a LoRA that starts as {values['init_lora_weights']!r} changes its base; convert "
            "it to a plain LoRA"
        )
    if not (folder / WEIGHTS).is_file():
        bad = (
            "its weights are a pickle, which may run code"
            if list(folder.glob("*.bin"))
            else "its weights are missing"
        )
        raise BackboneError(f"{folder}: no {WEIGHTS}: {bad}; save the adapter as safetensors")
    return values


def _moss(folder: Path, backbone: Backbone, values: dict[str, Any]) -> None:
    """Puts a MoSS adapter into the model itself."""
    from leafinstruct.moss import MossConfig, MossConfigError
    from leafinstruct.moss import load as load_moss

    if unknown := sorted(values.keys() - MossConfig.__dataclass_fields__.keys() - {"peft_version"}):
        raise BackboneError(
            f"{folder}: {CONFIG} has {unknown[0]}, which this version does not know: upgrade leafinstruct"
        )
    try:
        load_moss(backbone.model, folder)
    except MossConfigError as error:
        raise BackboneError(f"{folder}: {_line(error)}") from error
    ids = values.get("image_tokens")  # ranges, as MossConfig has found
    if ids is not None and not all(
        any(low <= code <= high for low, high in ids) for code in backbone.image_layout(None).codes.tolist()
    ):
        raise BackboneError(
            f"{folder}: its image_tokens {ids} are not the codes of this vocabulary; it belongs to "
            "another base"
        )


def _lora(folder: Path, model: Any, log: Callable[[str], None]) -> Any:
    import_peft()
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        config = PeftConfig.from_pretrained(str(folder))
    for warning in said:
        log(_line(warning.message))
    config.inference_mode = True
    with warnings.catch_warnings():
        # to where it lies here
        warnings.filterwarnings(
            "ignore", "The PEFT config's `base_model_name_or_path` was renamed", UserWarning
        )
        # peft 0.21 asks by the old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        adapted = get_peft_model(model, config)
    result = set_peft_model_state_dict(adapted, load_file(folder / WEIGHTS))
    if odd := [*result.unexpected_keys, *(key for key in result.missing_keys if "lora_" in key)]:
        raise ValueError(f"its weights begin to differ with {odd[0]}")
    return adapted


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: cannot be read as JSON: {_line(error)}") from error
    return found if isinstance(found, dict) else {}


def _line(error: object) -> str:
    """A library's message in one line: torch and peft put the part that matters on the second."""
    return " ".join(str(error).split())[:250] or type(error).__name__
