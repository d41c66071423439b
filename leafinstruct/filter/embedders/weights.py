"""Which model scores alignment and coherence, and which checkpoint a predictor has: found and named before
anything is loaded.

    clip          a name of clip.available_models(), which clip verifies by its sha256; a checkpoint (.pt)
    open_clip     ARCHITECTURE/TAG of open_clip.list_pretrained(); a folder; ORG/NAME@COMMIT of the Hub
    transformers  a folder; ORG/NAME@COMMIT of the Hub

A repository of the Hub is named with a commit, since a branch moves and its scores would change with it.
Imports no heavy library: every verb finds the weights, few use them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import AlignmentConfig, Backend, Dtype, ModelConfig
from leafinstruct.filter.embedders.devices import kind_of
from leafinstruct.llm.config import basename
from leafinstruct.runtime import hub
from leafinstruct.runtime.files import file_sha256

FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""Files of a repository of transformers: no code, and no weights that can run some."""
COMMIT = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
"""A repository of the Hub at a commit."""

_MULTILINGUAL = re.compile(
    r"siglip-?2|i18n|xlm|nllb|multilingual|worldwide|mt5|jina-clip-v2|altclip", re.IGNORECASE
)
"""Names of published models that were trained on many languages. Their model cards list no closed set, so no
document is left out."""
_ENGLISH = re.compile(
    r"(openai/clip|laion/clip|google/siglip|facebook/metaclip|apple/(dfn|mobileclip)|timm/|baai/eva"
    r"|openai-community/gpt2|distilbert/distilgpt2|eleutherai/pythia|huggingfacetb/smollm2?-)",
    re.IGNORECASE,
)
"""Repositories of the Hub whose other models were trained on English texts."""

_FOLDERS: dict[Backend, str] = {"open_clip": "open_clip_config.json", "transformers": "config.json"}
"""The file that a folder of a backend has."""


@dataclass(frozen=True)
class Weights:
    """Which model is used, and how.

    name: as in the recipe. file: its checkpoint or folder, None for a published name. sha256: of the file, or
    of a folder's files and their names. toy: the packaged tiny model is used on images that it was not
    trained on. device: kind of device (cpu, cuda, mps). languages: codes that the model knows, None for all.
    """

    name: str
    file: str | None
    sha256: str | None
    toy: bool = False
    backend: Backend = "clip"
    dtype: Dtype = "float32"
    device: str = "cpu"
    languages: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """The name in scores, rows and the card: backend (other than clip), model, beginning of the hash of
        own weights, number format (other than float32)."""
        name = basename(self.name)
        if self.file is not None and self.sha256 is not None and not self.name.startswith("leaf:"):
            name = f"{name}@{self.sha256[:12]}"
        name = name if self.backend == "clip" else f"{self.backend}:{name}"
        name = name if self.dtype == "float32" else f"{name} ({self.dtype})"
        return f"{name} (toy: knows only Sketchbook)" if self.toy else name

    @property
    def identity(self) -> str:
        """What keys and fingerprints contain: backend, the sha256 or the published name, number format, kind
        of device."""
        return f"{self.backend} {self.sha256 or self.name} {self.dtype} {self.device}"

    def knows(self, language: str | None) -> bool:
        """Whether the model knows a document's language. A document whose language is undetermined is scored:
        it is too short to tell, and no other language was found in it."""
        return self.languages is None or language is None or language in self.languages


def weights_of(section: AlignmentConfig, name: str, tiny: Path | None, strangers: bool) -> Weights:
    """Find the weights of a recipe's model.

    section: filter.alignment. name: the model's. tiny: the unpacked packaged model, if it is the one.
    strangers: whether there are sources other than Sketchbook, which make the tiny model a toy. Raises
    RecipeError for a missing file, a folder without a model, and a repository without a commit.
    """
    file = str(tiny) if tiny is not None else _local(section.backend, name, "filter.alignment.model")
    return Weights(
        name,
        file,
        None if file is None else _sha256(Path(file)),
        toy=tiny is not None and strangers,
        backend=section.backend,
        dtype=section.dtype,
        device=kind_of(section.device),
        languages=section.languages
        or known_languages(section.backend, name, file is None or tiny is not None),
    )


def checkpoint_of(name: str, run: ModelConfig, languages: tuple[str, ...] | None, option: str) -> Weights:
    """Find a checkpoint of transformers: a folder, or a repository of the Hub at a commit.

    languages: that the recipe states, None if it states none. option: the key that names the checkpoint.
    Raises RecipeError as `weights_of` does.
    """
    file = _local("transformers", name, option)
    return Weights(
        name,
        file,
        None if file is None else _sha256(Path(file)),
        backend="transformers",
        dtype=run.dtype,
        device=kind_of(run.device),
        languages=languages,
    )


def folder_of(weights: Weights, option: str) -> Path:
    """The folder of a checkpoint of transformers. A repository of the Hub is downloaded once, at its commit.

    option: the key that names it. Raises RecipeError if it cannot be downloaded.
    """
    if weights.file is not None:
        return Path(weights.file)
    found = COMMIT.fullmatch(weights.name)
    assert found is not None, "_local checks it"
    return hub.snapshot(found["repo"], FILES, option, RecipeError, "model", found["commit"])


def known_languages(backend: Backend, name: str, published: bool) -> tuple[str, ...] | None:
    """Languages that a model knows by what its authors published; None for many, or if nothing is known."""
    if not published or _MULTILINGUAL.search(name):
        return None
    return ("en",) if backend != "transformers" or _ENGLISH.match(name) else None


def published_sha256(weights: Weights) -> str | None:
    """sha256 of the weights; of a published name, of clip's own download, None if it is not there or of
    another backend, whose names have a commit or a tag."""
    path = Path("~/.cache/clip").expanduser() / f"{weights.name.replace('/', '-')}.pt"
    if weights.sha256 is not None or weights.backend != "clip" or not path.is_file():
        return weights.sha256
    return _sha256(path)


def _local(backend: Backend, name: str, option: str) -> str | None:
    """The path of a model on this machine, None for a published name. option: the key that names it."""
    path = Path(name)
    wanted = _FOLDERS.get(backend)
    if wanted is None:
        if path.is_absolute() and path.is_file():
            return name
        if path.suffix in (".pt", ".pth"):
            raise RecipeError(f"{option}: {name}: no such file")
        return None
    if path.is_absolute():
        if not (path / wanted).is_file():
            fault = "it has no " + wanted if path.is_dir() else "no such folder"
            raise RecipeError(
                f"{option}: {name}: {fault}; {backend} needs a folder as "
                f"{'open_clip.push_to_hf_hub' if backend == 'open_clip' else 'save_pretrained'} writes it"
            )
        return name
    if not COMMIT.fullmatch(name) and (backend == "transformers" or "@" in name):
        raise RecipeError(
            f"{option}: {name} is neither a folder nor a repository at a commit; write "
            "ORG/NAME@COMMIT with the 40 digits that the repository's page shows under Files and versions, "
            "or ./FOLDER"
        )
    return None


def _sha256(path: Path) -> str:
    """Of a file; for a folder of the names and sha256 of its files, without hidden ones."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        lines = "".join(f"{_sha256(file)} {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    found = path.stat()
    return _of_file(path.absolute(), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _of_file(path: Path, _size: int, _changed_ns: int) -> str:
    """sha256 of a file, read once as long as its size and time stay: a recipe names one for each label."""
    return file_sha256(path)
