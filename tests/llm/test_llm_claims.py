"""Builds that share a folder of answers pay for each question once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from llm.asking import ask, ask_and_count, online, question
from llm.misbehaving import GOOD, Misbehaving, after_gate, good

from leafinstruct.llm.cache import AnswerCache
from leafinstruct.llm.client import Client
from leafinstruct.llm.limits.claims import Claims

PROGRAM = """
import sys
from pathlib import Path
from llm.asking import ask_and_count, online, question
questions = [question(str(number)) for number in range(int(sys.argv[3]))]
answers, counts = ask_and_count(online(sys.argv[1], max_in_flight=8, deadline=120), Path(sys.argv[2]), *questions)
print(counts.requests, counts.cache_hits, *{answer.state for answer in answers})
"""  # noqa: E501


def build(url: str, cache: Path, count: int) -> subprocess.Popen[str]:
    """Another process that asks the same questions."""
    here = Path(__file__)
    environment = {**os.environ, "PYTHONPATH": f"{here.parents[1]}:{here.parents[2]}"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(cache), str(count)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_pay_for_each_question_once(server: Misbehaving, tmp_path: Path) -> None:
    server.always = good(delay=0.02)
    both = [build(server.url, tmp_path, 120) for _ in range(2)]
    reports = [process.communicate(timeout=300)[0].split() for process in both]
    assert [report[2:] for report in reports] == [["ok"], ["ok"]]
    asked = [int(report[0]) for report in reports]
    assert sum(asked) == len(server.seen) == 120
    assert sum(int(report[1]) for report in reports) == 120


def test_a_question_of_a_killed_process_is_asked_again(server: Misbehaving, tmp_path: Path) -> None:
    gate = threading.Event()
    server.script(after_gate(gate))
    process = build(server.url, tmp_path, 1)
    while not server.seen:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    gate.set()
    [answer] = ask(online(server.url), tmp_path, question("0"))
    assert (answer.value, len(server.seen)) == (GOOD, 2)


def test_two_clients_of_one_process_share_too(server: Misbehaving, tmp_path: Path) -> None:
    server.always = good(delay=0.05)

    async def both() -> int:
        clients = [Client(online(server.url), tmp_path) for _ in range(2)]
        await asyncio.gather(
            *[client.ask(question(str(number))) for number in range(20) for client in clients]
        )
        for client in clients:
            await client.close()
        return sum(client.counts.requests for client in clients)

    assert asyncio.run(both()) == len(server.seen) == 20


def test_a_claim_is_granted_once_and_again_after_its_release(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    keys = "0" * 63 + "1", "f" * 64
    with one.claim(keys[0]) as first, other.claim(keys[0]) as second, other.claim(keys[1]) as third:
        assert (first, second, third) == (True, False, True)
    with other.claim(keys[0]) as again:
        assert again
    one.close()
    other.close()


def test_news_reports_answers_of_others(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    with one.claim("0" * 64), other.claim("1" * 64):
        pass
    one.stored()
    assert (one.news(), other.news(), other.news()) == (False, True, False)
    one.close()
    other.close()


def test_without_a_place_for_the_claims_every_claim_is_granted(tmp_path: Path) -> None:
    """As on a file system without locks: the answers stay right, and two builds may both pay."""
    (tmp_path / "file").write_text("")
    claims = Claims(tmp_path / "file" / "cache")
    with claims.claim("0" * 64) as granted:
        assert granted
    assert not claims.news()


def test_refresh_reads_the_new_lines_of_others_once_and_a_line_that_is_not_yet_whole_later(
    tmp_path: Path,
) -> None:
    reader, writer = AnswerCache(tmp_path), AnswerCache(tmp_path)
    keys = [f"{number:064x}" for number in range(3)]
    reader.put(keys[0], "tiny", "judge", {"n": 0}, "")
    writer.put(keys[1], "tiny", "judge", {"n": 1}, "")
    assert not list(reader.get(keys[1]))
    reader.refresh()
    reader.refresh()
    assert [stored.value for stored in reader.get(keys[1])] == [{"n": 1}]
    assert [stored.value for stored in reader.get(keys[0])] == [{"n": 0}]
    writer.put(keys[2], "tiny", "judge", {"n": 2}, "")
    writer.close()
    [path] = [path for path in tmp_path.glob("answers-*") if keys[2] in path.read_text()]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    reader.refresh()
    assert not list(reader.get(keys[2]))
    path.write_bytes(whole)
    reader.refresh()
    assert [stored.value for stored in reader.get(keys[2])] == [{"n": 2}]
    reader.close()


def test_the_answers_of_an_earlier_process_are_not_asked_again(server: Misbehaving, tmp_path: Path) -> None:
    ask(online(server.url), tmp_path, question("0"))
    process = build(server.url, tmp_path, 2)
    assert process.communicate(timeout=300)[0].split() == ["1", "1", "ok"]
    _, counts = ask_and_count(online(server.url), tmp_path, question("1"))
    assert (counts.requests, len(server.seen)) == (0, 2)
