"""Measure which planted defects the rules of a recipe find, and which clean pages they cost.

    make quality                                         pipelines/strict.yaml; a few minutes
    python scripts/quality.py --recipe own.yaml --each 8 --out quality
    python scripts/quality.py --only real                other figures stay as they are
    python scripts/quality.py --only Sketchbook --classes blurred,noise

Two corpora are planted (sketchbook/planting): drawn pages of Sketchbook, and with $LEAF_REAL_DATA or --real
pages that people wrote. `filter:` and `llm:` of the recipe are applied to them, and it is counted

    planted   pages with the defect; of real pages only those whose clean version the rules keep
    caught    of those: the document is dropped, or no planted piece is left; of copies: only one is left
    by        the rules that did it, most frequent first
    lost      clean pages that were dropped, per group of scripts

The seed is not the one of any bound: SEED is used here only. Writes docs/quality.json, and
docs/quality.md, which compares with the first measurement, docs/quality-before.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import yaml
from plant import divided, sources_of

import leafinstruct
from leafinstruct.recipe.load import load
from leafinstruct.records import table
from leafinstruct.records.agreement.measures import wilson
from leafinstruct.records.document import Document, Text
from leafinstruct.sketchbook.clean.pages import CASES, clean_page, script_of
from leafinstruct.sketchbook.clean.sentences import languages
from leafinstruct.sketchbook.documents.page import page
from leafinstruct.sketchbook.documents.plan import TOPICS, Settings
from leafinstruct.sketchbook.planting import phrases
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.corpus import PLANTED, Choice, Source, Truth, planted_into, write

ROOT = Path(__file__).parent.parent
SEED = 20_271_130
"""Seen by no bound: nothing else in this repository uses it."""
EACH, CLEAN, EVERY_SCRIPT = 40, 100, 60
"""Drawn pages with each defect; clean drawn pages; clean pages of each group of scripts."""
ROUND = 5
"""Classes that are planted into the real pages at a time, so that each page is used once."""
CORPORA = ("Sketchbook", "real")
STEPS = ("clean", *CORPORA)
SPARE, DONORS = 30, 20
"""More drawn pages than are planted, so that every class finds pages that fit; donors for each page of a
class: image dumps, text dumps and sequences of foreign images take several each."""
DUPLICATES = ("duplicate.text", "duplicate.near_text")
"""Rules that drop a page only if a better one of its group is kept. Nothing else dropped it before."""
FORMS = ("html", "web.warc.gz", "mmc4", "obelics")
"""Where $LEAF_REAL_DATA has pages."""
CONTAINED = 0.5
"""Share of an item of the benchmark in a page, above which the page is dropped."""
FOUND, MISSED = 0.95, 0.2
"""Shares of a class that is found, and below which it is missed."""
WHO_SEES = {
    "captions_swapped": "a CLIP that knows the images and the language: `alignment.*`; or the judge",
    "foreign_image": "a CLIP: `alignment.own`; or the judge. What an image shows is in no statistic of it",
    "images_cropped": (
        "a CLIP. `sequence.crop` sees crops within a page; across pages, `duplicate.near_images` sees some"
    ),
    "images_of_another": "a CLIP: `alignment.own`; or the judge",
    "images_shuffled": "a CLIP: `alignment.own`, `alignment.margin`; or the judge",
    "nothing_in_common": (
        "a CLIP: `coherence.all_pairs`; or the judge. Steps of a how-to have as little in common by pixels"
    ),
    "reversed_order_unnumbered": (
        "the judge; `rules.narrative_coherence`, where three texts in a row begin with `First`, `Then` or "
        "`Finally`"
    ),
    "screenshot": (
        "a CLIP or the judge, which see whether it belongs. `image.text` and `image.flat` see that it is "
        "one, but how-tos consist of them"
    ),
    "shuffled_letters": "`text.language_fit`, on pages with 12 longer words; or the judge",
    "shuffled_steps_unnumbered": (
        "the judge; `rules.narrative_coherence`, where three texts in a row begin with `First`, `Then` or "
        "`Finally`"
    ),
    "truncated_text": "`text.broken_end`, where the other lines end like sentences; or the judge",
    "watermark_tiled": "`image.tiling`; not where the image below is full of text; or the judge",
    "words_changed": "`duplicate.near_text`, where 0.45 of the runs are left: not on all short pages",
}
"""Who sees classes that the rules do not find, or find in part, and why no rule does. The others: as written
down before (`Planter.seen_by`)."""
LEVELS = {
    "text": "Text",
    "image": "Images",
    "document": "Documents",
    "sequence": "Sequences of images",
    "duplicate": "Duplicates and benchmarks",
}


class Figure(TypedDict):
    """Of one class, or of one group of clean pages: n, count (caught or lost), by (rule -> number). near: of
    lost pages, those of which a near-duplicate or a copy is kept."""

    n: int
    count: int
    by: dict[str, int]
    near: NotRequired[int]


Figures = dict[str, Figure]


class Measured(TypedDict):
    """What docs/quality.json holds: corpus -> class or group -> figures."""

    recipe: str
    seed: int
    planted: dict[str, Figures]
    lost: dict[str, Figures]


Fate = tuple[Document | None, list[str]]
"""The kept document, None if it was dropped, and the rules that dropped pieces of it or all. Pieces come
first: a text that refers to a dropped image drops its document, too."""


def drawn_sources(seed: int, count: int) -> list[Source]:
    """Clean pages of Sketchbook. Edits are left out, because they have too few images for a sequence."""
    topics = tuple(topic for topic in TOPICS if topic != "edit")
    settings = Settings(seed=seed, documents=count, topics=topics, formats=("html",))
    return [Source(page(settings, index, "html").blocks, "en", "Sketchbook") for index in range(count)]


def clean_choices(seed: int, every_script: int) -> list[Choice]:
    """Hard clean pages: the same number of each group of scripts, all languages and cases in turn."""
    scripts: dict[str, list[tuple[str, str]]] = {}
    for language in languages():
        pairs = [(case.name, language) for case in CASES.values() if language in case.languages]
        scripts.setdefault(script_of(language), []).extend(pairs)
    return [
        Choice(Source(clean_page(case, language, seed, number), language, script))
        for script, pairs in scripts.items()
        for number in range(every_script)
        for case, language in [pairs[number % len(pairs)]]
    ]


def filtered(recipe: Path, pages: Path, workdir: Path) -> dict[str, Fate]:
    """Apply the filter of a recipe to written pages. Returns what became of each file."""
    sections = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    with_reference(sections["filter"], workdir / "benchmark")
    own = {
        "name": "quality",
        "workdir": str(workdir),
        "ingest": {"sources": [{"kind": "html", "name": "planted", "path": str(pages)}]},
        **{name: sections[name] for name in ("filter", "llm") if name in sections},
    }
    run = leafinstruct.build(load(own), "filter")
    fates: dict[str, Fate] = {}
    for kind in ("documents", "dropped"):
        for path in sorted((run.directory / "filter").rglob(f"{kind}-*.parquet")):
            for document, drops in table.decisions(path):
                causes = sorted(drops, key=lambda drop: drop.position is None)
                rules = list(dict.fromkeys(drop.rule for drop in causes))
                fates[document.provenance.file] = (document if kind == "documents" else None, rules)
    return fates


def with_reference(section: dict[str, Any], folder: Path) -> None:
    """Give a recipe's filter the benchmark of which items are planted, a page for each, unless it compares
    with one of its own. No recipe can name it, since it is made up."""
    if section.get("reference"):
        return
    for number, item in enumerate(phrases.BENCHMARK):
        page = folder / f"{number}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<html><body><main><p>{item}</p></main></body></html>", encoding="utf-8")
    section["reference"] = [{"kind": "html", "name": "benchmark", "path": str(folder)}]
    section["rules"].append({"score": "contamination.text", "max": CONTAINED})


def is_caught(truth: Truth, fates: dict[str, Fate]) -> bool:
    """Whether a planted defect is gone: see planter.Gone. A page that no reader could read is gone, too."""
    document = fates.get(truth.file, (None, []))[0]
    if document is None or (truth.original and fates.get(truth.original, (None, []))[0] is None):
        return True
    assert truth.defect is not None
    gone = PLANTERS[truth.defect].gone
    if gone == "document":
        return False
    shown = {image.ref.file for image in document.images} & set(truth.images)
    if gone == "copy":
        return len(shown) < 2
    text = _bare("".join(part.text for part in document.segments if isinstance(part, Text)))
    return not shown and not any(_bare(planted) in text for planted in truth.texts)


def _bare(text: str) -> str:
    """Without white space and list markers, which readers change."""
    return "".join(text.split()).replace("-", "")


def planted_figures(truths: Iterable[Truth], fates: dict[str, Fate]) -> Figures:
    """Count planted and caught pages by class."""
    found: Figures = {}
    for truth in truths:
        if truth.defect is None:
            continue
        figure = found.setdefault(truth.defect, {"n": 0, "count": 0, "by": {}})
        figure["n"] += 1
        if is_caught(truth, fates):
            figure["count"] += 1
            rules = fates[truth.file][1] if truth.file in fates else []
            if truth.original:
                rules = rules or fates.get(truth.original, (None, []))[1]
            rule = rules[0] if rules else "left out"
            figure["by"][rule] = figure["by"].get(rule, 0) + 1
    return found


def lost_figures(truths: Iterable[Truth], fates: dict[str, Fate]) -> Figures:
    """Count clean pages, and those that were dropped, by group. The original of a copy that was kept in its
    place is not lost."""
    truths = list(truths)
    kept_copies = {truth.original for truth in truths if truth.original and fates[truth.file][0] is not None}
    found: Figures = {}
    for truth in truths:
        if truth.defect is not None or truth.file in kept_copies:
            continue
        figure = found.setdefault(truth.group, {"n": 0, "count": 0, "by": {}, "near": 0})
        figure["n"] += 1
        document, rules = fates.get(truth.file, (None, ["ingest"]))
        if document is None:
            near = [rule for rule in rules if rule in DUPLICATES]
            rule = (near or rules)[0]
            figure["count"] += 1
            figure["near"] = figure.get("near", 0) + bool(near)
            figure["by"][rule] = figure["by"].get(rule, 0) + 1
    return found


def measure_clean(recipe: Path, workdir: Path, clean: int, every_script: int) -> Figures:
    """Measure clean pages of Sketchbook, and hard clean pages: figures by group."""
    chosen = [*map(Choice, drawn_sources(SEED, clean)), *clean_choices(SEED, every_script)]
    truths = write(workdir / "pages", chosen, [], SEED)
    return lost_figures(truths, filtered(recipe, workdir / "pages", workdir))


def measure_drawn(recipe: Path, workdir: Path, classes: Sequence[str], each: int) -> Figures:
    """Measure defects in pages of Sketchbook: figures by class."""
    sources = drawn_sources(SEED, len(classes) * each + SPARE)
    donors = drawn_sources(SEED + 1, DONORS * each)
    chosen = planted_into(sources, classes, each, SEED, most=1)
    truths = write(workdir / "pages", chosen, donors, SEED)
    return planted_figures(truths, filtered(recipe, workdir / "pages", workdir))


def measure_real(
    recipe: Path, workdir: Path, paths: Sequence[Path], classes: Sequence[str]
) -> Iterator[tuple[Figures, Figures]]:
    """Measure pages that people wrote: once as they are, then with ROUND classes at a time. Yields the
    figures of a round, and of clean pages, as soon as there are any."""
    sources, donors = divided(sources_of(paths), SEED)
    sources = [replace(source, group=str(index)) for index, source in enumerate(sources)]
    as_they_are = write(workdir / "clean", [Choice(source) for source in sources], donors, SEED)
    fates = filtered(recipe, workdir / "clean", workdir / "of-clean")
    kept = {truth.group for truth in as_they_are if fates.get(truth.file, (None, []))[0] is not None}
    lost = lost_figures((replace(truth, group="real pages") for truth in as_they_are), fates)
    yield {}, lost
    usable = [source for source in sources if source.group in kept]
    each = max(1, int(len(usable) * PLANTED) // ROUND)
    rounds = -(-len(classes) // ROUND)
    for number in range(rounds):
        folder = workdir / f"round-{number}"
        # neighbors in the catalog need the same few pages, so they are in different rounds
        chosen = planted_into(usable, classes[number::rounds], each, SEED + number * ROUND)
        truths = write(folder / "pages", chosen, donors, SEED)
        yield planted_figures(truths, filtered(recipe, folder / "pages", folder)), lost


def share(figure: Figure | None) -> str:
    """A share with its 95% interval by Wilson."""
    if figure is None or not figure["n"]:
        return ""
    estimate = wilson(figure["count"], figure["n"])
    return f"{figure['count'] / figure['n']:.0%} ({estimate.low:.0%}-{estimate.high:.0%})"


def rules_of(*figures: Figure | None) -> str:
    """The three most frequent rules."""
    counted: Counter[str] = Counter()
    for figure in figures:
        counted.update(figure["by"] if figure else {})
    ordered = sorted(counted, key=lambda rule: (-counted[rule], rule))
    return ", ".join(f"`{rule}`" for rule in ordered[:3])


def summary(now: Measured, before: Measured | None, corpora: Sequence[str]) -> list[str]:
    """How many classes are found, and the names of those that are not, by who could see them."""
    lines = [
        "\n## Summary\n",
        f"| corpus | classes | found ({FOUND:.0%} or more) | in part | missed (less than {MISSED:.0%}) |",
        "|---|---:|---:|---:|---:|",
    ]
    for when, measured in ((" before", before), ("", now)):
        for name in corpora if measured else ():
            assert measured is not None
            shares = [
                one["count"] / one["n"] for one in measured["planted"].get(name, {}).values() if one["n"]
            ]
            found, missed = sum(it >= FOUND for it in shares), sum(it < MISSED for it in shares)
            cells = (len(shares), found, len(shares) - found - missed, missed)
            lines.append(f"| {name}{when} | {' | '.join(map(str, cells))} |")
    return [*lines, *_not_found(now, corpora)]


def _not_found(now: Measured, corpora: Sequence[str]) -> list[str]:
    """The classes that are not found in one of the corpora, and who sees them."""
    lines = [
        f"\nNot found in {FOUND:.0%} of the pages, fewest first:\n",
        f"| class | {' | '.join(corpora)} | who sees it |",
        f"|---|{'---:|' * len(corpora)}---|",
    ]
    found = {name: [_found(now["planted"][corpus].get(name)) for corpus in corpora] for name in PLANTERS}
    missed = {
        name: shares for name, shares in found.items() if any(it is not None and it < FOUND for it in shares)
    }
    for name, shares in sorted(
        missed.items(), key=lambda item: [1.0 if it is None else it for it in item[1]]
    ):
        cells = ("" if it is None else f"{it:.0%}" for it in shares)
        who = WHO_SEES.get(name) or ", ".join(PLANTERS[name].seen_by)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {who} |")
    return lines


def _found(figure: Figure | None) -> float | None:
    """The share of a class that was found; None if it was not planted."""
    return figure["count"] / figure["n"] if figure and figure["n"] else None


def markdown(now: Measured, before: Measured | None) -> str:
    """The page docs/quality.md."""
    corpora = [name for name in CORPORA if name in now["planted"]]
    lines = [PAGE.format(recipe=now["recipe"], seed=f"{now['seed']:,}"), *summary(now, before, corpora)]
    for level, title in LEVELS.items():
        heads = [f"{name}{when}" for name in corpora for when in ((" before", "") if before else ("",))]
        lines.append(f"\n## {title}\n\n| class | what | n | {' | '.join(heads)} | by | could be seen by |")
        lines.append(f"|---|---|{'---:|' * (1 + len(heads))}---|---|")
        for planter in (planter for planter in PLANTERS.values() if planter.level == level):
            own = [now["planted"][name].get(planter.name) for name in corpora]
            cells: list[str] = []
            for name, figure in zip(corpora, own, strict=True):
                if before:
                    cells.append(share(before["planted"].get(name, {}).get(planter.name)))
                cells.append(share(figure))
            count = ", ".join(str(figure["n"]) if figure else "0" for figure in own)
            lines.append(
                f"| `{planter.name}` | {planter.does}; {planter.strength} | {count} | {' | '.join(cells)} | "
                f"{rules_of(*own)} | {', '.join(planter.seen_by)} |"
            )
    lines.append(LOST)
    for groups in now["lost"].values():
        lines += [
            f"| {group} | {figure['n']} | {share(figure)} | {figure.get('near', 0)} | {rules_of(figure)} |"
            for group, figure in sorted(groups.items())
        ]
    return "\n".join(lines) + "\n"


LOST = """
## Clean pages that are lost

