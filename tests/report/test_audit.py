"""The page of an audit without a browser: which documents it shows, what a blind one does not hold, and how
they are sampled."""

from __future__ import annotations

import base64
import io
import json
import random
import re
from pathlib import Path

import making
import pytest
from command import leaf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from report.looking import HOSTILE, SECRET, Page, chain, commit, digest, hostile, image_bytes, make

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate import labels
from leafinstruct.records import table
from leafinstruct.records.rows import Drop
from leafinstruct.report.audit import page as auditing
from leafinstruct.report.audit import sample as samples
from leafinstruct.report.audit.decided import Decided, decided, rules_of
from leafinstruct.report.audit.sample import Sample, Stratum, allocate, beside
from leafinstruct.report.run import Run
from leafinstruct.runtime.files import file_sha256

RULES = ("text.words", "image.side")


def as_built(stages, roots=()):
    """Fingerprints beside the records, as a build leaves them."""
    for stage in stages.values():
        if stage.record:
            stage.save_fingerprint({**stage.record["fingerprint"], "roots": dict(roots)})
    return stages


def audit(stages, out: Path, size=1000, seed=0, blind=False, removed=frozenset()):
    run = Run(stages["filter"].path.parent)
    return auditing.audit(run, out, size, seed, blind, lambda *_: None, removed)


def page_of(stages, out: Path, **options) -> Page:
    audit(stages, out, **options)
    return Page(out.read_text(encoding="utf-8"))


def data_of(page: Page, name: str):
    return json.loads(dict(page.scripts)[name])


def test_a_blind_page_of_opposite_decisions_is_the_same_page(tmp_path):
    """Neither the contents nor the order nor the numbers of images depend on what was decided."""
    documents = [
        making.document(f"text of {number}", f"!p{number}", file=f"{number}.html") for number in range(12)
    ]
    swapped = [documents[number ^ 1] for number in range(12)]
    data = {f"p{number}": image_bytes(number) for number in range(12)}
    pages = []
    for name, order in (("a", documents), ("b", swapped)):
        stages = as_built(make(tmp_path / name / "run", order, until="filter", data=data))
        audit(stages, tmp_path / f"{name}.html", blind=True)
        pages.append((tmp_path / f"{name}.html").read_bytes())
        kept = {one.id for one in samples.read(beside(tmp_path / f"{name}.html")).documents if one.kept}
        assert kept == {document.id for document in order[::2]}
    assert pages[0] == pages[1]
    assert b"text.words" not in pages[0]


def test_an_open_page_shows_decisions_with_their_reasons(tmp_path):
    documents = [making.document("one two", f"!p{at}", file=f"{at}.html") for at in range(2)]
    page = page_of(as_built(make(tmp_path / "run", documents, until="filter")), tmp_path / "page.html")
    shown = {record["id"]: record for record in data_of(page, "data")}
    kept, dropped = (shown[document.id] for document in documents)
    assert (kept["kept"], kept["drops"]) == (True, [])
    assert (dropped["kept"], dropped["drops"]) == (False, [["text.words", None, 2.0, 3.0, "ok", ""]])
    assert {
        "name": "text.words",
        "min": 3.0,
        "max": None,
        "values": [2.0],
        "outcome": "dropped_document",
    } in (dropped["rules"])


def test_hostile_texts_are_data_and_the_policy_allows_one_script(tmp_path):
    page = page_of(as_built(hostile(tmp_path / "run")), tmp_path / "page.html", blind=True)
    texts = {segment.get("text") for record in data_of(page, "data") for segment in record["segments"]}
    assert {HOSTILE[0], HOSTILE[2], HOSTILE[3]} <= texts
    assert not [name for name, text in page.scripts if name and set(text) & set("<\u2028\u2029")]
    assert [name for name, _ in page.scripts] == ["meta", "data", "images-0", ""]
    policy = dict(part.strip().partition(" ")[::2] for part in page.policy.split(";"))
    assert policy["script-src"] == f"'sha256-{digest(page.scripts[-1][1])}'"
    assert (policy["default-src"], policy["img-src"]) == ("'none'", "data:")
    assert "unsafe" not in page.policy
    assert "http" not in page.policy
    for encoded in data_of(page, "images-0"):
        assert SECRET not in base64.b64decode(encoded)


