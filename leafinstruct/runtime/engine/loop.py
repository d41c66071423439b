"""Run io parts in one event loop of the calling process, for every engine: rate limits, budget and
connections have one owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from leafinstruct.runtime.engine.base import Needs, Part, R


def in_loop(task: Callable[[Part], Awaitable[R]], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
    """Await `task` for every part, `needs.parts_in_flight` at a time, and yield the results as parts finish.
    After an error the other parts are cancelled."""
    waiting = iter(parts)
    with asyncio.Runner() as runner:
        running: set[asyncio.Future[R]] = set()
        done: set[asyncio.Future[R]] = set()
        loop = runner.get_loop()
        try:
            while True:
                while len(running) < needs.parts_in_flight and (part := next(waiting, None)) is not None:
                    running.add(asyncio.ensure_future(task(part), loop=loop))
                if not running:
                    return
                done, running = runner.run(_first(running))
                for finished in done:
                    yield finished.result()
        finally:
            for unfinished in running:
                unfinished.cancel()
            runner.run(_settle(running | done, needs))


async def _first(tasks: set[asyncio.Future[R]]) -> tuple[set[asyncio.Future[R]], set[asyncio.Future[R]]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _settle(tasks: set[asyncio.Future[R]], needs: Needs) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    if needs.release is not None:
        await needs.release()
