"""croissant.json: rights, collection and responsible-AI fields in Croissant 1.0 and its RAI extension 1.0.

The Hub generates a Croissant file for every dataset (`/api/datasets/<repo>/croissant`) with the columns and
one license. This file adds what the Hub cannot know: licenses by record, the origin of the documents, what
was dropped by which rule and model, what is missing, and what was not reviewed. It describes the files of a
folder, with their sha256, and is read from that folder or from a clone of the repository.

Chosen: plain JSON over mlcroissant, which needs pandas and a graph library; it is only used to validate.
`messages` is mentioned but has no fields, because Croissant cannot describe lists of lists. Unknown fields
are left out. Source: docs.mlcommons.org/croissant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leafinstruct.card.tally import Tally
from leafinstruct.records import license
from leafinstruct.records.preference.row import FOLDER

_VOCABULARY = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {
    name: f"cr:{name}"
    for name in (
        *(
            "column",
            "equivalentProperty",
            "extract",
            "field",
            "fileProperty",
            "fileObject",
            "fileSet",
            "format",
            "includes",
            "isLiveDataset",
        ),
        *(
            "jsonPath",
            "key",
            "md5",
            "parentField",
            "path",
            "recordSet",
            "references",
            "regex",
            "repeated",
            "replace",
            "samplingRate",
        ),
        *("separator", "source", "subField", "transform"),
    )
}

_COLLECTED = {
    "html": "Document analysis",
    "conversations": "Document analysis",
    "video": "Document analysis",
    "warc": "Web Scraping",
    "sketchbook": "Software Collection",
}
"""Kind of source -> term of the RAI vocabulary; every other kind is an existing dataset."""

_TEXT = {
    "id": "",
    "document_id": "",
    "source": "",
    "task": "",
    "url": "The canonical URL of the page if it is in the same domain, else the URL of the page.",
    "page_url": "The URL at which the page was found; null for a local file.",
    "title": "The title that the source states; null if it states none.",
    "language": (
        "The language of the document, identified from its text: ISO 639-1, else 639-3; null if undetermined."
    ),
    "license": "",
}
"""Text columns -> description, empty where the name is enough."""

_PREFERENCE = {
    "id": "",
    "example_id": "The `id` of the record with the chosen answer, in the record set `examples`.",
    "document_id": "",
    "source": "",
    "task": "",
    "kind": (
        "How the rejected answer was made: round (a draft that the examiner scored lower), shuffled_steps, "
        "swapped_image or other_text (changes of the chosen answer)."
    ),
}
"""Text columns of preference rows -> description."""

_INFO = {
    "sha256": ("sc:Text", ""),
    "ref": ("sc:Text", ""),
    "url": ("sc:Text", ""),
    "license": ("sc:Text", ""),
    "width": ("sc:Integer", ""),
    "height": ("sc:Integer", ""),
    "owner": (
        "sc:Integer",
        "Position, in the source document, of the text that the image belongs to; null if unknown.",
    ),
    "owner_found": (
        "sc:Text",
        "How the owner was found: stated by the source, inferred, matched by a model, or unknown.",
    ),
}
"""Fields of image_info -> type and description."""


def contents(name: str, card: Mapping[str, Any], build: Mapping[str, Any], tally: Tally) -> dict[str, object]:
    """Contents of croissant.json. card: contents of the card; build: contents of build.json."""
    return {
        "@context": _VOCABULARY,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name.partition("@")[0],
        "description": (
            f"{tally.rows:,} instruction-tuning examples whose questions and answers mix text and "
            f"{card['images']:,} images."
        ),
        "version": name.partition("@")[2],
        "keywords": ["interleaved", "instruction-tuning", "leafinstruct"],
        "license": list(_licenses(tally)),
        **({"inLanguage": codes} if (codes := sorted(filter(None, tally.languages))) else {}),
        **_responsible(card, build, tally),
        "distribution": [*map(_file, build["shards"]), _file_set(), *_preference_files(build)],
        "recordSet": [_records(), *([_preference_records()] if build.get(FOLDER, {}).get("shards") else [])],
    }


def _licenses(tally: Tally) -> Iterator[Any]:
    """Licenses with a URL where SPDX knows them, else the name that the records state."""
    for stated, (records, images) in license.most_first(tally.rights)[: license.DETAILS]:
        amount = f"stated by {records:,} records and {images:,} images"
        if stated is None:
            amount = f"{records:,} records and {images:,} images state no license."
            yield {"@type": "sc:CreativeWork", "name": "unknown", "description": amount}
        elif name := license.spdx(stated):
            yield {
                "@type": "sc:CreativeWork",
                "name": name,
                "url": f"https://spdx.org/licenses/{name}.html",
                "description": amount,
            }
        else:
            yield {"@type": "sc:CreativeWork", "name": license.one_line(stated), "description": amount}


def _responsible(card: Mapping[str, Any], build: Mapping[str, Any], tally: Tally) -> dict[str, object]:
    sources = build["recipe"]["ingest"]["sources"]
    models = [f"{what}: {model}" for what, model in card["models"].items() if model]
    return {
        "rai:dataCollection": (
            (
                f"{card['ingest']['documents']:,} documents with {card['ingest']['images']:,} images "
                "were read from "
            )
            + ", ".join(
                f"{source['name']} ({source['kind']}{': ' + source['repo'] if source.get('repo') else ''})"
                for source in sources
            )
            + f". {_fetched(build['recipe'])} Records of the dataset by source: "
            + ", ".join(f"{source} {count:,}" for source, count in sorted(tally.sources.items()))
            + "."
        ),
        "rai:dataCollectionType": sorted(
            {_COLLECTED.get(source["kind"], "Secondary Data Analysis") for source in sources}
        ),
        "rai:dataCollectionRawData": "; ".join(
            f"{source}: {files['files']:,} files, sha256 of the list of their sha256 {files['sha256']}"
            for source, files in build["sources"].items()
        ),
        "rai:dataCollectionMissingData": _missing(card),
        "rai:dataPreprocessingProtocol": [_rule(rule) for rule in card["rules"]] or ["No rule was set."],
        "rai:dataManipulationProtocol": (
            f"Documents were rewritten as examples by {card['rewrite_model']}; images are unchanged and keep "
            "their order."
        ),
        "rai:dataAnnotationProtocol": [
            "Scores were computed by machine for each document and image. There are no human annotations."
        ],
        "rai:machineAnnotationTools": [f"leafinstruct {build['versions']['leafinstruct']}", *models],
        "rai:dataBiases": [
            "The selection depends on the sources and on the rules. Representation was not measured."
        ],
        "rai:personalSensitiveInformation": [
            "Pages may name and show people: names and faces were not searched for, and nothing was blurred.",
            *(line for line in card["limits"] if "Names of people" in line),
        ],
        "rai:dataUseCases": [
            "Training models that answer in text and images. The data was not validated for other uses."
        ],
        "rai:dataLimitations": card["limits"],
    }


_DROPPED = {"itself": "itself", "image": "itself", "step": "itself and its step", "document": "its document"}
"""`drop` of a rule -> what a failing image drops."""


def _fetched(recipe: Mapping[str, Any]) -> str:
    fetch = recipe["filter"]["images"]["fetch"]
    if fetch is None:
        return "Nothing was fetched from the web."
    robots = f"robots.txt was {'obeyed' if fetch['robots'] else 'ignored'}"
    opt_out = f"opt-outs in headers were {'obeyed' if fetch['opt_out'] else 'ignored'}"
    return f"Images on the web were fetched; {robots}, {opt_out}."


def _missing(card: Mapping[str, Any]) -> str:
    lost = [f"{count:,} {reason}" for reason, count in card["unreadable"]]
    parts = [
        f"Could not be read: {', '.join(lost)}." if lost else "All records could be read.",
        f"{card['unfetched']:,} images were not fetched." if card["unfetched"] else "",
        (
            f"Dropped by rules: {card['filter']['documents'] - card['filter']['kept']:,} of "
            f"{card['filter']['documents']:,} documents."
        ),
    ]
    return " ".join(part for part in parts if part)


def _rule(rule: Mapping[str, Any]) -> str:
    bounds = " and ".join(
        f"{'at least' if side == 'min' else 'at most'} {rule[side]:g}"
        for side in ("min", "max")
        if side in rule
    )
    dropped = f"; a failing image drops {_DROPPED[rule['drop']]}" if rule["drop"] else ""
    model = f"; bound calibrated for {rule['model']}" if rule.get("model") else ""
    loose = "; not calibrated for the model used" if rule.get("uncalibrated") else ""
    failed = f"{rule['failing']:,} of {rule['scored']:,} failed"
    return f"{rule['score']}: {bounds}{dropped}{model}{loose}; {failed}"


def _file(shard: Mapping[str, Any]) -> dict[str, object]:
    return {
        "@type": "cr:FileObject",
        "@id": shard["name"],
        "name": shard["name"],
        "contentUrl": shard["name"],
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": "application/x-parquet",
        "sha256": shard["sha256"],
    }


def _file_set() -> dict[str, object]:
    return {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "encodingFormat": "application/x-parquet",
        "includes": "*.parquet",
    }


def _preference_files(build: Mapping[str, Any]) -> list[dict[str, object]]:
    if not build.get(FOLDER, {}).get("shards"):
        return []
    files = [_file(shard) for shard in build[FOLDER]["shards"]]
    return [*files, {**_file_set(), "@id": FOLDER, "name": FOLDER, "includes": f"{FOLDER}/*.parquet"}]


def _preference_records() -> dict[str, object]:
    """The record set of preference rows: their text columns and images."""
    names = {
        **_PREFERENCE,
        **{name: _TEXT[name] for name in ("url", "page_url", "title", "language", "license")},
    }
    fields = [_field(name, "sc:Text", name, meaning=meaning, of=FOLDER) for name, meaning in names.items()]
    images = {**_field("images", "sc:ImageObject", "images", path="bytes", of=FOLDER), "repeated": True}
    return {
        "@type": "cr:RecordSet",
        "@id": FOLDER,
        "name": FOLDER,
        "description": (
            "A question with a chosen and a rejected answer per record. Rejected answers are synthetic: "
            "worse drafts of a language model, or the chosen answer after a change that `kind` names."
        ),
        "key": {"@id": f"{FOLDER}/id"},
        "field": [*fields, images],
    }


def _records() -> dict[str, object]:
    """The record set: the columns of the published row."""
    info = [
        _field(f"image_info/{name}", kind, "image_info", path=name, meaning=meaning)
        for name, (kind, meaning) in _INFO.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": (
            "One example per record, over all tasks and splits. The column `messages` holds the turns; its "
            "image parts refer to `images` in order."
        ),
        "key": {"@id": "examples/id"},
        "field": [
            *(_field(name, "sc:Text", name, meaning=meaning) for name, meaning in _TEXT.items()),
            {**_field("images", "sc:ImageObject", "images", path="bytes"), "repeated": True},
            {
                "@type": "cr:Field",
                "@id": "examples/image_info",
                "name": "image_info",
                "repeated": True,
                "subField": info,
            },
        ],
    }


def _field(
    name: str, kind: str, column: str, path: str | None = None, meaning: str = "", of: str = "examples"
) -> dict[str, object]:
    files = "shards" if of == "examples" else of
    source: dict[str, object] = {"fileSet": {"@id": files}, "extract": {"column": column}}
    transform = {} if path is None else {"transform": {"jsonPath": path}}
    described = {"description": meaning} if meaning else {}
    return {
        "@type": "cr:Field",
        "@id": f"{of}/{name}",
        "name": name,
        **described,
        "dataType": kind,
        "source": {**source, **transform},
    }
