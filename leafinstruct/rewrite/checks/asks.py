"""Whether an instruction is one: it has content, it asks for something, and it asks for what the task gives.
Pure.

    content   two words, a question of one longer word, or the title; in scripts without spaces three letters.
              "So:" has none
    request   a question, an order or a wish; only English (`REQUEST`), else not checked
    task      of a part of the document: what follows it; of an edit: a change. Only English

A rule counts only if all wordings of the task meet it, so that a recipe's own questions, in whatever style,
are never faults. The value is the share of the rules that are met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from leafinstruct.records.document import Document
from leafinstruct.records.example import Turn
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.words import QUESTION_MARKS, count_letters, folded, sentences_of, words_of
from leafinstruct.rewrite.checks.coverage import Result
from leafinstruct.rewrite.config import ENGLISH
from leafinstruct.rewrite.edits import passage_of
from leafinstruct.rewrite.worded import Task

_WORDS, _LETTERS = 2, 3

_POLITE = (
    r"(?:\W|(?:please|kindly|now|then|next|also|first|finally|hi|hello|hey|and|using|with)\b|"
    r"(?:can|could|would|will)\s+you\b)*+"
)
"""What may precede a request. Nothing in it is tried twice, since "now now now ..." would take exponential
time."""
_VERBS = (
    "add adjust analy[sz]e answer arrange assemble bake blur brighten bring build calculate carry "
    "change check "
    "choose clarify color colour compare complete compose construct continue convert cook copy cover "
    "craft create "
    "crop cut darken decorate define delete demonstrate depict describe design detail develop "
    "discuss display "
    "document draft draw edit enlarge erase examine expand explain explore extend fill find finish "
    "fix flip fold "
    "generate give go guide help highlight identify illustrate imagine include insert instruct "
    "introduce invert "
    "keep lead let let's list look make mirror modify move narrate offer outline paint pick place "
    "plan portray "
    "prepare present print produce provide put recolou?r recount render repaint repair replace report resize "
    "reverse review rewrite rotate sew share sharpen show shrink sketch solve summari[sz]e supply "
    "swap take talk teach tell trace transform translate turn use visuali[sz]e walk watch write"
)
_ASKING = (
    r"(?:what|which|who|whose|why|when|where|how|is|are|do|does|did|can|could|should|would|will|may|have|"
    r"has)\b"
)
REQUEST = re.compile(
    rf"^{_POLITE}(?:(?:{'|'.join(_VERBS.split())})\b|{_ASKING}.*\?)"
    r"|\b(?:please|i\s+(?:need|want|wish|would\s+(?:like|love)|have\s+to|am\s+looking|come)|"
    r"i'd\s+(?:like|love)|"
    r"i'm\s+looking|looking\s+for|help\s+me|show\s+me|tell\s+me|(?:can|could|would|will)\s+you)\b",
    re.IGNORECASE | re.DOTALL,
)
"""A sentence that asks for something in English."""
_CONTINUES = re.compile(
    r"\b(?:continu\w*|carry\s+on|go(?:es|ing)?\s+on|proceed|next|rest|remaind\w+|remaining|finish\w*|"
    r"complet\w*|end|"
    r"ends|ending|follow\w*|after|further|last|final|finally|missing|left|more|second|other|conclu\w+|comes?|"
    r"happens?|extend|resume|now|then|on\s+from|pick\s+up)\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:add|adjust|blur|brighten|chang\w*|colou?r|convert|crop|cut|darken|delete|draw|edit|"
    r"enlarge|erase|fill|"
    r"flip|give|insert|invert|make|mirror|modif\w*|move|paint|place|put|recolou?r|remove|repaint|"
    r"replace|resize|"
    r"rotate|sharpen|shrink|swap|take|transform|turn|update|without|instead|become|becomes)\b",
    re.IGNORECASE,
)

_CONTENT = re.compile(r"\b(?!(?:the|this|that|and|now|then|its|with|after|result)\b)\w{3,}")


def question(document: Document, task: Task, turns: Sequence[Turn]) -> Result:
    """Share of the rules that the instruction meets, and which it does not meet or were not checked."""
    first = turns[0].parts[0]
    instruction = first if isinstance(first, str) else ""
    results = {"it has no content": _has_content(instruction, document)}
    in_english = document.language == ENGLISH
    if in_english and _all_meet(task, _is_request):
        results["it asks for nothing: word it as a question or a request"] = _is_request(instruction)
    if in_english and task.family.asked == "change":
        results["it must ask for the change that the text between the images describes"] = _is_change(
            instruction, document
        )
    elif in_english and task.family.given != "nothing" and _all_meet(task, _is_continuation):
        results["it must ask for what follows the context"] = _is_continuation(instruction)
    broken = [rule for rule, is_met in results.items() if not is_met]
    if broken:
        return (len(results) - len(broken)) / len(results), f"the instruction: {'; '.join(broken)}"
    place = "an unknown language" if document.language is None else named(document.language)
    return 1.0, "" if in_english else f"only the content of the instruction is checked in {place}"


def _all_meet(task: Task, rule: Callable[[str], bool]) -> bool:
    wording = task.wording
    asks = () if wording is None else (*wording.ask, *wording.ask_untitled)
    return all(map(rule, asks))


def _has_content(instruction: str, document: Document) -> bool:
    words = words_of(instruction)
    if folded(instruction) == folded(document.title or "") != "":
        return True
    spaced = [word for word in words if len(word) > 1 or word.isdecimal()]
    is_unspaced = len(spaced) * 2 < len(words)
    if is_unspaced:
        return count_letters(instruction) >= _LETTERS
    return len(words) >= _WORDS or (count_letters(instruction) > _LETTERS and _is_question(instruction))


def _is_request(text: str) -> bool:
    return _is_question(text) or any(REQUEST.search(sentence) for sentence in sentences_of(text))


def _is_question(text: str) -> bool:
    return text.rstrip("\"'”» )").endswith(tuple(QUESTION_MARKS))


def _is_continuation(text: str) -> bool:
    return _CONTINUES.search(text) is not None


def _is_change(instruction: str, document: Document) -> bool:
    """Whether it names a change, or half of the words of the passage between the images."""
    if _CHANGES.search(instruction):
        return True
    passage = _CHANGES.sub(" ", passage_of(document) or "").lower()
    wanted = set(_CONTENT.findall(passage))
    return bool(wanted) and 2 * len(wanted & set(_CONTENT.findall(instruction.lower()))) >= len(wanted)