Of near-duplicates, the best page of a group is kept, and the others are lost on purpose: real pages have groups of one template, such as the same instructions for three browsers. No bound separates these from copies in which some words changed.

| pages | n | lost | of these, near-duplicates of a kept page | by |
|---|---:|---:|---:|---|"""  # noqa: E501 - Markdown is not wrapped

PAGE = """# Quality of filtering

Which planted defects the rules of `{recipe}` find, and which clean pages they cost. Measure it again, also with your own rules:

    make quality
    python scripts/quality.py --recipe own.yaml --out quality

| column | meaning |
|---|---|
| n | pages with the defect, per corpus. Each page has one. Of real pages, only those whose clean version is kept |
| Sketchbook, real | share of the planted defects that is gone after filtering, with its 95% interval (Wilson): the document is dropped, or no planted text or image is left; of copies, one is left |
| before | the same in the first measurement, with the scores and bounds of that time |
| by | the rules that did it, most frequent first; `left out`: the page is kept without the piece, which the reader left out or filter masked or removed (texts.md) |
| could be seen by | what could see the defect, written down before any score for it existed: a score by counting, a CLIP that knows the images and the language, or a judge |

Every class is a small function of `leafinstruct/sketchbook/planting`. `defects:` of a Sketchbook source plants it into drawn pages, and `scripts/plant.py` into pages of your own, with labels for `leaf calibrate`:

    python scripts/plant.py --list
    python scripts/plant.py my-pages --out planted --each 3

