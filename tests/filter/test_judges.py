"""Several judges and samples: which models they are, and how their answers become one verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from making import document, png

from leafinstruct.errors import RecipeError
from leafinstruct.filter.catalog import JUDGE_ASPECTS
from leafinstruct.filter.config import FilterConfig, JudgeConfig
from leafinstruct.filter.decision import Decision
from leafinstruct.filter.judging.request import SCHEMA, request
from leafinstruct.filter.judging.verdict import cells_of, combined, with_means
from leafinstruct.filter.passes import _apply_verdict
from leafinstruct.filter.scores import references
from leafinstruct.llm.answers.parse import read_answer
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.protocol.wire import Form, in_words, response_format
from leafinstruct.llm.request import Answer
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell

PAGE = document("# House", "First, a red wall.", "!a", "Then a brown roof.", "!b", "Last a door.", "!c")
LLM = LlmConfig(
    provider="openai",
    base_url="http://one.example/v1",
    model="m",
    key_env="KEY",
    headers={"X-Team": "a"},
    revision="m@1",
    price={"input_per_million": 1, "output_per_million": 2},  # type: ignore[arg-type]
    temperature=0.5,
)


def answer(
    score: object = 4, images: Mapping[int, object] | None = None, by: str = "", **scores: object
) -> Answer:
    value: dict[str, Any] = {
        aspect: {"reason": f"{aspect}{by}.", "score": scores.get(aspect, score)} for aspect in JUDGE_ASPECTS
    }
    given = {2: 5, 4: 3, 6: 1} if images is None else images
    value["images"] = [{"image": n, "reason": f"image {n}.", "score": one} for n, one in given.items()]
    return Answer("ok", value, "m")


def judged(*answers: Answer, samples: int = 1) -> dict[tuple[str, int | None], Cell]:
    cells = [cells_of(PAGE, one) for one in answers]
    judges = {f"j{at}": cells[at : at + samples] for at in range(0, len(cells), samples)}
    return {(cell.name, cell.position): cell for cell in combined(judges, "panel")}


# --- one answer ---


def test_each_image_has_a_score_of_its_own_and_one_that_was_not_shown_a_state() -> None:
    cells = cells_of(PAGE, answer(images={2: 5, 4: 3}))
    assert [(cell.position, cell.value, cell.state) for cell in cells.values() if cell.position] == [
        (2, 5.0, "ok"),
        (4, 3.0, "ok"),
        (6, None, "not_shown"),
    ]
    assert cells["judge.image_consistency", None].value == 4.0
    assert cells["judge.safety", None].detail == "safety."


@pytest.mark.parametrize("images", [{}, {2: 5}])
@pytest.mark.parametrize("given", ["n/a", 5])
def test_consistency_does_not_apply_to_fewer_than_two_images(
    images: dict[int, object], given: object
) -> None:
    cell = cells_of(PAGE, answer(images=images, image_consistency=given))["judge.image_consistency", None]
    assert (cell.value, cell.state) == (None, "not_applicable")


def test_without_a_verdict_every_score_has_its_state() -> None:
    cells = cells_of(PAGE, Answer("refused", None, "m", "no"))
    assert {(cell.value, cell.state, cell.detail) for cell in cells.values()} == {(None, "refused", "no")}
    assert len(cells) == len(JUDGE_ASPECTS) + 3


@pytest.mark.parametrize("form", [Form.SCHEMA, Form.OBJECT, Form.TEXT])
def test_the_reason_comes_before_the_score_wherever_the_form_is_stated(form: Form) -> None:
    prompt = Prompt("judge", "S\n---\nU\n---\nR")
    question = request(PAGE, {}, JudgeConfig(), prompt)
    offline = request(PAGE, {}, JudgeConfig(), prompt, offline=True)
    for one in (question, offline):
        text = in_words(one) if form is Form.TEXT else str(response_format(one, form))
        order = [word for word in text.replace("'", '"').split('"') if word in ("reason", "score")]
        assert order == ["reason", "score"] * (len(order) // 2)
        assert len(order) >= 16
    assert all(list(one)[:1] == ["reason"] for one in offline.offline().values())  # type: ignore[call-overload]


def test_only_images_that_are_shown_are_asked_about_and_accepted() -> None:
    sent = {name: (png(dot=at), "image/png") for at, name in enumerate("abc")}
    prompt = Prompt("judge", "S\n---\nThe document:\n---\nA reminder.")
    question = request(PAGE, sent, JudgeConfig(max_images=2), prompt)
    *_, last = question.messages[1].parts
    assert str(last).endswith("End of the document.\nImages to score: [2], [4].\nA reminder.")

    def fault(images: Mapping[int, object], **scores: object) -> str:
        found = read_answer(json.dumps(answer(images=images, **scores).value), question)
        return found if isinstance(found, str) else ""

    assert fault({2: 5, 4: 1}) == ""
    for wrong in ({2: 5}, {2: 5, 4: 1, 6: 1}, {}):
        assert fault(wrong).startswith("images must have one entry for each image shown ([2], [4])")
    assert fault({2: "n/a", 4: 1}).startswith("the score of an image must be an integer")
    assert fault({2: 5, 4: 1}, image_consistency="n/a").startswith("image_consistency must have an integer")
    assert SCHEMA["required"] == list(SCHEMA["properties"])
    # an image of a document without any text fits nothing and contradicts nothing
    mute = request(document("!a", "!b"), sent, JudgeConfig(), prompt)
    given = answer(images={0: "n/a", 1: "n/a"}).value
    assert read_answer(json.dumps(given), mute) == given


# --- several ---


def test_the_verdict_is_the_median_and_states_what_each_judge_gave() -> None:
    found = judged(answer(1), answer(4), answer(5))
    cell = found["judge.text_quality", None]
    assert (cell.value, cell.state, cell.model) == (4.0, "ok", "panel")
    assert cell.detail == "j0 1, j1 4, j2 5: text_quality."
    assert judged(answer(2), answer(5))["judge.text_quality", None].value == 3.5
    assert judged(answer(images={2: 1, 4: 1, 6: 1}), answer())["judge.image_relevance", 2].value == 3.0


def test_the_reason_is_that_of_the_judge_nearest_to_the_verdict() -> None:
    found = judged(answer(1, by=" one"), answer(5, by=" two"), answer(4, by=" three"))
    assert found["judge.safety", None].detail == "j0 1, j1 5, j2 4: safety three."


def test_a_judge_with_more_samples_has_no_more_weight() -> None:
    found = judged(answer(1), answer(1), answer(5), answer(4), answer(4), answer(4), samples=3)
    assert found["judge.safety", None].value == 2.5


FAILED, REFUSED = Answer("failed", None, "m", "no connection"), Answer("refused", None, "m", "no")


@pytest.mark.parametrize(
    ("answers", "value", "state"),
    [
        ((answer(4), FAILED, answer(2)), 3.0, "ok"),
        ((answer(4), FAILED), None, "failed"),  # one of two is no majority
        ((answer(4), REFUSED, FAILED), None, "failed"),  # an outage is asked again
        ((REFUSED, REFUSED, answer(5)), None, "refused"),
    ],
)
def test_below_the_quorum_there_is_no_verdict(
    answers: tuple[Answer, ...], value: float | None, state: str
) -> None:
    cell = judged(*answers)["judge.safety", None]
    assert (cell.value, cell.state) == (value, state)


# --- rules ---


def decided(
    cells: list[Cell], *rules: dict[str, Any], page: Document = PAGE, before: Sequence[Cell] = ()
) -> Decision:
    """The decision by the judge's cells. before: cells of an earlier pass."""
    config = FilterConfig(
        min_words=0,
        rules=[{"uncalibrated": True, **rule} for rule in rules],  # type: ignore[arg-type]
    )
    decision = Decision(page, config, config.rules)
    decision.apply(before)
    _apply_verdict(decision, cells)
    return decision


