"""`leaf audit`: let people judge the decisions of filter, and count how often they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RunPath, load_recipe, opened_run
from leafinstruct.cli.output import counted, note, print_json, progress, show_table, shown
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from leafinstruct.evaluate.audit import AuditResult, Disagreement
    from leafinstruct.records.agreement.measures import Estimate
    from leafinstruct.report.audit.page import Audited
    from leafinstruct.report.run import Run

SHOWN, NAMED = 20, 5
"""Maximum number of disagreements, and of unknown ids, in the terminal; --json has all."""


def audit(
    run: RunPath = None,
    sample: Annotated[
        int | None, Option(min=1, metavar="N", help="Maximum number of documents. Default: 200.")
    ] = None,
    blind: Annotated[
        bool, Option("--blind", help="Leave decisions, rules and scores out of the page.")
    ] = False,
    seed: Annotated[
        int | None, Option(metavar="N", help="Choose other documents, in another order. Default: 0.")
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help=(
                "Page to write; with --labels, the page that was labeled. Default: audit.html in the run's "
                "folder."
            ),
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        Option(metavar="FILE", help="Evaluate labels that the page saved; write no page. Repeatable."),
    ] = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Write a page for people to keep or drop sampled documents. With --labels, compare their answers with
    the rules and with each other."""
    _refuse_mixed(bool(labels), {"--sample": sample, "--seed": seed, "--blind": blind or None}, as_json)
    opened = opened_run(run, changes, limit)
    page = out or opened.directory / "audit.html"
    if labels:
        _evaluate(page, labels, as_json)
        return
    from leafinstruct.report.audit.page import DOCUMENTS

    # the list of removals lies beside the recipe
    folder = run is not None and run.is_dir()
    removed = None if folder else load_recipe(run, changes, limit).removed.images
    made = _write(opened, page, DOCUMENTS if sample is None else sample, seed or 0, blind, removed)
    some = f"{made.documents:,} of {counted(made.population, 'document')}"
    note(f"{some}, {counted(made.images, 'image')}, {made.size / 1e6:,.1f} MB")
    note(f"{made.sample}: decisions and weights" + (", not for the annotators" if blind else ""))
    typer.echo(shown(page))


def _refuse_mixed(reading: bool, of_page: dict[str, int | None], as_json: bool) -> None:
    """Refuse options of the other use."""
    for name, given in of_page.items():
        if reading and given is not None:
            raise typer.BadParameter("is for writing a page, and --labels reads labels", param_hint=name)
    if as_json and not reading:
        raise typer.BadParameter("needs --labels FILE", param_hint="--json")


def _write(
    run: Run, page: Path, sample: int, seed: int, blind: bool, removed: frozenset[str] | None
) -> Audited:
    from leafinstruct.report.audit import page as auditing
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Progressed

    with LocalEngine() as engine, progress() as on_progress:

        def show(what: str, done: int, parts: int) -> None:
            on_progress(Progressed("audit", what, done, parts, 0, "parts"))

        return auditing.audit(run, page, sample, seed, blind, show, removed, engine)


def _evaluate(page: Path, files: list[Path], as_json: bool) -> None:
    from leafinstruct.evaluate import audit as auditing
    from leafinstruct.evaluate import labels
    from leafinstruct.report.audit import sample as samples

    found = auditing.results(samples.read(samples.beside(page)), labels.read(*files))
    if as_json:
        print_json(asdict(found))
    else:
        _show(found)


def _show(found: AuditResult) -> None:
    """Print who answered, the shares of all decisions and by rule, agreement, reasons."""
    of = f"{found.labeled:,} of {counted(found.sampled, 'sampled document')} labeled"
    typer.echo(printable(f"{found.run}: {of}{', blind' if found.blind else ''}"))
    show_table(
        ("\nannotators", "keep", "drop"),
        [(f"  {who}", f"{own['keep']:,}", f"{own['drop']:,}") for who, own in found.answers.items()],
    )
    show_table(
        ("\ndecisions", "people agree"),
        [("  dropped by the rules", _share(found.dropped)), ("  kept by the rules", _share(found.kept))],
    )
    show_table(
        ("\nrules", "of dropped, people drop", "of those near the bound", "of kept near it, people keep"),
        [
            (f"  {one.rule}", _share(one.dropped), _share(one.dropped_near), _share(one.kept_near))
            for one in found.rules
            if one.labeled
        ],
    )
    show_table(
        ("\nagreement", "equal answers", "Cohen's kappa"),
        [
            (f"  {pair.first}, {pair.second}", pair.equal.percent(), pair.kappa.text())
            for pair in found.agreement
        ],
    )
    show_table(
        ("\ndisagreements", "rules", "people"), [_disagreement(one) for one in found.disagreements[:SHOWN]]
    )
    show_table(
        ("\nreasons of people", "answers"),
        [(f"  {reason}", f"{count:,}") for reason, count in found.people_drop.items()],
    )
    for line in _notes(found):
        note(line)


def _disagreement(one: Disagreement) -> tuple[str, str, str]:
    answers = [
        f"{who} {answer}" + (f" ({one.reasons[who]})" if who in one.reasons else "")
        for who, answer in one.answers.items()
    ]
    return f"  {one.id}", "kept" if one.kept else "dropped", printable(", ".join(answers))


def _notes(found: AuditResult) -> Iterator[str]:
    """What the output leaves out."""
    if silent := [one.rule for one in found.rules if not one.labeled]:
        yield f"no labeled document was dropped by, or is near the bound of: {', '.join(silent)}"
    if found.uncovered:
        yield f"{counted(found.uncovered, 'document')} of the run in groups without labels; in no share"
    if len(found.disagreements) > SHOWN:
        yield f"{len(found.disagreements) - SHOWN:,} more disagreements with --json"
    if found.unknown:
        more = f" and {len(found.unknown) - NAMED:,} more" if len(found.unknown) > NAMED else ""
        some = ", ".join(found.unknown[:NAMED])
        yield f"{counted(len(found.unknown), 'labeled document')} not in the sample: {some}{more}"


def _share(found: Estimate) -> str:
    """A weighted share with its interval and the number of labeled documents, "80% (49-94%) of 10"."""
    if found.value is None:
        return "none labeled"
    return f"{found.value:.0%} ({100 * found.low:.0f}-{100 * found.high:.0f}%) of {found.n:,}"
