"""What `leaf build --dry-run` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from leafinstruct.cli.output import print_json

if TYPE_CHECKING:
    from leafinstruct.forecast.bill import Spending
    from leafinstruct.forecast.run import Forecast

_TRIAL = 3


def show_forecast(expected: Forecast, as_json: bool) -> None:
    """Print what a build would take."""
    if as_json:
        print_json(expected)
        return
    estimated = dict.fromkeys(expected["estimated"], " (estimated)")
    for name in ("documents", "images"):
        _line(name, f"{expected[name]:>12,}{estimated.get(name, '')}")
    if not expected["steps"]:
        _line("LLM requests", f"{0:>12,} (offline)")
        return
    _line("LLM requests", f"{expected['requests']:>12,}{estimated.get('requests', '')}")
    for name, step in expected["steps"].items():
        _line(f"  {name}", f"{step['requests']:>12,}, {_tokens(step)}{_dollars(step)}")
    _line("tokens", f"{expected['input_tokens']:>12,} in, {expected['output_tokens']:,} out")
    _line("cost", _cost(expected))
    _line("accuracy", _accuracy(expected))
    if expected["answers"]:
        paid = expected["paid"]
        _line(
            "paid so far",
            f"{paid['requests']:,} requests, {_tokens(paid)}{_dollars(paid)}; "
            "their answers are kept, and the build does not pay for them again",
        )
    if expected["sent_back"] and (most := expected["at_most"]) is not None:
        _line(
            "assumed",
            f"{expected['sent_back']:.0%} of the examples of a round are written again (rewrite.refine); at "
            f"most {most['requests']:,} requests, {_tokens(most)}{_dollars(most)}",
        )
    _line("sample", f"{expected['sample']:,} documents")


def _line(name: str, text: str) -> None:
    typer.echo(f"{name:<14} {text}")


def _tokens(spent: Spending) -> str:
    return f"{spent['input_tokens']:,} tokens in, {spent['output_tokens']:,} out"


def _dollars(spent: Spending) -> str:
    return "" if spent["dollars"] is None else f", {spent['dollars']:,.4f} dollars"


def _cost(expected: Forecast) -> str:
    dollars, error = expected["dollars"], expected["error"]
    if dollars is None:
        unknown = ", ".join(name for name, step in expected["steps"].items() if step["dollars"] is None)
        return f"price unknown of {unknown} (set `price` beside the model: in llm, the judge or refine.llm)"
    if not error:
        return f"{dollars:,.4f} dollars"
    low, high = (max(0.0, dollars * (1 + side * error)) for side in (-1, 1))
    return f"{dollars:,.4f} dollars, between {low:,.4f} and {high:,.4f} in 95% of cases"


def _accuracy(expected: Forecast) -> str:
    """How far the bill can be from the estimate, and what would make it better."""
    answers, error, needed = expected["answers"], expected["error"], expected["needed"]
    if not answers:
        return (
            "rough: no answer was seen; the bill may be a third lower or higher, or twice as much for "
            "a model that thinks. "
            f"--calibrate {_TRIAL} asks about {_TRIAL} documents of each source first, at the model's price"
        )
    seen = f"from answers about {answers:,} document{'s' if answers > 1 else ''}"
    if "requests" not in expected["estimated"]:
        return f"exact, {seen}"
    if error is None:
        return (
            f"not known, {seen}: a step has too few to show how much they vary. "
            f"Ask about more documents of each source: --calibrate {needed}"
        )
    if error <= 0.1:
        return f"within 10% of the bill if the others are like these: {error:.1%}, {seen}"
    what = f"NOT within 10% of the bill: {error:.0%}, {seen}. "
    if needed is None:
        return f"{what}The sample of documents is too small for less"
    return (
        f"{what}About {needed:,} documents of each source would do (--calibrate {needed}). If a judge drops "
        "documents, `leaf build --stage filter` makes their number exact"
    )
