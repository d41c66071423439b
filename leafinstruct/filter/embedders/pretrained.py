"""Open parts of a checkpoint of transformers: its model, tokenizer, image processor.

Weights are read from safetensors only, and no code of a repository runs. A checkpoint that lacks weights of
the model that is asked for is refused: transformers would fill them at random and log a warning, and every
score would be noise.
"""

from __future__ import annotations

from typing import Any, Literal

from leafinstruct import _torchvision as torchvision_import
from leafinstruct.errors import RecipeError
from leafinstruct.filter.embedders.weights import Weights, folder_of
from leafinstruct.runtime import hub

Model = Literal[
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForImageClassification",
    "AutoModelForSequenceClassification",
]
Part = Literal["AutoTokenizer", "AutoImageProcessor"]


def model_of(auto: Model, weights: Weights, device: str, option: str) -> Any:
    """The model of a checkpoint on a device, ready to answer. auto: class of transformers that opens it.
    option: the key of the recipe that names it.

    Raises RecipeError if it cannot be downloaded or opened, or lacks weights.
    """
    import torch

    settings = {"dtype": getattr(torch, weights.dtype), "use_safetensors": True, "output_loading_info": True}
    model, loading = _opened(auto, weights, option, settings)
    if missing := sorted(loading["missing_keys"]):
        raise RecipeError(
            f"{option}: {weights.name} has no weights for {missing[0]}"
            f"{f' and {len(missing) - 1} others' if len(missing) > 1 else ''} of a "
            f"{type(model).__name__}; choose a checkpoint that was trained for this"
        )
    return model.eval().to(device)


def part_of(auto: Part, weights: Weights, option: str) -> Any:
    """The tokenizer or the image processor of a checkpoint. Raises RecipeError as `model_of` does."""
    return _opened(auto, weights, option, {})


def _opened(auto: str, weights: Weights, option: str, settings: dict[str, object]) -> Any:
    torchvision_import.mend()
    import transformers

    transformers.utils.logging.disable_progress_bar()  # it is written to stderr
    folder = folder_of(weights, option)
    level = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()  # what is missing is reported above, once
    try:
        # without trust_remote_code=False a checkpoint with code of its own asks on stdin whether to run it
        return getattr(transformers, auto).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **settings
        )
    except ImportError as error:
        raise RecipeError(
            f"{option}: {weights.name} needs a library that is not installed: {hub.message(error)}"
        ) from error
    except Exception as error:  # the library raises many kinds for a file that does not fit
        raise RecipeError(
            f"{option}: {weights.name} cannot be opened by transformers as {auto} ({hub.message(error)}); "
            "it needs a folder as save_pretrained writes it, with weights in safetensors"
        ) from error
    finally:
        transformers.utils.logging.set_verbosity(level)
