"""A session with the Python API: build a small dataset, look at what was dropped and why, and generate.

    python examples/look_at_a_run.py

Needs no network, key or GPU, and takes about 20 s; it writes runs/look below the current folder. The lines
that it prints are in look_at_a_run.txt beside it. In a notebook the same lines work without `main`.
"""

from __future__ import annotations

from pathlib import Path

import leafinstruct

RECIPE = Path(__file__).parent.parent / "pipelines/demo.yaml"
SMALL = ["name=look", "ingest.sources[0].documents=60", "ingest.sources[0].videos=0"]


def main() -> None:
    """Run the session. Workers are processes that import this file, so a script has a main."""
    run = leafinstruct.build(RECIPE, changes=SMALL)  # later: leafinstruct.open("runs/look")
    print("The funnel, as `leaf status` prints it:")
    funnel = run.funnel()
    print(funnel[["step", "documents", "images"]].to_string(index=False))

    print("\nWhat dropped documents, counted by their first reason:")
    drops = run.drops()
    first = drops[drops.scope == "document"].drop_duplicates("document_id")
    print(first.rule.astype(str).value_counts().to_string(header=False))

    print("\nOwn text and image: cosines of the packaged CLIP, which knows only this corpus:")
    own = run.scores(["alignment.own"]).value
    print(own.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).round(2).to_string())
    bound = 0.2
    print(f"A bound of {bound} would drop {(own < bound).sum()} of {own.count()} images.")

    print("\nThe history of the first document that was dropped:")
    record = run.explain(first.document_id.iloc[0])["record"]
    print(record["source"]["title"], "|", record["fate"], "|", record["filter"]["drops"][0]["rule"])

    print("\nOne example, with its images:")
    example = run.examples(["task", "messages", "images"], limit=1).iloc[0]
    images = iter(example.images)
    for message in example.messages:
        for part in message["content"]:
            shown = part["text"] or f"[image of {next(images).size}]"
            print(f"  {message['role']}: {shown[:90]}")

    print("\nScores of documents that no run has:")
    pages = leafinstruct.read({"kind": "sketchbook", "seed": 11, "documents": 4, "image_px": 64})
    scores = leafinstruct.score(pages, ["text.words", "text.links"])
    print(scores.pivot(index="document_id", columns="name", values="value").to_string())

    print("\nAn answer of the packaged model, which was trained on such lessons:")
    backbone = leafinstruct.load_backbone("chameleon", "leaf:tiny-1", device="cpu")
    answer = leafinstruct.generate(backbone, "How do I draw a red house?", max_images=1, seed=2)
    print(answer.text.splitlines()[0], "|", [image.size for image in answer.images], "|", answer.ended)


if __name__ == "__main__":
    main()
