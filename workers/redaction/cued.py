"""What only the words before it tell apart: birthdays, passports, accounts, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lepton_tasks.nlp.masking import Found

_GLUE: Final = (
    r"(?i:[ \t]{0,3}"
    r"(?:numbers?|no\.?|num|code|id|is|was|on|it's|号码|號碼|号|號|码|为|為|是|[:#=.,])){0,4}\s{0,3}"
)
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY: Final = (
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})"
    r"|(?:19|20)\d{2} ?年 ?\d{1,2} ?月 ?\d{1,2} ?[日号]|(?:19|20)\d{2}[01]\d[0-3]\d"
    rf"|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\.?,? \d{{4}})(?!\d)"
)
_HAN: Final = r"[\u4e00-\u9fff]"
_NEXT_FIELD: Final = (
    r"(?=$|[^\u4e00-\u9fff·]|电话|電話|手机|手機|身份|身分|性别|性別|年龄|年齡|地址|住址|出生|生日"
    r"|邮箱|銀行|银行|卡号|先生|女士|联系|聯|籍贯|民族|学历|职业|于)"
)
_WORD: Final = r"[A-Z\u00c0-\u00de][A-Za-z\u00c0-\u024f'’-]{0,30}"
_SURNAME: Final = (
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程"
    "苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝"
    "龚邵万钱严覃武戴莫孔向汤張劉陳楊黃趙吳孫馬羅鄭許韓馮鄧蕭蔣葉蘇呂盧鍾譚陸範賈韋鄒閻龍賀顧龔萬錢嚴湯]"
)
_NAME_FIELD: Final = (
    "(?:姓名|收[件货貨]人|[联聯](?:系|繫|络|絡)人|[户戶]名|持卡人|申[请請]人|投保人)"
)
_END: Final = r"(?![A-Za-z0-9_-])"


@dataclass(frozen=True, slots=True)
class _Rule:
    """``value`` is of ``type`` between ``before`` and ``after``; all are regular expressions."""

    type: str
    before: str
    value: str
    after: str = ""
    score: float = 0.7

    def compiled(self) -> re.Pattern[str]:
        return re.compile(f"(?:{self.before})(?P<value>{self.value}){self.after}")


_RULES: Final = (
    _Rule(
        "date_of_birth",
        r"(?:(?i:\b(?:date of birth|birth ?da(?:te|y)|dob|born)\b)"
        rf"|生日|出生日期|出生年月日?|出生于|(?<![发产])生于){_GLUE}",
        f"(?i:{_DAY})",
        score=0.8,
    ),
    _Rule("date_of_birth", "", _DAY, r"[ ]?(?:出生|生人)", score=0.8),
    _Rule(
        "passport",
        rf"(?i:\bpassports?\b|[护護]照){_GLUE}",
        r"[A-Za-z]{0,2}\d{7,9}",
        _END,
        score=0.8,
    ),
    _Rule(
        "driver_licence",
        rf"(?:(?i:\bdriv(?:er(?:['’]?s)?|ing) licen[cs]e\b)|[驾駕](?:[驶駛][证證]|照)){_GLUE}",
        r"[A-Za-z]{0,2}\d{6,18}[A-Za-z]{0,2}",
        _END,
    ),
    _Rule("im_account", rf"(?i:(?<![a-z])qq){_GLUE}", r"[1-9]\d{4,10}", _END),
    _Rule(
        "im_account",
        rf"(?:(?i:\bwechat(?: id)?\b)|微信){_GLUE}",
        r"[A-Za-z][A-Za-z0-9_-]{5,19}",
        _END,
    ),
    _Rule(
        "person_name",
        rf"{_NAME_FIELD}[ ]?[:是为為][ ]?",
        rf"{_HAN}{{2,4}}?(?:·{_HAN}{{1,8}}){{0,3}}",
        _NEXT_FIELD,
    ),
    _Rule("person_name", rf"{_NAME_FIELD} ", rf"{_SURNAME}{_HAN}{{1,2}}", _NEXT_FIELD),
    _Rule(
        "address",
        r"(?:地址|住址)[ ]?[:是为為][ ]?",
        r"(?=[^,。;\n]{0,40}[省市区區县縣镇鎮乡鄉村路街道巷弄号號栋棟楼樓室])[^,。;\n]{4,60}",
        score=0.6,
    ),
    _Rule(
        "person_name",
        "我(?:叫|的名字是|名叫)",
        rf"{_SURNAME}{_HAN}{{1,2}}",
        rf"(?=$|(?!{_HAN}).|今年|来自|住在|是)",
    ),
    _Rule(
        "person_name",
        r"\b(?i:(?:full |first |last |contact |customer |patient )?name) ?: ?"
        r"|\b(?i:my name is|my name's) ",
        rf"{_WORD}(?: (?:[A-Z]\.|{_WORD})){{0,3}}",
    ),
    _Rule(
        "person_name",
        r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? ",
        rf"{_WORD}(?: (?:[A-Z]\.|{_WORD})){{0,2}}",
    ),
)
_COMPILED: Final = tuple((rule, rule.compiled()) for rule in _RULES)
_PLATE: Final = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z][·• .-]?"
    r"(?=[A-Za-z]{0,5}\d)[A-Za-z0-9]{4,5}[A-Za-z0-9挂学警港澳](?![A-Za-z0-9])"
)


def find_cued(text: str) -> Iterator[Found]:
    """Values after (or before) the words that say what they are; nothing without such words."""
    for rule, pattern in _COMPILED:
        for match in pattern.finditer(text):
            yield Found(rule.type, *match.span("value"), rule.score, False)


def find_plates(text: str) -> Iterator[Found]:
    """Chinese licence plates: province, letter, five or six letters and digits."""
    for match in _PLATE.finditer(text):
        yield Found("licence_plate", *match.span(), 0.8, False)
