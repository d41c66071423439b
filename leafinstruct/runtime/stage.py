"""What the pipeline calls of a stage.

`leafinstruct/<stage>/stage.py` has one Stage, named STAGE. What is left out does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.record import Fingerprint, StageFacts

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[S]):
    """The functions of one stage. S: its settings. `out` is its directory, `inputs` the one before it."""

    settings: Callable[[Any], S]
    """Build the settings from a loaded recipe, of which each stage declares what it reads."""
    fingerprint: Callable[[S, Any, Artifact, Engine], Fingerprint]
    """(settings, inputs, out, engine): everything that determines the output."""
    run: Callable[[S, Any, Artifact, Engine], StageFacts]
    """(settings, inputs, out, engine): make the parts that are not up to date; facts for the record."""
    moved: Callable[[Artifact, Engine], Sequence[str]] = lambda *_: ()
    """(out, engine): changes of a finished stage that its fingerprint does not show, e.g. missing shards."""
    altered: Callable[[S, Artifact], Sequence[str]] = lambda *_: ()
    """(settings, out): input files whose bytes changed although nobody wrote them."""
    reread: Callable[[S, Artifact, Sequence[str]], None] = lambda *_: None
    """(settings, out, files): mark the parts of altered files as missing."""
    tolerated: Callable[[S, Sequence[str]], Sequence[str]] = lambda *_: ()
    """(settings, changes): prefixes of changes with which a named version is built nevertheless."""
    mend: Callable[[S, Artifact, Engine], Sequence[str]] = lambda *_: ()
    """(settings, out, engine): make damaged files again that are no part of the stage, but beside it. Their
    names."""
    damaged: Callable[[Artifact, Engine], Sequence[str]] = lambda *_: ()
    """(out, engine): damaged published files of a finished stage. Those that a later stage reads are compared
    by that stage."""
    forget: Callable[[Artifact, Path], None] = Artifact.discard
    """(out, file): remove a damaged file, so that it is made again."""
    reopen: Callable[[Artifact, Sequence[str]], None] = lambda *_: None
    """(out, parts): ask a language model again what it refused."""
    reads_sources: bool = False
    """Whether the stage reads files of the sources."""
