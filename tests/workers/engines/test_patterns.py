"""The patterns engine through the shipped catalogue and the task's examples."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.redaction import Redaction, RedactionOptions, RedactionOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine

TASK = Redaction()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("redaction", read_catalogue(DEFAULT_CATALOGUE), "cpu")


def test_it_has_no_weights_and_nothing_to_tune(engine: Engine) -> None:
    assert engine.lane.tunable is False
    assert list(engine.tensors()) == []
    assert engine.revision.startswith("rules-1-phonenumbers-9.")


def test_other_inputs_are_named(engine: Engine) -> None:
    with pytest.raises(TypeError, match="redaction takes RedactionInput, not ModelInput"):
        engine.tokenize([ModelInput("text", "en")])


def test_examples_alone_and_together(engine: Engine) -> None:
    options = [RedactionOptions.model_validate(one.options) for one in TASK.examples]
    inputs = [
        TASK.encode(one.input, chosen) for one, chosen in zip(TASK.examples, options, strict=True)
    ]
    together = engine.forward(engine.tokenize(inputs))
    outputs: list[RedactionOutput] = []
    for one, chosen, raw in zip(inputs, options, together, strict=True):
        assert list(engine.forward(engine.tokenize([one]))) == [raw]
        outputs.append(TASK.decode(raw, one, chosen))
    assert [one.text for one in outputs] == [
        "Call me at [PHONE] or write to [EMAIL].",
        "我的手机号是[PHONE]，身份证号[CN_ID]。",
        "请把钱转到卡号 ***********************。",
        "IBAN: [IBAN_1]",
        "Rufen Sie [PHONE] an.",
    ]
    assert outputs[3].vault == {"[IBAN_1]": "GB82 WEST 1234 5698 7654 32"}