All choices follow from the seed {seed}, for which no bound was chosen. The recipe uses no model, so a defect that only a CLIP or a judge could see is not found; its row says so."""  # noqa: E501 - Markdown is not wrapped


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=ROOT / "pipelines/strict.yaml")
    parser.add_argument("--real", type=Path, nargs="+", help="Pages. Default: those of $LEAF_REAL_DATA.")
    parser.add_argument("--each", type=int, default=EACH, help="Drawn pages with each defect.")
    parser.add_argument("--only", choices=STEPS, help="Measure this only, and keep the other figures.")
    parser.add_argument("--classes", help="Measure these classes only, and keep the other figures.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="Folder to write to.")
    given = parser.parse_args()
    root = os.environ.get("LEAF_REAL_DATA")
    real = given.real or ([Path(root) / form for form in FORMS] if root else [])
    if given.only == "real" and not real:
        parser.error("--only real: set LEAF_REAL_DATA, or give pages with --real")
    classes = tuple(given.classes.split(",") if given.classes else PLANTERS)
    if unknown := [name for name in classes if name not in PLANTERS]:
        parser.error(f"unknown class {unknown[0]!r}; see python scripts/plant.py --list")
    path = given.out / "quality.json"
    recipe = f"pipelines/{given.recipe.name}"
    measured: Measured = {"recipe": recipe, "seed": SEED, "planted": {}, "lost": {}}
    if (given.only or given.classes) and path.exists():
        measured = json.loads(path.read_text(encoding="utf-8"))
    given.out.mkdir(parents=True, exist_ok=True)
    planted, lost = measured["planted"], measured["lost"]
    for step in (given.only,) if given.only else STEPS:
        with tempfile.TemporaryDirectory() as folder:
            if step == "clean":
                lost["Sketchbook"] = measure_clean(given.recipe, Path(folder), CLEAN, EVERY_SCRIPT)
                save(given.out, measured)
            elif step == "Sketchbook":
                found = measure_drawn(given.recipe, Path(folder), classes, given.each)
                planted["Sketchbook"] = planted.get("Sketchbook", {}) | found
                save(given.out, measured)
            elif real:
                for found, lost["real"] in measure_real(given.recipe, Path(folder), real, classes):
                    planted["real"] = planted.get("real", {}) | found
                    save(given.out, measured)


def save(out: Path, measured: Measured) -> None:
    """Write quality.json and quality.md."""
    text = json.dumps(measured, indent=1, sort_keys=True) + "\n"
    (out / "quality.json").write_text(text, encoding="utf-8")
    (out / "quality.md").write_text(markdown(measured, first_measurement()), encoding="utf-8")


def first_measurement() -> Measured | None:
    """What docs/quality-before.json holds."""
    path = ROOT / "docs/quality-before.json"
    found: Measured | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


if __name__ == "__main__":
    main()
