from __future__ import annotations

import httpx

from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import Emit, Pause, Steps
from lepton_tasks.client.texts import TextStream
from lepton_tasks.client.writing import Written


def test_a_text_knows_nothing_before_it_has_begun() -> None:
    done: list[str] = []

    def steps() -> Steps[None]:
        written.id = "cmpl_7"
        try:
            for piece in ("今天", "天气"):
                written.pieces.append(piece)
                yield Emit(piece)
        finally:
            yield Pause(0)
            done.append("closed")

    written = Written()
    with httpx.Client() as http:
        driver = BlockingDriver(http, Configuration("http://a.test", "k"))
        with TextStream(driver, steps(), written) as text:
            assert (text.text, text.job_id, text.finish_reason, text.usage) == (
                "",
                None,
                None,
                None,
            )
            assert next(text) == "今天"
            assert (text.text, text.job_id, done) == ("今天", "job_7", [])
    assert done == ["closed"]
    assert list(text) == []
