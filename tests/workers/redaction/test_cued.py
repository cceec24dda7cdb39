"""What cues tell: a value after its word is found, the same value alone is not."""

from __future__ import annotations

import pytest

from workers.redaction.cued import find_cued, find_plates


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Date of birth: 1/20/1976", "date_of_birth", "1/20/1976"),
        ("She was born on May 3, 1990.", "date_of_birth", "May 3, 1990"),
        ("born 3rd of may 1990", "date_of_birth", "3rd of may 1990"),
        ("出生日期:1990年1月2日", "date_of_birth", "1990年1月2日"),
        ("1990年1月2日出生", "date_of_birth", "1990年1月2日"),
        ("passport number is E12345678", "passport", "E12345678"),
        ("护照号:EA1234567", "passport", "EA1234567"),
        ("my driver's license number is A1253258", "driver_licence", "A1253258"),
        ("加我qq号:123456789", "im_account", "123456789"),
        ("微信号是li_wei2000", "im_account", "li_wei2000"),
        ("姓名:张三丰,男", "person_name", "张三丰"),
        ("收件人:欧阳娜娜电话", "person_name", "欧阳娜娜"),
        ("姓名:买买提·艾力 男", "person_name", "买买提·艾力"),
        ("姓名 王芳 手机", "person_name", "王芳"),
        ("聯絡人:陳大文電話", "person_name", "陳大文"),
        ("護照號碼:K12345678", "passport", "K12345678"),
        ("Passport No: 123456789", "passport", "123456789"),
        ("收货地址:北京市朝阳区建国路88号,谢谢", "address", "北京市朝阳区建国路88号"),
        ("我叫李雷,来自北京", "person_name", "李雷"),
        ("Name: Ada B. Lovelace\nRole: none", "person_name", "Ada B. Lovelace"),
        ("my name is Ada", "person_name", "Ada"),
        ("ask Dr. Núñez about it", "person_name", "Núñez"),
    ],
)
def test_cues(text: str, kind: str, value: str) -> None:
    assert [(one.type, text[one.start : one.end]) for one in find_cued(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "We met on 1/20/1976.",
        "事故发生于1998年8月5日",
        "E12345678",
        "我叫你去买菜",
        "name: unknown",
        "姓名不详",
        "姓名 不详",
        "邮箱地址:看这里吧",
        "my name is nobody",
    ],
)
def test_nothing_without_a_cue_or_a_value(text: str) -> None:
    assert list(find_cued(text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("车牌京A12345已登记", ["京A12345"]),
        ("粤B·D12345 和沪a12挂学", ["粤B·D12345"]),
        ("京ABCDEF", []),
    ],
)
def test_licence_plates(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_plates(text)] == expected
