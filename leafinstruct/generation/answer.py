"""Generate one answer of a backbone and write it to a folder: `leaf generate`.

    segments.json      prompt and answer in order, settings, seed, names and hashes of base and adapter: all
                       that determines the answer.
                       It contains no time of day, so the same command writes the same bytes
    image-01.png       images of the answer; prompt-01.png: those of the prompt, as they were read
    index.html         the page (page)

The prompt uses the prompt template of training rows (encode), because the adapter has seen no other. If its
run is known, images have the size that they had in that run. The folder appears by one rename; a folder that
this module wrote is replaced, any other is left unchanged.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from PIL import Image

from leafinstruct import __version__
from leafinstruct.backbones.backbone import Backbone, Segment
from leafinstruct.backbones.generate import Ended, Settings, Unfinished, generate
from leafinstruct.backbones.sampling import Sampling
from leafinstruct.errors import BackboneError, SourceError
from leafinstruct.generation.adapter import Found, adapted
from leafinstruct.generation.page import Origin, Part, Record, page
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.runtime.files import file_sha256, load
from leafinstruct.runtime.last_write import last_write
from leafinstruct.train.data.encode import NAMES, in_template
from leafinstruct.train.data.images import Images
from leafinstruct.train.estimate import explain_out_of_memory
from leafinstruct.train.processes import in_one_thread

PLACEHOLDER = "<image>"
"""Placeholder of an image in a prompt; everything else in a prompt is text."""
FORMAT = 2
"""Version of segments.json."""
SHOWN_SIDE = 1024
"""Maximum longer side, in pixels, of a prompt's image as it is stored with the answer. The model gets the
original."""

OnToken = Callable[[int, int], None]
"""Called with the numbers of tokens and of complete images so far."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A written answer. page: path of index.html; warnings: that the answer is empty or cut."""

    page: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer in memory.

    segments: texts (str) and images (PIL, RGB) in order; a cut image is Unfinished, last. ended: `end`,
    `stop`, `max_tokens` or `context`. tokens: number of generated tokens. warnings: that the answer is empty
    or cut. settings: those used.
    """

    segments: tuple[Segment | Unfinished, ...]
    ended: Ended
    tokens: int
    warnings: tuple[str, ...]
    settings: Settings

    @property
    def text(self) -> str:
        """Its texts, separated by blank lines."""
        return "\n\n".join(segment for segment in self.segments if isinstance(segment, str))

    @property
    def images(self) -> list[Image.Image]:
        """Its images."""
        return [segment for segment in self.segments if isinstance(segment, Image.Image)]


def settings_of(
    seed: int,
    temperature: float,
    image_temperature: float,
    top_k: int,
    guidance: float,
    max_images: int,
    max_tokens: int,
    stop: Sequence[str] | None,
) -> Settings:
    """Return the settings of command-line options. stop: None for the beginning of the user's next turn.
    Raises SourceError for a stop that is not UTF-8, which segments.json could not hold."""
    if any(_surrogate(end) for end in stop or ()):
        raise SourceError("--stop: the text is not UTF-8")
    words, patches = Sampling(temperature, top_k), Sampling(image_temperature, top_k)
    ends = tuple(stop if stop is not None else [NAMES["user"]])
    return Settings(
        words, patches, guidance, max_images, max_tokens, stop=tuple(end for end in ends if end), seed=seed
    )


def with_greedy_images(settings: Settings) -> Settings:
    """Return the settings with greedy patches. The images of the packaged base are right or wrong, and
    sampling only adds mistakes."""
    return replace(settings, image=replace(settings.image, temperature=0.0))


@explain_out_of_memory("lower --max-tokens or --max-images, or use a device with more memory (--device cpu)")
def generate_answer(
    found: Found,
    prompt: Sequence[Segment],
    settings: Settings,
    device: str,
    out: Path,
    on_token: OnToken,
    log: Callable[[str], None],
) -> Answer:
    """Generate an answer into the folder `out`. device: of torch, or auto. Raises the errors of
    leafinstruct."""
    _check_free(out)
    backbone = adapted(found, device_of(device), log)
    made = generated(backbone, prompt, settings, _image_tokens(found), on_token)
    with _folder(out) as folder:
        record: Record = {
            "leafinstruct_answer": FORMAT,
            "prompt": [_kept(segment, "prompt", number, folder) for segment, number in _numbered(prompt)],
            "answer": [
                _kept(segment, "image", number, folder) for segment, number in _numbered(made.segments)
            ],
            "ended": made.ended,
            "tokens": made.tokens,
            "warnings": list(made.warnings),
            "settings": asdict(made.settings),
            **_origin(found, backbone),
        }
        (folder / "segments.json").write_text(
            json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        (folder / "index.html").write_text(page(record, folder), encoding="utf-8")
    return Answer(out / "index.html", made.warnings)


def generated(
    backbone: Backbone,
    prompt: Sequence[Segment],
    settings: Settings,
    image_tokens: int | None,
    on_token: OnToken,
) -> Generated:
    """Generate an answer in the prompt template of training rows. prompt: texts and images. image_tokens:
    `train.image_tokens` of the adapter's run, None for the backbone's usual images.

    Raises BackboneError for a prompt without free positions after it, and for images that the backbone cannot
    generate.
    """
    shapes = Images(backbone, image_tokens)
    settings = replace(settings, grid=shapes.generated_grid(shapes.budget))
    tokens, images = 0, 0

    def count(_: object) -> None:
        nonlocal tokens
        tokens += 1
        on_token(tokens, images)

    answer = generate(backbone, in_template(shapes.shaped(prompt, shapes.budget)), settings, count)
    segments = list[Segment | Unfinished]()
    with in_one_thread(backbone.model):
        while True:
            try:
                segments.append(next(answer))
            except StopIteration as stopped:
                ended = stopped.value
                break
            images = sum(isinstance(segment, Image.Image) for segment in segments)
    warnings = tuple(_warnings(segments, ended, tokens, settings))
    return Generated(tuple(segments), ended, tokens, warnings, settings)


def _origin(found: Found, backbone: Backbone) -> Origin:
    """Return what generated an answer."""
    return {
        "base": {
            "name": found.base.name,
            "backbone": found.base.kind,
            "type": str(backbone.model.dtype).removeprefix("torch."),
        },
        "adapter": {"name": found.name, "sha256": found.sha256} if found.adapter is not None else None,
        "device": torch.device(backbone.model.device).type,
        "versions": {
            "leafinstruct": __version__,
            **{name: version(name) for name in ("torch", "transformers", "peft")},
        },
    }


def prompt_fault(prompt: str, images: Sequence[Path]) -> str | None:
    """Return why a prompt is invalid, or None."""
    if not prompt.strip() and not images:
        return "is empty; give a text or an --image"
    if _surrogate(prompt):
        return "is not UTF-8"
    if (count := prompt.count(PLACEHOLDER)) not in (0, len(images)):
        return f"contains {count} x {PLACEHOLDER} for {len(images)} --image; give one for each"
    return None


def _surrogate(text: str) -> bool:
    """Whether the text contains a byte of the command line that was not UTF-8."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _image_tokens(found: Found) -> int | None:
    """Return `train.image_tokens` of the adapter's run; None for an adapter without a run. Earlier versions
    named it `picture_tokens`."""
    noted = load(found.adapter.resolve().parent / "fingerprint.json") if found.adapter is not None else None
    trained = (noted or {}).get("train", {})
    tokens = trained.get("image_tokens", trained.get("picture_tokens"))
    return tokens if isinstance(tokens, int) and tokens > 0 else None


