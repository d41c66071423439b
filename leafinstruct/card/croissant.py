"""croissant.json: rights, collection and responsible-AI fields in the vocabulary of Croissant 1.0 and its RAI
extension 1.0.

The Hub makes a Croissant file of its own for every dataset (`/api/datasets/<repo>/croissant`): the columns,
as its viewer sees them, and one license.
This one adds what the Hub cannot know: who states which license, where the documents come from, what was
dropped, by which rule and model, what is missing, what nobody looked at. It describes the files of a folder,
with their sha256, and is read from that folder or a clone of the repository.

Written as plain JSON, because mlcroissant brings pandas and a graph library and is needed to check only.
`messages` is told but not taken apart: lists in lists are more than Croissant's fields reach. Unknown fields
are left out, not filled with words. Source: docs.mlcommons.org/croissant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leafinstruct.card import license
from leafinstruct.card.tally import Tally

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
"""Kind of source -> the RAI vocabulary's word; every other kind is somebody's dataset."""

_TEXT = {
    "id": "",
    "document_id": "",
    "source": "",
    "task": "",
    "url": "The canonical URL of the page, where it is of the same domain, else the page's own.",
    "page_url": "The URL at which the page was found; null for a local file.",
    "title": "The title that the source states; null where it states none.",
    "language": (
        "The language of the document, identified from its text: ISO 639-1, else 639-3; null where it is "
        "undetermined."
    ),
    "license": "",
}
"""Columns of text -> what they mean, where their name does not say it."""

_INFO = {
    "sha256": ("sc:Text", ""),
    "ref": ("sc:Text", ""),
    "url": ("sc:Text", ""),
    "license": ("sc:Text", ""),
    "width": ("sc:Integer", ""),
    "height": ("sc:Integer", ""),
    "owner": (
        "sc:Integer",
        "Position, in the source document, of the text that the image belongs to; null where it is unknown.",
    ),
    "owner_found": ("sc:Text", "How the owner was found: stated by the source, inferred, or unknown."),
}
"""Fields of image_info -> their type, and what they mean."""


def contents(name: str, told: Mapping[str, Any], build: Mapping[str, Any], tally: Tally) -> dict[str, Any]:
    """What croissant.json holds. told: the card's contents; build: those of build.json."""
    return {
        "@context": _VOCABULARY,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name.partition("@")[0],
        "description": (
            f"{tally.rows:,} instruction-tuning examples whose questions and answers mix text and "
            f"{told['images']:,} images."
        ),
        "version": name.partition("@")[2],
        "keywords": ["interleaved", "instruction-tuning", "leafinstruct"],
        "license": list(_licenses(tally)),
        **({"inLanguage": spoken} if (spoken := sorted(filter(None, tally.languages))) else {}),
        **_responsible(told, build, tally),
        "distribution": [*map(_file, build["shards"]), _file_set()],
        "recordSet": [_records()],
    }


def _licenses(tally: Tally) -> Iterator[Any]:
    """An address for what SPDX and the Hub know, else the words of the records, which are no address and
    shall not be taken for one."""
    for stated, (records, images) in license.most_first(tally.rights)[: license.DETAILS]:
        amount = f"stated by {records:,} records and {images:,} images"
        if stated is None:
            yield {"@type": "sc:CreativeWork", "name": "unknown", "description": f"No license is {amount}."}
        elif name := license.spdx(stated):
            yield {
                "@type": "sc:CreativeWork",
                "name": name,
                "url": f"https://spdx.org/licenses/{name}.html",
                "description": amount,
            }
        else:
            yield {"@type": "sc:CreativeWork", "name": license.one_line(stated), "description": amount}


