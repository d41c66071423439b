"""Image classifiers of transformers: the probability of one label of a checkpoint, such as NSFW or watermark.

A recipe names the checkpoint: leafinstruct brings none, since what such a model was trained on decides what
its label means. The score holds the model's name and the sha256 of its files.

Cost: one forward pass per image on the CPU in one thread; a ViT-B/16 at 224 px takes about 0.2 s.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.filter.score import Score
from leafinstruct.llm.config import basename
from leafinstruct.records.document import Document
from leafinstruct.runtime.hub import snapshot

_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""Files of a checkpoint that determine its answers."""


@dataclass(frozen=True)
class Classifier:
    """The probability of a label, as a function that processes can exchange. folder, sha256: of the
    checkpoint and of its files."""

    folder: str
    sha256: str
    label: str

    def __call__(self, document: Document, image: Pil.Image) -> float:  # noqa: ARG002 - interface of scores
        """Probability of the label for an RGB image, [0, 1]."""
        import torch

        model, prepare = _load(self.folder, self.sha256)
        with torch.inference_mode():
            logits = model(**prepare(images=image, return_tensors="pt")).logits[0]  # (labels,)
        return float(torch.softmax(logits.float(), dim=-1)[model.config.label2id[self.label]])


def score_of(name: str, model: str, label: str) -> Score:
    """The score `classifier.<name>`. model: folder of a checkpoint with its image processor, or a name on the
    Hub, which is downloaded.

    Raises RecipeError if a file of it is missing, or the checkpoint has no such label.
    """
    option = f"filter.classifiers.{name}"
    is_path = Path(model).is_absolute()
    folder = Path(model) if is_path else snapshot(model, [*_FILES], option, RecipeError, kind="model")
    missing = [file for file in _FILES if not (folder / file).is_file()]
    if missing:
        raise RecipeError(
            f"{option}: {model} has no {missing[0]}; give the folder of an image classifier "
            "in the format of transformers, as `hf download` writes it"
        )
    from transformers import AutoConfig

    labels = sorted(AutoConfig.from_pretrained(folder).label2id)
    if label not in labels:
        known = ", ".join(labels[:20])
        raise RecipeError(f"{option}: {model} has no label {label!r}; it has {known}")
    meaning = f"probability of the label {label}, [0, 1]"
    sha256 = _sha256(folder)
    package = f"{basename(model)} {sha256[:16]}"
    return Score(
        f"classifier.{name}",
        "image",
        meaning,
        compute=Classifier(str(folder), sha256, label),
        package=package,
    )


def _sha256(folder: Path) -> str:
    """Digest of the files that determine the answers."""
    found = hashlib.sha256()
    for file in _FILES:
        with (folder / file).open("rb") as content:
            found.update(hashlib.file_digest(content, "sha256").digest())
    return found.hexdigest()


@lru_cache(maxsize=4)
def _load(folder: str, sha256: str) -> tuple[Any, Any]:  # noqa: ARG001 - other files of a folder are another model
    """Model and image processor of this process, loaded once."""
    from leafinstruct import _torchvision as torchvision_import

    torchvision_import.mend()
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    try:
        model = AutoModelForImageClassification.from_pretrained(folder)
        return model.eval(), AutoImageProcessor.from_pretrained(folder)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RecipeError(
            f"filter.classifiers: {folder} cannot be opened: {str(error).splitlines()[0]}"
        ) from error
