"""What a question asks for, and what a sentence must have to hold such an answer.

Patterns by language: keys are whether it is Chinese.
"""

from __future__ import annotations

import re
from typing import Final

KINDS: Final = ("who", "when", "where", "count", "why", "how", "which", "other")
"""What a question asks for."""
_ENGLISH_KINDS: Final = (
    ("count", r"\bhow (?:many|much|long|old|far|large|big|tall|high|often|deep|fast|wide)\b"),
    ("count", r"\bwhat (?:percent|percentage|number|amount|fraction|proportion|population)\b"),
    ("when", r"\bwhen\b|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|time)\b"),
    ("who", r"\bwho(?:m|se)?\b|\b(?:what|which) (?:person|man|woman|president|king|author)\b"),
    ("where", r"\bwhere\b|\b(?:what|which) (?:city|country|place|state|region|area|river|town)\b"),
    ("why", r"\bwhy\b|\bwhat (?:caused|causes|is the reason|was the reason)\b"),
    ("how", r"\bhow\b"),
    ("which", r"\bwhich\b|\bwhat (?:kind|type|sort|name|language|color|company|team)\b"),
)
_CHINESE_KINDS: Final = (
    ("when", r"什么时候|何时|哪[一]?[年天日月]|什么时间|时间是|几[年月日]|年份|日期"),
    ("count", r"多[少长大高远深宽重快]|几[个名位次种条人座]|[^么]数量|几$|几？"),
    ("who", r"谁|哪[一]?位|什么人|何人|哪[一]?个人|哪些人"),
    ("where", r"哪里|哪儿|何处|什么地方|在哪|位于|哪[一]?个(?:国家|城市|省|地区|县|市|区)|何地"),
    ("why", r"为什么|为何|原因|缘故|因为什么|由于什么"),
    ("how", r"怎么|怎样|如何|怎么样"),
    ("which", r"哪"),
)
_PATTERNS: Final = {
    False: [(kind, re.compile(pattern, re.I)) for kind, pattern in _ENGLISH_KINDS],
    True: [(kind, re.compile(pattern)) for kind, pattern in _CHINESE_KINDS],
}
TIME: Final = {
    False: re.compile(
        r"\b(?:1[0-9]|20)\d\d\b|\b(?:january|february|march|april|may|june|july|august|september|"
        r"october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
        r"century|centuries|years?|days?|decade|morning|evening|summer|winter)\b",
        re.I,
    ),
    True: re.compile(r"\d+\s*[年月日]|世纪|年代|时期|[一二三四五六七八九十]+[年月日]|朝|年间"),
}
NUMBER: Final = {
    False: re.compile(
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million|billion|"
        r"half|third|quarter|dozen)\b",
        re.I,
    ),
    True: re.compile(r"\d|[一二三四五六七八九十百千万亿两]"),
}
NAME: Final = {
    False: re.compile(r"(?<=[a-z,] )[A-Z][a-z]+"),
    True: re.compile(r"[·《“]|教授|先生|主席|总统|导演|作家|演员|队长"),
}
PLACE: Final = {
    False: re.compile(r"\b(?:in|at|near|from|to|of|outside|across) (?:the )?[A-Z][a-z]+"),
    True: re.compile(r"[省市县区镇村国州岛洲]|位于|在"),
}
REASON: Final = {
    False: re.compile(
        r"\b(?:because|due to|since|so that|in order to|as a result|caused|reason|thus|to \w+)\b",
        re.I,
    ),
    True: re.compile("因为|因此|由于|所以|因而|导致|原因|为了|使得|缘"),
}
WAY: Final = {
    False: re.compile(r"\b(?:by|through|using|via|with)\b", re.I),
    True: re.compile("通过|利用|以|用|按|采用|经过"),
}


def question_kind(question: str, chinese: bool) -> str:
    """Which of ``KINDS`` a question is.

    >>> question_kind("In what year was it built?", False), question_kind("这座桥有多长？", True)
    ('when', 'count')
    """
    for kind, pattern in _PATTERNS[chinese]:
        if pattern.search(question):
            return kind
    return "other"
