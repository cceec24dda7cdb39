"""Characters become simplified one by one, so that places in a text stay."""

from __future__ import annotations

from workers.features.han import simplified_characters


def test_length_is_kept_and_other_scripts_are_left_alone() -> None:
    table = simplified_characters()
    text = "後來 the 圖書館 said: 乾坤，きょう 📚"
    assert text.translate(table) == "后来 the 图书馆 said: 乾坤，きょう 📚".replace(
        "乾", "乾".translate(table)
    )
    assert len(text.translate(table)) == len(text)
    assert all(len(one) == 1 for one in table.values())
    assert simplified_characters() is table