def test_images_of_documents_that_were_dropped_unread_are_read_from_this_machine(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    for name, number in (("here", 1), ("removed", 2)):
        (files / f"{name}.png").write_bytes(making.png((number * 90, 0, 0)))
    document = making.document("one", "!here", "!removed", "!gone", file="b.html")
    documents = [making.document("one two three", "!p0"), document]
    removed = frozenset({file_sha256(files / "removed.png")})
    roots = {"made": "../../files"}
    stages = as_built(
        make(tmp_path / "run", documents, until="filter", data={"p0": image_bytes(0)}), roots.items()
    )
    page = page_of(stages, tmp_path / "page.html", removed=removed)
    shown = next(record for record in data_of(page, "data") if record["id"] == document.id)
    group = data_of(page, "images-0")
    here, taken, gone = (group[segment["image"]] for segment in shown["segments"][1:])
    with Pil.open(io.BytesIO(base64.b64decode(here))) as image:
        assert image.size == (96, 64)
    assert (taken, gone) == (None, None)
    unknown = data_of(page_of(stages, tmp_path / "other.html", removed=None), "images-0")
    assert [item is not None for item in unknown].count(True) == 1  # without a list of removals, none is read


# What was decided ------------------------------------------------------------------------------------------


def filtered(folder: Path, drops: dict[str, list[Drop]], cells: list[tuple[str, str, float]]):
    """A filtered part of documents by name: dropped with these drops, kept if there are none."""
    stages = chain(folder)
    documents = {name: making.document("one", "!p", file=name) for name in drops}
    ids = {name: document.id for name, document in documents.items()}
    rows = {
        kind: [
            table.document_row(documents[name], found)
            for name, found in drops.items()
            if any(drop.position is None or found.count(drop) > 1 for drop in found) == (kind == "dropped")
        ]
        for kind in ("documents", "dropped")
    }
    blank = {"state": "ok", "detail": "", "model": None}
    scores = [
        {**blank, "document_id": ids[name], "name": score, "position": None, "value": value}
        for name, score, value in cells
    ]
    tables = {kind: (found, table.DECISIONS) for kind, found in rows.items()}
    commit(stages["filter"], "made-0", {**tables, "scores": (scores, table.SCORES)}, {"counts": {}})
    rules = [
        {"score": "text.words", "min": 3.0, "max": 9.0},
        {"score": "image.side", "min": 48.0, "max": None},
    ]
    unused = {"score": "judge.coherence", "min": 1.0, "max": None}
    stages["filter"].save_fingerprint({"filter": {"rules": [*rules, unused]}, "active_rules": [*RULES]})
    found = {one.id: one for one in decided(stages["filter"])}
    return stages, {name: found.get(document) for name, document in ids.items()}


def test_a_document_that_lost_its_images_was_dropped_by_the_rules_on_them(tmp_path):
    minimum = Drop("min_images", 0.0, 1.0, "ok")
    image = Drop("image.side", 40.0, 48.0, "ok", 1)
    stages, found = filtered(
        tmp_path,
        {
            "lost.html": [minimum, image],
            "few.html": [minimum],
            "kept.html": [image],
            "both.html": [Drop("text.words", 1.0, 3.0, "ok"), Drop("text.links", 9.0, 2.0, "ok")],
        },
        [],
    )
    assert rules_of(stages["filter"]) == [*RULES]
    assert found["lost.html"].dropped_by == ("min_images", "image.side")
    assert found["few.html"].dropped_by == ("min_images",)
    assert found["kept.html"].kept
    assert found["both.html"].dropped_by == ("text.words", "text.links")


def test_an_outage_and_a_removal_are_no_verdicts(tmp_path):
    _, found = filtered(
        tmp_path,
        {
            "outage.html": [Drop("judge.coherence", None, None, "failed")],
            "removed.html": [Drop("removed_by_request", None, None, "ok")],
            "refused.html": [Drop("judge.coherence", None, 3.0, "refused")],
        },
        [],
    )
    assert (found["outage.html"], found["removed.html"]) == (None, None)
    assert found["refused.html"].dropped_by == ("judge.coherence (refused)",)


def test_a_margin_is_the_smallest_distance_on_the_side_of_the_decision(tmp_path):
    drop = Drop("image.side", 40.0, 48.0, "ok", 1)  # of an image that dropped its document
    _, found = filtered(
        tmp_path,
        {"kept.html": [], "dropped.html": [drop, drop]},
        [
            ("kept.html", "text.words", 8.0),
            ("kept.html", "image.side", 20.0),  # an image that was dropped alone
            ("kept.html", "image.side", 60.0),
            ("kept.html", "image.side", 50.0),
            ("dropped.html", "text.words", 3.5),
            ("dropped.html", "image.side", 100.0),
            ("dropped.html", "image.side", 40.0),
            ("dropped.html", "image.side", 10.0),
            ("dropped.html", "text.repetition", 0.5),
        ],
    )
    assert found["kept.html"].margins == {"text.words": 1.0, "image.side": 2.0}
    assert found["dropped.html"].margins == {"image.side": 8.0}


# How documents are sampled ---------------------------------------------------------------------------------


def population(seed: int, size: int) -> list[Decided]:
    """Documents of random decisions and margins; half of those of image.side are equal."""
    dice = random.Random(seed)
    found = []
    for number in range(size):
        by = dice.choice([(), (), ("text.words",), ("image.side",), ("min_images", "image.side")])
        margins = {"text.words": dice.random(), "image.side": max(0.5, dice.random())}
        mine = {
            rule: margin for rule, margin in margins.items() if rule in (by or RULES) and dice.random() < 0.8
        }
        found.append(Decided(f"d{number}", "p-0", by, mine))
    return found


def sample(documents: list[Decided], size: int, seed: int = 0) -> Sample:
    return samples.sample("run", RULES, documents, size, seed, False)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.floats(0.01, 1)), min_size=1, max_size=9), st.integers(0, 80)
)
def test_places_are_all_given_and_none_is_lost_when_there_are_more(groups, total):
    sizes, shares = zip(*groups, strict=True)
    now, more = allocate(sizes, shares, total), allocate(sizes, shares, total + 1)
    assert sum(now) == min(total, sum(sizes))
    assert all(given <= size for given, size in zip(now, sizes, strict=True))
    assert all(one <= other for one, other in zip(now, more, strict=True))
    if total >= len(groups):
        assert all(given or not size for given, size in zip(now, sizes, strict=True))


