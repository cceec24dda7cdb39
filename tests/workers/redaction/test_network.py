"""E-mail addresses, links and IP addresses, beside Chinese and in punctuation."""

from __future__ import annotations

import pytest

from workers.redaction.network import find_emails, find_ip_addresses, find_urls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("请发到li.wei+1@mail.example.com.cn谢谢", ["li.wei+1@mail.example.com.cn"]),
        ("<ada@example.org>, (bob@example.org).", ["ada@example.org", "bob@example.org"]),
        ("jürgen@müller.de", ["jürgen@müller.de"]),
        ("a@b and @ada and x@@example.org", []),
        ("a@example.org@example.org", ["a@example.org"]),
        ("ada.l [at] example (dot) co.uk!", ["ada.l [at] example (dot) co.uk"]),
        ("look (at) this. now", []),
        ("mailto:'ada@example.org'", ["ada@example.org"]),
        ("ada@localhost ada@10.0.0.1", []),
    ],
)
def test_emails(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_emails(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("见https://例子.cn", []),
        ("见https://example.org/a?b=c#d。好", ["https://example.org/a?b=c#d"]),
        ("(see http://a.example/x_(y)).", ["http://a.example/x_(y)"]),
        ("www.example.org, WWW.Example.com!", ["www.example.org", "WWW.Example.com"]),
        ("http://", []),
        ("http://localhost", []),
        ("awww.that", []),
    ],
)
def test_urls(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_urls(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("来自192.168.0.1的请求", ["192.168.0.1"]),
        ("256.1.1.1 and 1.2.3.4.5 and 1.2.3", []),
        ("version 1.2.3.4, v1.2.3.4", []),
        ("2001:db8::8a2e:370:7334,", ["2001:db8::8a2e:370:7334"]),
        ("3b20:9a3a:1b2f:7ce:9ef1:4787:85fc:261e", ["3b20:9a3a:1b2f:7ce:9ef1:4787:85fc:261e"]),
        ("at 12:30:45 std::vector a::", []),
    ],
)
def test_ip_addresses(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_ip_addresses(text)] == expected
