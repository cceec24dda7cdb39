"""Made-up Chinese sentences with personal numbers, for which no free data set was found.

Every number is drawn at random and is nobody's on purpose; check digits are right.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from stdnum import luhn
from stdnum.cn import ric

_AREAS = ("110101", "310104", "440305", "510107", "620102", "330106", "420111", "610113")
_MOBILE = ("138", "139", "150", "152", "177", "186", "199", "166")
_BINS = ("622202", "621700", "622848", "621661", "436742", "524094", "622588")
_FULL_WIDTH = str.maketrans("0123456789X-", "０１２３４５６７８９Ｘ－")
_FRAMES = {
    "cn_id": ("身份证号码：{}，请核对。", "本人{}办理业务", "证件{} 已登记。", "他把{}发到群里了"),
    "phone": ("电话{}，随时联系。", "我的手机号是{}", "请拨打{}咨询客服", "收件人电话:{}转分机"),
    "bank_card": ("卡号{}，开户行工商银行", "请转到{}这张卡上。", "银行卡：{}", "尾款打到{}就行"),
}
_DECOYS = (
    "订单号{}已发货，请注意查收。",
    "快递单号{}今天到达。",
    "流水号：{}",
    "本期数据共{}条记录",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sentence, and what is in it: ``type`` from ``start`` to ``end``; None for a decoy."""

    text: str
    type: str | None
    start: int
    end: int


def make_samples(count: int, seed: int) -> list[Sample]:
    """Return ``count`` sentences of each type, and as many decoys with random long numbers."""
    rng = random.Random(seed)  # noqa: S311 - made-up numbers are no secrets
    makers = {"cn_id": _cn_id, "phone": _phone, "bank_card": _card}
    samples = []
    for kind, make in makers.items():
        for _ in range(count):
            number = make(rng)
            if rng.random() < 0.15:
                number = number.translate(_FULL_WIDTH)
            samples.append(_framed(rng.choice(_FRAMES[kind]), number, kind))
    for _ in range(count):
        number = str(rng.choice("123456789")) + _digits(rng, rng.choice((9, 11, 13, 15, 17, 19)))
        samples.append(_framed(rng.choice(_DECOYS), number, None))
    return samples


def _framed(frame: str, number: str, kind: str | None) -> Sample:
    start = frame.index("{}")
    return Sample(frame.format(number), kind, start, start + len(number))


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _cn_id(rng: random.Random) -> str:
    day = f"{rng.randint(1940, 2015)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    number = rng.choice(_AREAS) + day + _digits(rng, 3)
    number = f"{number}{ric.calc_check_digit(number + '0')}"
    return number.lower() if rng.random() < 0.5 else number


def _phone(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return f"{rng.choice(('010', '021', '0755', '028'))}-{rng.randint(2, 8)}{_digits(rng, 7)}"
    parts = (rng.choice(_MOBILE), _digits(rng, 4), _digits(rng, 4))
    return rng.choice(("", "+86 ", "")) + rng.choice(("", "", "-", " ")).join(parts)


def _card(rng: random.Random) -> str:
    prefix = rng.choice(_BINS)
    length = 19 if prefix.startswith("62") and rng.random() < 0.6 else 16
    number = prefix + _digits(rng, length - len(prefix) - 1)
    number = f"{number}{luhn.calc_check_digit(number)}"
    if rng.random() < 0.4:
        return " ".join(number[at : at + 4] for at in range(0, length, 4))
    return number