def test_a_rule_on_relevance_drops_one_image_and_the_means_are_of_those_left() -> None:
    cells = list(cells_of(PAGE, answer()).values())
    found = decided(cells, {"score": "judge.image_relevance", "min": 2})
    assert [image.position for image in found.document.images] == [2, 4]
    assert [(drop.position, drop.value) for drop in found.image_drops] == [(6, 1.0)]
    means = {cell.name: cell.value for cell in found.cells if cell.name.endswith("image_relevance")}
    assert (means["judge.text_image_relevance"], means["judge.least_image_relevance"]) == (4.0, 3.0)
    assert found.kept


def test_references_are_counted_again_after_the_judge_dropped_an_image() -> None:
    page = document("# House", "First, a red wall.", "!a", "The brown roof is shown in figure 2.", "!b")
    cells = list(cells_of(page, answer(images={2: 5, 4: 1})).values())
    before = references.scores(page)
    assert [cell.value for cell in before] == [0.0]
    found = decided(
        cells,
        {"score": "judge.image_relevance", "min": 2},
        {"score": "reference.dangling", "max": 0},
        page=page,
        before=before,
    )
    assert [(drop.rule, drop.value) for drop in found.drops] == [("reference.dangling", 1.0)]
    assert [cell.value for cell in found.cells if cell.name == "reference.dangling"] == [1.0]


def test_a_suspicious_or_unshown_value_passes_no_rule() -> None:
    suspicious = [
        Cell(cell.name, None, "suspicious", cell.position) for cell in cells_of(PAGE, answer()).values()
    ]
    for name in ("judge.safety", "judge.text_image_relevance"):
        found = decided(suspicious, {"score": name, "min": 1})
        assert [drop.reason for drop in found.drops] == [f"{name} (suspicious)"]
    assert decided(suspicious).kept
    unshown = decided(
        list(cells_of(PAGE, answer(images={2: 5})).values()), {"score": "judge.image_relevance", "min": 1}
    )
    assert [drop.reason for drop in unshown.image_drops] == ["judge.image_relevance (not_shown)"] * 2


