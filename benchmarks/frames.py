"""Frames of steps against decoding the whole video: CPU seconds, one thread, one run.

python benchmarks/frames.py VIDEO [VIDEO ...] [--step SECONDS]

For steps of SECONDS over each whole video: choosing a frame of each, then taking those frames as JPEG, in processes of their own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from leafinstruct.pictures import frames
from leafinstruct.pictures.unreadable import Unreadable
from leafinstruct.pictures.video import opened


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--step", type=float, default=5.0)
    arguments = parser.parse_args()
    for path in arguments.videos:
        facts = frames.facts(path)
        assert not isinstance(facts, Unreadable), facts
        length = facts.duration or 0.0
        steps = [(start * arguments.step, (start + 1) * arguments.step) for start in range(max(1, int(length / arguments.step)))]
        started = time.process_time()
        with opened(path) as video:
            count = sum(1 for _ in video.frames(0.0, "DEFAULT"))
        whole = time.process_time() - started
        started = time.process_time()
        chosen = frames.choose(path, steps, 1)
        assert not isinstance(chosen, Unreadable), chosen
        choosing = time.process_time() - started
        started = time.process_time()
        taken = [frames.frame(path, moment) for times in chosen for moment in times]
        taking = time.process_time() - started
        ratio = whole / (choosing + taking)
        print(
            f"{path.name}: {length:.1f} s, {count} frames, {facts.width} x {facts.height}; all decoded {whole:.2f} s; {len(taken)} frames of "
            f"{len(steps)} steps: chosen {choosing:.2f} s, taken {taking:.2f} s; {ratio:.2f} times as fast as decoding all"
        )


if __name__ == "__main__":
    main()
