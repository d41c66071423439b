"""Files of questions: where they are found, what is wrong with a bad one, and what a build does with them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import leaf
from llm.misbehaving import Body, Step, depending, good, serving
from making import build, png, recipe, rows

from leafinstruct.errors import RecipeError
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table

ROOT = Path(__file__).parent.parent.parent
SKETCH = {"sources": [{"kind": "sketchbook", "seed": 1, "documents": 4}]}
GERMAN = """
language: de
read_by: Anna Muster
families:
  report: {ask: ["Erkläre mit Text und Bildern: {title}."], ask_untitled: ["Schreibe weiter: “{opening}”"]}
"""


def put(folder: Path, text: str | bytes = GERMAN, name: str = "de.yaml") -> Path:
    (folder / "questions").mkdir(exist_ok=True, parents=True)
    path = folder / "questions" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Where they are, and what is wrong with one
# -------------------------------------------------------------------------------------------


def test_files_are_found_beside_the_recipe_then_one_folder_up_then_in_the_package(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = recipe(inner, ingest=SKETCH)
    packaged = (ROOT / "questions/en.yaml").read_bytes()
    assert {language: file.sha256 for language, file in recipes.load(path).questions.items()} == {
        "en": hashlib.sha256(packaged).hexdigest()
    }
    for folder, speaker in ((tmp_path, "one up"), (inner, "beside")):
        put(folder, GERMAN.replace("Anna Muster", speaker))
        found = recipes.load(path).questions
        assert found.keys() == {"de", "en"}
        assert found["de"].questions.read_by == speaker
    put(inner, GERMAN.replace("language: de", "language: en"), "en.yaml")
    assert recipes.load(path).questions["en"].questions.families.keys() == {"report"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GERMAN.replace("{title}", "{titel}"),
            (
                "families.report.ask: the question 'Erkläre mit Text und Bildern: {titel}.' uses "
                "{titel}; did you"
            ),
        ),
        (
            GERMAN.replace("“{opening}”", "{title}"),
            "families.report.ask_untitled: a question in ask_untitled uses {title}",
        ),
        (
            GERMAN.replace("read_by: Anna Muster", ""),
            "read_by: missing; name the speaker of the language who read these questions",
        ),
        (GERMAN.replace("Anna Muster", "' '"), "read_by: missing; name the speaker"),
        (
            GERMAN.replace("Anna Muster", "[Anna]"),
            "read_by: input should be a valid string, not ['Anna']; write it in quotes",
        ),
        (GERMAN.replace("language: de", ""), "language: unknown language ''; write a code of ISO 639"),
        (GERMAN.replace("language: de", "language: Deutsch"), "language: unknown language 'Deutsch'; "),
        (GERMAN.replace("language: de", "language: German"), "language: unknown language 'German'; write de"),
        (
            GERMAN.replace("language: de", "language: no"),
            "language: input should be a valid string, not False; write it in quotes",
        ),
        (
            GERMAN.replace("language: de", "language: fr"),
            "language: 'fr', but the file is named de.yaml; rename it to fr.yaml",
        ),
        (
            GERMAN.replace("report:", "reprot:"),
            "families.reprot: unknown task family; did you mean 'report'?",
        ),
        (
            GERMAN.replace("report:", "edit:"),
            "families.edit: the task edit: {change} must be in every question if asked is `change`",
        ),
        (GERMAN.replace("ask:", "aks:"), "families.report.aks: unknown key; did you mean 'ask'?"),
        (
            GERMAN.replace(", ask_untitled: [", "} #").replace("[", "").replace("]", ""),
            "families.report.ask: questions are a list: write ['Erkläre",
        ),
        (
            "language: de\nread_by: Anna\nfamilies: {report: {}}",
            "families.report: there is no question; give ask, ask_untitled or both",
        ),
        ("language: de\nread_by: Anna", "families: missing; give the questions of at least one task family"),
        (
            GERMAN + "result: 'So: {title}'",
            "result: the question 'So: {title}' uses {title}; known are {result}",
        ),
        (
            GERMAN + "question_titles: ['{title} {opening}']",
            "question_titles: the question '{title} {opening}' uses {opening}; known are {title}",
        ),
        (GERMAN.replace("report:", '"re\\nport":'), "families.re?port.[key]: string should match pattern"),
        (GERMAN.replace("Anna Muster", f"[{'x' * 9_000}]"), "xxx...; write it in quotes"),
        ("- a list", "a question file is a mapping of language, read_by, "),
        ("language: [", "line 1, column 12: not YAML"),
        ("a: &a [x]\nb: *a", "line 2, column 4: not YAML: an alias (*name) is not accepted here"),
        ("[" * 20_000, "nested too deeply; a few levels of lists and mappings"),
        ("#" * 300_000, "larger than 256 KB; is it the right file?"),
        (GERMAN.encode("utf-16"), "save it as UTF-8"),
        (GERMAN.encode("latin-1", "replace"), "save it as UTF-8"),
    ],
)
def test_a_bad_file_is_one_line_with_path_key_and_hint_before_anything_runs(tmp_path, text, message):
    path = put(tmp_path, text)
    with pytest.raises(RecipeError) as error:
        recipes.load(recipe(tmp_path, ingest=SKETCH))
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_another_ending_is_an_error_not_a_file_that_is_never_read(tmp_path):
    put(tmp_path, name="de.yml")
    with pytest.raises(
        RecipeError, match=r"de\.yml: a question file is called <language>\.yaml; rename it to de\.yaml"
    ):
        recipes.load(recipe(tmp_path, ingest=SKETCH))


def test_a_recipes_own_family_may_have_its_questions_in_the_file(tmp_path):
    family = {"name": "recap", "given": "first", "ask": ["Go on: {title}"]}
    put(tmp_path, GERMAN.replace("report:", "recap:"))
    assert (
        "recap"
        in recipes.load(recipe(tmp_path, ingest=SKETCH, rewrite={"tasks": [family]}))
        .questions["de"]
        .questions.families
    )
    changing = {**family, "asked": "change", "ask": ["{change}"]}
    with pytest.raises(
        RecipeError, match=r"families\.recap: the task recap: \{change\} must be in every question"
    ):
        recipes.load(recipe(tmp_path, ingest=SKETCH, rewrite={"tasks": [changing]}))


def test_the_packaged_questions_travel_in_the_wheel_and_the_source_archive():
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]
    assert built["wheel"]["force-include"]["questions"] == "leafinstruct/data/questions"
    assert "questions" in built["sdist"]["include"]
    read = {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8"))["read_by"]
        for path in (ROOT / "questions").iterdir()
    }
    assert read == {"en.yaml": "the leafinstruct developers"}, (
        "nobody else has read questions in another language"
    )


# What a build does with them
# ----------------------------------------------------------------------------------------------------

FOREST = (
    "<h1>Der Wald im Süden</h1><p>Der Wald liegt im Süden und ist nicht so groß, wie man denkt, aber "
    "die Bäume werden sehr alt.</p><img src=a.png>"
    "<p>Auf dem Weg zu den Seen wird es dann still, und man sieht die Tiere, die in der Nacht zu dem "
    "Wasser gehen.</p>"
)
UNTITLED = (
    "<p>Die Bäume in dem Wald werden nicht so alt, wie man denkt, und das Holz wird dann zu einem "
    "guten Preis verkauft:</p><img src=a.png>"
)
ENGLISH_PAGE = (
    "<h1>The forest in the south</h1><p>The forest is in the south, and it is not as large as you "
    "think, but the trees get very old.</p>"
    "<img src=a.png><p>On the way to the lakes it gets quiet, and you see the animals that go to the "
    "water in the night.</p>"
)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A recipe of a German page with a title, a German one without, and an English one."""
    for number, (name, html) in enumerate(
        (("forest", FOREST), ("untitled", UNTITLED), ("english", ENGLISH_PAGE))
    ):
        folder = tmp_path / "pages" / name
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(
            f"<html><meta charset=utf-8><body><main>{html}</main></body></html>", encoding="utf-8"
        )
        (folder / "a.png").write_bytes(png((30 * number, 90, 200), dot=number * 9))
    source = {"kind": "html", "name": "pages", "path": "pages", "license": "CC0-1.0"}
    passing = {
        "min_images": 1,
        "min_words": 5,
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
        "rules": [],
    }
    return recipe(tmp_path, ingest={"sources": [source]}, filter=passing)


