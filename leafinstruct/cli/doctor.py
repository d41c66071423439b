"""`leaf doctor`: check the weights of a backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from leafinstruct import __version__
from leafinstruct.cli.options import AsJson
from leafinstruct.cli.output import print_json
from leafinstruct.records.printable import printable

LIBRARIES = ("torch", "transformers", "peft")


def doctor(
    backbone: Annotated[str, Option(metavar="NAME", help="Backbone: chameleon (also Anole), emu3 or emu2.")],
    weights: Annotated[Path, Option(metavar="DIR", help="Folder of the weights and their tokenizer.")],
    decoder: Annotated[
        Path | None,
        Option(metavar="PATH", help="Image decoder: Chameleon's vqgan.ckpt, or the folder of Emu2-Gen."),
    ] = None,
    device: Annotated[str, Option(metavar="DEVICE", help="Device: cpu, cuda, cuda:1 ...")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Check whether a backbone's weights work here. Exits with 1 if they do not."""
    import platform
    from importlib.metadata import version

    from leafinstruct.backbones.doctor import examine

    versions = {
        "leafinstruct": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
    findings = []
    if not as_json:
        typer.echo(", ".join(f"{name} {number}" for name, number in versions.items()))
    for finding in examine(backbone, weights, decoder, device):
        findings.append({"check": finding.check, "ok": finding.ok, "detail": finding.detail})
        if not as_json:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<9} {printable(finding.detail)}")
    if as_json:
        print_json({"versions": versions, "findings": findings})
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)