def _responsible(told: Mapping[str, Any], build: Mapping[str, Any], tally: Tally) -> dict[str, Any]:
    sources = build["recipe"]["ingest"]["sources"]
    models = [f"{what}: {model}" for what, model in told["models"].items() if model]
    return {
        "rai:dataCollection": (
            (
                f"{told['ingest']['documents']:,} documents with {told['ingest']['images']:,} images "
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
            f"{source}: {files['files']:,} files, sha256 over the list of theirs {files['sha256']}"
            for source, files in build["sources"].items()
        ),
        "rai:dataCollectionMissingData": _missing(told),
        "rai:dataPreprocessingProtocol": [_rule(rule) for rule in told["rules"]] or ["No rule was set."],
        "rai:dataManipulationProtocol": (
            f"Documents became examples by {told['rewrite_model']}; images keep their order and are as found."
        ),
        "rai:dataAnnotationProtocol": [
            (
                "Scores were computed by machine for each document and each image; no person annotated "
                "anything."
            )
        ],
        "rai:machineAnnotationTools": [f"leafinstruct {build['versions']['leafinstruct']}", *models],
        "rai:dataBiases": [
            ("What stays is what the sources hold and the rules keep; nobody measured whom that leaves out.")
        ],
        "rai:personalSensitiveInformation": [
            "Pages may name and show people. Nothing looked for personal data, and nothing was blurred."
        ],
        "rai:dataUseCases": [
            "Training models that answer in text and images. It was validated for no other use."
        ],
        "rai:dataLimitations": told["limits"],
    }


def _fetched(recipe: Mapping[str, Any]) -> str:
    fetch = recipe["filter"]["images"]["fetch"]
    if fetch is None:
        return "Nothing was fetched from the web."
    robots = "robots.txt was obeyed" if fetch["robots"] else "robots.txt was not asked"
    opt_out = (
        "opt-outs in headers were obeyed" if fetch["opt_out"] else "opt-outs in headers were not asked for"
    )
    return f"Images on the web were fetched; {robots}, {opt_out}."


def _missing(told: Mapping[str, Any]) -> str:
    lost = [f"{count:,} {reason}" for reason, count in told["unreadable"]]
    parts = [
        f"Could not be read: {', '.join(lost)}." if lost else "Everything could be read.",
        f"{told['unfetched']:,} images were not fetched." if told["unfetched"] else "",
        (
            f"Dropped by rules: {told['filter']['documents'] - told['filter']['kept']:,} of "
            f"{told['filter']['documents']:,} documents."
        ),
    ]
    return " ".join(part for part in parts if part)


def _rule(rule: Mapping[str, Any]) -> str:
    bounds = " and ".join(
        f"{'at least' if side == 'min' else 'at most'} {rule[side]:g}"
        for side in ("min", "max")
        if side in rule
    )
    cost = (
        f"; an image that fails costs {'its document' if rule['drop'] == 'document' else 'itself'}"
        if rule["drop"]
        else ""
    )
    model = f"; bound set for {rule['model']}" if rule.get("model") else ""
    loose = "; not calibrated for the model used" if rule.get("uncalibrated") else ""
    return f"{rule['score']}: {bounds}{cost}{model}{loose}; {rule['failing']:,} of {rule['scored']:,} failed"


def _file(shard: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard["name"],
        "name": shard["name"],
        "contentUrl": shard["name"],
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": "application/x-parquet",
        "sha256": shard["sha256"],
    }


def _file_set() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "encodingFormat": "application/x-parquet",
        "includes": "*.parquet",
    }


def _records() -> dict[str, Any]:
    """Columns of the published row."""
    info = [
        _field(f"image_info/{name}", kind, "image_info", path=name, meaning=meaning)
        for name, (kind, meaning) in _INFO.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": (
            "One example a record, over all tasks and splits. The column `messages` holds the turns; its "
            "image parts stand for `images`."
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


def _field(name: str, kind: str, column: str, path: str | None = None, meaning: str = "") -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": "shards"}, "extract": {"column": column}}
    transform = {} if path is None else {"transform": {"jsonPath": path}}
    described = {"description": meaning} if meaning else {}
    return {
        "@type": "cr:Field",
        "@id": f"examples/{name}",
        "name": name,
        **described,
        "dataType": kind,
        "source": {**source, **transform},
    }
