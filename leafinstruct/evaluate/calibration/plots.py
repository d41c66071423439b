"""The curve of a score as an image: recall, caught and kept over its bounds, with 95% intervals.

Chosen: matplotlib, an extra (`leafinstruct[plots]`, 25 MB), without pyplot and its global state. Plotly,
which draws `leaf inspect`, writes PNG only through a browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate.calibration.curve import SIDES, Point, ScoreFigures, Side

# colors that color-blind people can tell apart (Okabe and Ito 2008)
_CURVES = {
    "recall": ("of what people keep: kept", "#0072b2"),
    "caught": ("of what people drop: dropped", "#d55e00"),
    "kept": ("of all labeled: kept", "#777777"),
}
_TITLES = {"min": "at least", "max": "at most"}


def check() -> None:
    """Raise LeafInstructError if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise LeafInstructError(
            f"plots need matplotlib ({error}): pip install 'leafinstruct[plots]', or give --without-plots"
        ) from error


def draw(score: ScoreFigures, path: Path) -> None:
    """Write one PNG, 1200 x 450 pixels: a panel for each side. path: may have any suffix."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), dpi=100)  # constrained layout would double the time
    figure.subplots_adjust(left=0.06, right=0.98, top=0.85, bottom=0.22, wspace=0.06)
    panels = figure.subplots(1, 2, sharey=True)
    for panel, side in zip(panels, SIDES, strict=True):
        _panel(panel, score, side)
    panels[0].set_ylabel("share")
    handles, names = panels[0].get_legend_handles_labels()
    more = dict(zip(*reversed(panels[1].get_legend_handles_labels()), strict=True))
    known = {**more, **dict(zip(names, handles, strict=True))}
    figure.legend(known.values(), known.keys(), loc="lower center", ncols=len(known), frameon=False)
    figure.suptitle(f"{score.score}: {score.keep} labels keep, {score.drop} drop, AUC {score.auc.text()}")
    figure.savefig(path, format="png", metadata={"Software": None})


def _panel(panel: Any, score: ScoreFigures, side: Side) -> None:
    points = sorted(score.curves[side], key=lambda point: point.bound)
    panel.set_title(f"kept: {_TITLES[side]} the bound")
    panel.set_xlabel(score.score)
    panel.set_ylim(-0.02, 1.02)
    panel.grid(alpha=0.25)
    for name, (label, color) in _CURVES.items():
        _band(panel, points, name, label, color)
    if (before := score.before[side]) is not None:
        panel.axvline(before, color="black", linestyle=":", label=f"the run's rule: {side} {before:g}")
    advised = score.advice[side].point
    if advised is not None:
        panel.axvline(advised.bound, color="black", label=f"suggested: {side} {advised.bound:g}")


def _band(panel: Any, points: list[Point], name: str, label: str, color: str) -> None:
    bounds = [point.bound for point in points]
    estimates = [getattr(point, name) for point in points]
    values, low, high = ([getattr(one, limit) for one in estimates] for limit in ("value", "low", "high"))
    panel.plot(bounds, values, color=color, marker=".", drawstyle="steps-mid", label=label)
    panel.fill_between(bounds, low, high, color=color, alpha=0.15, linewidth=0, step="mid")