def test_means_of_no_image_have_a_state() -> None:
    none = with_means(
        document("Only text here."), cells_of(document("Only text."), answer(images={})).values()
    )
    assert {cell.state for cell in none if cell.name.endswith("image_relevance")} == {"not_applicable"}
    unshown = with_means(PAGE, cells_of(PAGE, answer(images={})).values())
    assert {cell.state for cell in unshown if cell.name.endswith("image_relevance")} == {"not_shown"}


# --- the recipe ---


def panel(*judges: dict[str, Any], llm: LlmConfig = LLM, **settings: Any) -> list[tuple[str, LlmConfig]]:
    config = JudgeConfig.model_validate({"judges": judges, **settings})
    return [(judge.name, judge.llm) for judge in config.panel(llm)]


def test_without_a_list_the_model_of_llm_judges() -> None:
    assert panel() == [("m@1", LLM)]
    assert JudgeConfig().is_offline(LlmConfig())
    assert not JudgeConfig().is_offline(LLM)


def test_a_judge_inherits_what_is_not_of_another_server_or_model() -> None:
    (_, same), (_, model), (_, server) = panel(
        {"name": "same", "temperature": 1},
        {"name": "model", "model": "n"},
        {"name": "server", "base_url": "http://two.example/v1", "model": "n"},
    )
    assert (same.key_env, same.headers, same.revision, same.temperature) == ("KEY", {"X-Team": "a"}, "m@1", 1)
    assert same.price == LLM.price
    assert (model.key_env, model.headers, model.revision, model.price) == ("KEY", {"X-Team": "a"}, None, None)
    # no key or header of one server goes to another
    assert (server.key_env, server.headers, server.revision) == (None, {}, None)
    assert server.temperature == 0.5


def test_a_judge_on_another_server_is_not_asked_through_the_batches_of_llm() -> None:
    llm = LLM.model_validate({**LLM.model_dump(exclude_unset=True), "batch": True})
    judges = JudgeConfig.model_validate(
        {"judges": [{"name": "a", "model": "n"}, {"name": "b", "base_url": "http://two.example/v1"}]}
    )
    assert [one.llm.batch is not None for one in judges.panel(llm)] == [True, False]


def test_a_judge_of_another_provider_has_its_server_and_key() -> None:
    local = LlmConfig.model_validate({"provider": "ollama", "model": "m", "max_in_flight": 2})
    (_, same), (_, other), (_, own) = panel(
        {"name": "same", "model": "n"},
        {"name": "other", "provider": "openai", "model": "n"},
        {"name": "own", "base_url": "http://two.example/v1", "model": "n"},
        llm=local,
    )
    assert (same.provider, same.base_url, same.max_in_flight) == ("ollama", local.base_url, 2)
    assert (other.base_url, other.key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    assert (own.provider, own.key_env, own.max_in_flight) == ("openai", None, 64)


def test_a_judge_of_azure_has_a_deployment_of_its_own() -> None:
    resource = {"base_url": "https://a.openai.azure.com", "api_version": "2024-10-21"}
    azure = LlmConfig.model_validate({"provider": "azure", "model": "m", **resource})
    ((_, judge),) = panel({"name": "other", "model": "n"}, llm=azure)
    assert judge.base_url == "https://a.openai.azure.com/openai/deployments/n"
    assert judge.key_env == "AZURE_OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("judges", "settings", "message"),
    [
        ([{"name": "a", "model": "n"}, {"name": "a", "model": "o"}], {}, "two judges have this name"),
        ([{"name": "a", "model": "n"}, {"name": "b", "model": "n"}], {}, "the same model as a"),
        ([{"name": "a", "provider": "offline"}], {}, "it is offline"),
        (
            [{"name": "a", "temperature": 0}],
            {"samples": 3},
            "at temperature 0 a gives the same answer 3 times",
        ),
    ],
)
def test_judges_that_cannot_differ_or_answer_are_refused(
    judges: list[dict[str, Any]], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        panel(*judges, **settings)


def test_a_budget_needs_a_price_of_every_judge_and_is_no_setting_of_one() -> None:
    with pytest.raises(RecipeError, match=r"judges\[0\] \(a\): .*needs price"):
        panel(
            {"name": "a", "model": "n"},
            llm=LLM.model_copy(update={"budget": 5.0}).model_validate(
                {**LLM.model_dump(exclude_unset=True), "budget": 5.0}
            ),
        )
    with pytest.raises(ValueError, match=r"set llm\.budget"):
        JudgeConfig.model_validate({"judges": [{"name": "a", "budget": 5, "price": LLM.price}]})
