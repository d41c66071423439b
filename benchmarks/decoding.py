"""Decode and resize to 256 pixels, in images a CPU second, against img2dataset's Resizer: the same files, one
run, one thread. For each image the best of PASSES x ROUNDS counts, alternating with the peer, so that other
load on the machine has little and equal influence.

    python benchmarks/decoding.py FOLDER [--peer PATH/bin/python]

FOLDER is searched for JPEG files. --peer: a Python with img2dataset (pip install img2dataset==1.47.0, in its
own environment). Its Resizer scales the shorter side to 256 and encodes to JPEG again, as its datasets are
stored; leafinstruct is measured the same way, decoded and encoded.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from leafinstruct.images.decode import Undecodable, decode, probe

PASSES, ROUNDS, SIDE, QUALITY = 4, 3, 256, 95
PEER = """
import io, sys, time, os
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import cv2
cv2.setNumThreads(1)
from img2dataset.resizer import Resizer
resizer = Resizer(image_size=256, resize_mode="keep_ratio", resize_only_if_bigger=True, encode_quality=95, encode_format="jpg")
data = [open(name, "rb").read() for name in sys.argv[2:]]
best = [1e9] * len(data)
for _ in range(int(sys.argv[1])):
    for index, item in enumerate(data):
        started = time.process_time()
        resizer(io.BytesIO(item))
        best[index] = min(best[index], time.process_time() - started)
print(*best)
"""  # noqa: E501


def resized(data: bytes) -> bytes | None:
    """Return a JPEG whose shorter side is SIDE pixels, None if the data is no image."""
    header = probe(data)
    if isinstance(header, Undecodable):
        return None
    longer = max(header.width, header.height) * SIDE / min(header.width, header.height)
    image = decode(data, round(longer))
    if isinstance(image, Undecodable):
        return None
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def seconds(work: Callable[[bytes], object], data: list[bytes]) -> list[float]:
    """CPU seconds of each image, the best of its rounds."""
    best = [float("inf")] * len(data)
    for _ in range(ROUNDS):
        for index, item in enumerate(data):
            started = time.process_time()
            work(item)
            best[index] = min(best[index], time.process_time() - started)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", type=Path)
    arguments = parser.parse_args()
    names = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    data = [name.read_bytes() for name in names]
    broken = sum(isinstance(decode(item, SIDE), Undecodable) for item in data)
    command = [str(arguments.peer), "-c", PEER, str(ROUNDS), *map(str, names)]
    passes = []
    for _ in range(PASSES):
        ours = seconds(resized, data), seconds(lambda item: decode(item, SIDE), data)
        peer = (
            []
            if arguments.peer is None
            else subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[
                -len(data) :
            ]
        )
        passes.append((*ours, [float(item) for item in peer]))
    best, decoding, peers = (sum(map(min, zip(*times, strict=True))) for times in zip(*passes, strict=True))
    print(
        f"{len(names)} JPEGs, {sum(map(len, data)) / len(data) / 1000:.0f} kB on average, {broken} of "
        "them are none or broken"
    )
    print(f"leafinstruct, decode, resize, encode {len(names) / best:8.0f} images/CPU-s")
    print(
        f"leafinstruct, decode to {SIDE} px       {len(names) / decoding:8.0f} images/CPU-s (what filter "
        "does)"
    )
    if arguments.peer is None:
        print("img2dataset: not given (--peer)")
        return
    print(f"img2dataset, Resizer                 {len(names) / peers:8.0f} images/CPU-s")
    print(f"ratio: {peers / best:.2f} with encoding, {peers / decoding:.2f} for what filter does")


if __name__ == "__main__":
    main()