def asked(path: Path) -> dict[str, str]:
    """Page -> its question."""
    found = rows(path.parent / "runs/t/shard")
    return {
        row["provenance"]["file"].partition("/")[0]: row["messages"][0]["content"][0]["text"] for row in found
    }


def refused(path: Path) -> dict[str, tuple[str, str]]:
    """Page -> reason and detail of what rewrite dropped."""
    dropped = [
        row
        for file in (path.parent / "runs/t/rewrite").rglob("dropped-*.parquet")
        for row in table.read(file)
    ]
    return {
        row["provenance"]["file"].partition("/")[0]: (row["drops"][0]["rule"], row["drops"][0]["detail"])
        for row in dropped
    }


def record(path: Path) -> dict[str, Any]:
    return dict(json.loads((path.parent / "runs/t/rewrite/record.json").read_text(encoding="utf-8")))


def test_no_english_question_is_put_over_a_german_page_and_what_has_none_is_counted(pages):
    build(pages)
    found = asked(pages)
    assert found["forest"] == "Der Wald im Süden"
    assert "The forest in the south" in found["english"]
    assert found["english"] != "The forest in the south"
    why = (
        "report: no questions in German (de), and the document's own words make none; add "
        "questions/de.yaml, see docs/tasks.md"
    )
    assert refused(pages) == {"untitled": ("no_template", why)}
    assert record(pages)["reasons"] == {"no_template": 1}
    assert record(pages)["questions"].keys() == {"en"}
    assert "no_template" in leaf("status", pages).stdout
    card = (pages.parent / "runs/t/shard/README.md").read_text(encoding="utf-8")
    assert "| rewrite: `no_template` | 1 |" in card
    assert why.partition(":")[2] in leaf(
        "explain", "untitled/index.html", pages, COLUMNS="400"
    ).stdout.replace("\n  ", " ")


