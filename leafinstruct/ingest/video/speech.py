"""Speech recognition for videos without subtitles: faster-whisper, an optional extra, off by default.

A transcript is cached under the video's name, size and sha256 and the model's name, since
recognition on a CPU takes about as long as the video. A transcript is text by a model: recipes that use it
should state so in their card.

Chosen: faster-whisper (CTranslate2, no torch, decodes with PyAV); openai-whisper is several times slower on a
CPU and needs the ffmpeg program.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest.config import Transcription
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.index import cached_index, place
from leafinstruct.ingest.video.cue import Cue

VERSION = 1
"""Increase when the transcript of the same video changes."""


def cues(path: Path, settings: Transcription, cache: Path) -> list[Cue]:
    """Return the recognized cues of a video, cached.

    Raises RecipeError when the extra is not installed or the model cannot be opened, SourceError when the
    audio cannot be read.
    """

    def build(file: Path) -> dict[str, list[tuple[float, float, str]]]:
        return {"cues": _recognized(file, settings)}

    folder = cache / "speech" / f"{_safe(settings.model)}-{settings.language or 'any'}"
    return [Cue(start, end, text) for start, end, text in cached_index(folder, path, build, VERSION)["cues"]]


def delete(path: Path, cache: Path) -> None:
    """Delete the transcripts of a video, by every model."""
    for folder in (cache / "speech").glob("*"):
        place(folder, path, __name__, VERSION).unlink(missing_ok=True)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)[-60:]


def _recognized(file: Path, settings: Transcription) -> list[tuple[float, float, str]]:
    model = _model(settings.model)
    try:
        segments, _ = model.transcribe(str(file), language=settings.language, vad_filter=True)
        return [
            (round(item.start, 3), round(item.end, 3), text)
            for item in segments
            if (text := one_line(item.text)) and item.end > item.start
        ]
    except (RuntimeError, ValueError, IndexError) as error:
        raise SourceError(
            f"{file}: its speech cannot be recognized: {str(error)[:200]}; leave the video out, or "
            "give it subtitles"
        ) from error


@lru_cache(maxsize=1)
def _model(name: str) -> Any:
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise RecipeError(
            "speech: needs faster-whisper; install it with pip install 'leafinstruct[speech]'"
        ) from error
    try:
        return WhisperModel(name, device="auto", compute_type="default")
    except Exception as error:  # its loader raises what CTranslate2 and the Hub raise
        raise RecipeError(
            f"speech.model: {name!r} cannot be opened: {str(error)[:200]}; name a faster-whisper "
            "model or its folder"
        ) from error