def question(prompt: str, paths: Sequence[Path]) -> list[Segment]:
    """Return text and images in order: images at their placeholders, or before the text if it has none. Check
    with `prompt_fault` first. Raises SourceError for a file that is not an image."""
    images = [_image(path) for path in paths]
    if PLACEHOLDER not in prompt:
        return [*images, *([prompt.strip()] if prompt.strip() else [])]
    found: list[Segment] = []
    for text, image in zip(prompt.split(PLACEHOLDER), [*images, None], strict=True):
        found += [text.strip()] if text.strip() else []
        found += [image] if image is not None else []
    return found


def _image(path: Path) -> Image.Image:
    try:
        if not path.is_file():
            raise SourceError(f"--image {path}: {'not a file' if path.exists() else 'no such file'}")
        found = decode(path.read_bytes())
    except OSError as error:
        raise SourceError(f"--image {path}: cannot be read: {error.strerror}") from error
    if isinstance(found, Undecodable):
        raise SourceError(
            f"--image {path}: {found.reason}: {found.detail}; give an image such as a PNG or JPEG"
        )
    return found


def device_of(name: str) -> str:
    """Resolve `auto`. Raises BackboneError for a device that is not available."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise BackboneError(
            f"--device {name}: not available: {str(error).splitlines()[0][:150]}; cpu always is"
        ) from error
    return name


def _numbered(segments: Sequence[Segment | Unfinished]) -> Iterator[tuple[Segment | Unfinished, int]]:
    """Yield each segment with the number of images up to it."""
    number = 0
    for segment in segments:
        number += isinstance(segment, Image.Image)
        yield segment, number


def _kept(segment: Segment | Unfinished, kind: str, number: int, folder: Path) -> Part:
    """Return a segment as in segments.json; an image is written to the folder."""
    if isinstance(segment, str):
        return {"type": "text", "text": segment}
    if isinstance(segment, Unfinished):
        return {"type": "unfinished", "steps": segment.steps, "of": segment.of}
    name = f"{kind}-{number:02}.png"
    shown = segment.copy()
    if kind == "prompt":
        shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    shown.save(folder / name)
    return {
        "type": "image",
        "file": name,
        "width": segment.width,
        "height": segment.height,
        "sha256": file_sha256(folder / name),
    }


def _warnings(
    segments: Sequence[Segment | Unfinished], ended: str, tokens: int, settings: Settings
) -> list[str]:
    """Return warnings about an answer that is empty or cut."""
    found = []
    if not segments:
        first = "the model ended at once" if ended == "end" and tokens == 1 else "its tokens have no text"
        found.append(f"the answer is empty: {'it began with a stop string' if ended == 'stop' else first}")
    hint = {
        "max_tokens": f"after {settings.max_tokens:,} tokens; raise --max-tokens",
        "context": "because the model has no more positions; give a shorter prompt",
    }
    if ended not in hint:
        return found
    last = segments[-1] if segments else None
    what = (
        f"an image was cut after {last.steps:,} of its {last.of:,} steps,"
        if isinstance(last, Unfinished)
        else "the answer was cut"
    )
    return [*found, f"{what} {hint[ended]}"]


def _check_free(out: Path) -> None:
    """Raise SourceError unless `out` is absent, empty, or only contains an answer."""
    try:
        if not out.exists() and not out.is_symlink():
            return
        names = [path.name for path in out.iterdir()]
        ours = not names or (
            "leafinstruct_answer" in json.loads((out / "segments.json").read_text(encoding="utf-8"))
            and all(
                name in ("segments.json", "index.html") or name.startswith(("image-", "prompt-"))
                for name in names
            )
        )
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        raise SourceError(
            f"--out {out}: exists and contains other files than an answer of leaf generate; give a new folder"
        )


def _replace(target: Path, fresh: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `out` if the block succeeds; otherwise nothing changes."""
    target = out.resolve()
    fresh, old = (
        target.with_name(f".{target.name}.{secrets.token_hex(6)}.{word}") for word in ("tmp", "old")
    )
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _check_free(out)
        with last_write():
            _replace(target, fresh, old)
    except OSError as error:
        raise SourceError(
            f"--out {out}: cannot be written: {error.strerror or error}; give a writable folder"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