def test_a_file_of_the_user_is_used_and_reported_and_a_change_of_it_builds_again(pages):
    build(pages)
    file = put(pages.parent)
    outcomes = {outcome.stage: outcome for outcome in build(pages)}
    assert [stage for stage, outcome in outcomes.items() if outcome.up_to_date] == ["ingest", "filter"]
    assert any("questions" in change for change in outcomes["rewrite"].changes)
    found = asked(pages)
    assert found["forest"] == "Erkläre mit Text und Bildern: Der Wald im Süden."
    assert found["untitled"].startswith("Schreibe weiter: “Die Bäume in dem Wald")
    assert refused(pages) == {}
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert record(pages)["questions"]["de"] == {"sha256": sha256, "read_by": "Anna Muster"}
    shard = pages.parent / "runs/t/shard"
    assert f"- questions in `de`: reviewed by Anna Muster, sha256 `{sha256}`" in (
        shard / "README.md"
    ).read_text(encoding="utf-8")
    assert (
        json.loads((shard / "build.json").read_text(encoding="utf-8"))["questions"]["de"]["read_by"]
        == "Anna Muster"
    )
    assert all(outcome.up_to_date for outcome in build(pages))
    put(pages.parent, GERMAN.replace("Erkläre", "Beschreibe"))
    build(pages)
    assert asked(pages)["forest"] == "Beschreibe mit Text und Bildern: Der Wald im Süden."
    assert asked(pages)["english"] == found["english"]


def test_a_named_version_refuses_other_questions(pages):
    version = ("--set", "version=one")
    assert leaf("build", pages, *version).returncode == 0
    put(pages.parent)
    again = leaf("build", pages, *version)
    assert again.returncode == 1
    assert "rewrite.questions.de" in again.stderr


def test_the_families_of_a_recipe_are_not_used_for_other_languages(pages):
    family = {"name": "all", "ask": ["Tell me all: {title}"], "ask_untitled": ["Tell me all."]}
    build(pages, f"rewrite.tasks=[{json.dumps(family)}]")
    assert asked(pages) == {"english": "Tell me all: The forest in the south"}
    assert {reason for reason, _ in refused(pages).values()} == {"no_template"}
    assert refused(pages).keys() == {"forest", "untitled"}


# A language model
# ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    with serving() as server:
        yield server


def text_of(body: Body) -> str:
    parts = [message["content"] for message in body["messages"]]
    return "\n".join(
        part if isinstance(part, str) else "".join(item.get("text", "") for item in part) for part in parts
    )


def test_an_answer_in_another_language_is_asked_again_with_the_reason(pages, server):
    german = (
        "Der Wald liegt im Süden, und die Bäume werden sehr alt, so dass man auf dem Weg zu den Seen "
        "dann die Tiere in der Nacht sieht."
    )
    english = (
        "The forest is in the south, and the trees get very old, so that you see the animals on the way "
        "to the lakes in the night."
    )
    reason = (
        "write all texts in German (de): the response is in English (en), but the document is in German (de)"
    )

    def answer(body: Body) -> Step:
        text = text_of(body)
        stubborn = "guten Preis verkauft" in text
        reported = english if "in English (en)." in text or reason not in text or stubborn else german
        return good(
            {
                "instruction": "Wald?",
                "context": [],
                "response": [{"type": "text", "text": reported}, {"type": "image", "image": 1}],
            }
        )

    server.always = depending(answer)
    llm = {"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60}
    build(pages, f"llm={json.dumps(llm)}", "rewrite.tasks=[report]", "rewrite.refine=null")
    found = {row["provenance"]["file"].partition("/")[0]: row for row in rows(pages.parent / "runs/t/shard")}
    assert found.keys() == {"forest", "english"}
    assert found["forest"]["messages"][1]["content"][0]["text"] == german
    assert refused(pages)["untitled"][0] == "answer_unparsed"
    assert reason in refused(pages)["untitled"][1]
    first = [text_of(seen.body) for seen in server.seen if reason not in text_of(seen.body)]
    about = {
        name: next(text for text in first if words in text)
        for name, words in (("de", "Der Wald im Süden"), ("en", "The forest in the south"))
    }
    assert "Write the instruction and all texts in German (de)." in about["de"]
    assert "worded like" not in about["de"]
    assert "Write the instruction and all texts in English (en)." in about["en"]
    assert 'worded like: "Explain this with text and images: {title}."' in about["en"]
    assert len(server.seen) == 1 + 2 + 3, "English once, German after one repair, and two repairs in vain"