@given(st.integers(0, 5), st.integers(1, 150), st.integers(1, 120))
def test_strata_divide_the_run_and_a_larger_sample_holds_the_smaller(seed, count, size):
    documents = population(seed, count)
    small, large = sample(documents, size), sample(documents, size + 7)
    assert {one.id for one in small.documents} <= {one.id for one in large.documents}
    assert len(small.documents) == min(size, count)
    assert small.population == count
    if all(one.sampled for one in small.strata):
        weights = [small.strata[one.stratum].weight for one in small.documents]
        assert sum(weights) == pytest.approx(count)
    for one in small.documents:
        stratum = small.strata[one.stratum].stratum
        assert stratum.kept == one.kept
        assert stratum.near == bool(one.near)
        if not one.kept:
            assert stratum.rule == one.dropped_by[0]
            assert set(one.near) <= set(one.dropped_by)


def test_half_of_a_sample_is_near_the_bounds_and_the_seed_chooses():
    documents = population(1, 3_000)
    found = sample(documents, 200)
    near = sum(bool(one.near) for one in found.documents)
    assert near == pytest.approx(100, abs=2)
    assert sum(one.kept and not one.near for one in found.documents) == pytest.approx(50, abs=2)
    assert found == sample(list(reversed(documents)), 200)
    other = {one.id for one in sample(documents, 200, seed=1).documents}
    assert len(other & {one.id for one in found.documents}) < 100


def test_the_nearest_tenth_is_near_and_many_equal_values_are_not():
    def kept(margins: list[float]) -> list[Decided]:
        return [Decided(f"d{at}", "p-0", (), {"text.words": value}) for at, value in enumerate(margins)]

    spread = sample(kept([float(value) for value in range(30)]), 100)
    assert {one.id for one in spread.documents if one.near} == {"d0", "d1", "d2"}
    tied = sample(kept([0.0] * 20 + [1.0] * 10), 100)
    assert [one.stratum for one in tied.strata] == [Stratum(True, None, False)]
    some = sample(kept([0.0] + [1.0] * 29), 100)
    assert {one.id for one in some.documents if one.near} == {"d0"}


def test_a_side_file_is_read_as_it_was_written_and_refused_if_it_was_changed(tmp_path):
    found = sample(population(2, 60), 25)
    path = beside(tmp_path / "audit.html")
    assert path.name == "audit.sample.json"
    samples.write(found, path)
    assert samples.read(path) == found
    path.write_text(path.read_text().replace('"near": false', '"near": true', 1))
    with pytest.raises(LeafInstructError, match="its bytes differ from what was written"):
        samples.read(path)
    path.unlink()
    with pytest.raises(LeafInstructError, match=r"no such file.*--out"):
        samples.read(path)


def test_nothing_to_judge_is_one_line(tmp_path):
    stages = make(tmp_path / "run", [making.document("one two three")], until="ingest")
    with pytest.raises(LeafInstructError, match="filter has decided no document yet; run: leaf build RECIPE"):
        audit(stages, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


# The verb --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    documents = [making.document("one two", f"!p{at}", file=f"{at}.html") for at in range(10)]
    as_built(make(tmp_path / "runs" / "t", documents))
    making.recipe(
        tmp_path,
        ingest={"sources": [{"kind": "html", "name": "made", "path": "."}]},
        filter={"alignment": {"allow_toy": True}},
    )
    return tmp_path


def label(path: Path, annotator: str, answers: dict[str, str], reason: str = "") -> Path:
    found = [labels.Label(name, "document", "keep", value, annotator) for name, value in answers.items()]
    found += [
        labels.Label(name, "document", "reason", reason, annotator)
        for name, value in answers.items()
        if reason and value == "drop"
    ]
    labels.write(path, found)
    return path


def test_the_verb_writes_a_page_and_reads_its_labels(folder):
    done = leaf("audit", "recipe.yaml", "--blind", "--sample", "8", cwd=folder)
    assert done.returncode == 0, done.stderr
    written = next(folder.rglob("audit.html"))
    assert Path(done.stdout.strip()).absolute() == written
    assert "leaf: 8 of 10 documents, 0 images, " in done.stderr
    assert "audit.sample.json: decisions and weights, not for the annotators" in done.stderr
    found = samples.read(beside(written))
    assert found.blind
    right = {one.id: "keep" if one.kept else "drop" for one in found.documents}
    wrong = dict.fromkeys(right, "drop")
    ann = label(folder / "ann.jsonl", "ann", right, "spam \x1b[31m")
    ben = label(folder / "ben.jsonl", "ben", {**wrong, "stranger": "keep"})
    one = leaf("audit", "recipe.yaml", "--labels", str(ann), cwd=folder)
    assert one.returncode == 0, one.stderr
    assert "8 of 8 sampled documents labeled, blind" in one.stdout
    assert "dropped by the rules  100% (51-100%) of 4" in re.sub("  +", "  ", one.stdout)
    assert "\x1b" not in one.stdout
    both = leaf("audit", "recipe.yaml", "--labels", str(ann), "--labels", str(ben), cwd=folder)
    assert "ann, ben  4 of 8, 50% (22-78%)  0.00 (" in re.sub("  +", "  ", both.stdout)
    assert "kept  ann keep, ben drop" in re.sub("  +", "  ", both.stdout)
    assert "dropped by the rules  100% (51-100%) of 4" in re.sub("  +", "  ", both.stdout)
    assert "kept by the rules  50% (15-85%) of 4" in re.sub("  +", "  ", both.stdout)
    assert "1 labeled document not in the sample: stranger" in both.stderr
    run = str(written.parent)  # a run is also named by its folder
    found = json.loads(
        leaf("audit", run, "--labels", str(ann), "--labels", str(ben), "--json", cwd=folder).stdout
    )
    assert len(found["disagreements"]) == 4
    assert found["people_drop"] == {"spam \x1b[31m": 4}


def test_options_of_the_other_use_are_refused(folder):
    for options, message in (
        (["--labels", "a.jsonl", "--blind"], "is for writing a page"),
        (["--labels", "a.jsonl", "--seed", "0"], "is for writing a page"),
        (["--json"], "needs --labels FILE"),
    ):
        done = leaf("audit", "recipe.yaml", *options, cwd=folder)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.e2e
def test_real_pages_are_shown_in_their_order_with_the_images_of_dropped_ones(real, tmp_path):
    path = making.recipe(
        tmp_path,
        ingest={"sources": [{"kind": "html", "name": "pages", "path": str(real / "html")}]},
        filter={
            "min_images": 2,
            "min_words": 20,
            "rules": [{"score": "text.links", "max": 1.2}, {"score": "image.side", "min": 300}],
            "judge": {"enabled": False},
        },
    )
    making.build(path, until="filter")
    done = leaf("audit", path.name, "--blind", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = tmp_path / done.stdout.strip()
    page = Page(written.read_text(encoding="utf-8"))
    found = samples.read(beside(written))
    by = {one.id: one.dropped_by for one in found.documents}
    early = [name for name, rules in by.items() if "text.links" in rules]
    assert early
    assert any(rules == ("min_images", "image.side") for rules in by.values())
    records = {record["id"]: record for record in data_of(page, "data")}
    images = [item for name, text in page.scripts if name.startswith("images-") for item in json.loads(text)]
    run = Run(written.parent)
    for part in run.stages["ingest"].parts():
        for document in table.documents(run.stages["ingest"].file("documents", part)):
            shown = records[document.id]["segments"]
            assert [segment.get("text") for segment in shown] == [
                getattr(segment, "text", None) for segment in document.segments
            ]
            pictures = [images[segment["image"]] for segment in shown if segment["kind"] == "image"]
            assert len(pictures) == len(document.images)
            if document.id in early:
                assert None not in pictures
    assert not any(word in written.read_text() for word in ("image.side", "text.links", "min_images"))
