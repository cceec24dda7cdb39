"""Typos and slips put into clean sentences, by other tables and rules than training's."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

from workers.editing.slips import beside

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD: Final = re.compile(r"(?<![\w'’@.#/-])[a-z]{3,}(?![\w'’@/-])")
_GAP: Final = re.compile(r"(?<=[a-z]) (?=[a-z])")
_COMMA: Final = re.compile(r"(?<=[a-z]), (?=[A-Za-z])")
_WIDE_MARK: Final = re.compile("(?<=[\u4e00-\u9fff])[，。？！；：](?=[\u4e00-\u9fff]|$)")
_NARROW: Final = {"，": ",", "。": ".", "？": "?", "！": "!", "；": ";", "：": ":"}
_HAN_WORD: Final = re.compile(
    "我们|你们|他们|因为|所以|但是|可以|这个|没有|如果|就是|已经|需要|应该|通过|由于|方法|问题|研究|北京|"
    "今天|时间|地方|朋友|工作|生活|社会|影响|分析|系统|酒店|餐馆|景点|地铁|附近|评分|人均|女性|黑人|歧视"
)

_SOUNDS_WRITTEN: Final = (
    "是事市式视试室世示适势 时实十石识食 使史始 有友又右 他她它 在再 做作坐座 的地得 "
    "和合河何核 那哪纳 以已意易议义艺亿 一依医衣 于与鱼余愉 语雨 预育域遇欲 公工功攻宫 "
    "进近尽劲禁 今金斤巾 情清轻青 请顷 期七妻 其起奇骑旗 气器弃汽 经京精惊晶 静竟境镜敬净 "
    "力利立历例丽 里理礼李 知之支只枝织 至制治质置志 直值职植 为位未味卫 元员原圆源 员园 "
    "成城程诚承 生声升胜 中终钟忠 种重众 方芳房防 发法 分份纷 复负富副付父 福服符幅 高搞稿 "
    "各个 过国果 关观官 可课克客刻 会回汇惠 话画化划 家加佳 间建件见渐 交教较叫觉 接街阶 "
    "节结洁杰 界借介 具句据剧距 决绝觉 开凯 看刊 来莱 老劳 连联脸练 亮量 没每美妹 们门 "
    "名明鸣 目木母 那拿 年念 你尼 平评凭苹 前钱千签 强墙 亲侵 全权泉 然燃 人任认仁 如入 三散 "
    "上尚伤商 少绍 身深申伸 什神 师失诗施 手首守 受收售 书输舒 数树术述 水睡 思司私丝 四似寺 "
    "所锁 太态 体提题 天添 条调 听厅 通同统痛 头投 图突徒 完晚玩 问文闻稳 无五物误务 "
    "西希息系析 喜洗 下夏 先现线限县 想象向像项 小笑效校 些写谢鞋 心新信 行形型性姓 学雪 "
    "样养阳 要药 也业夜 因音引印银 应影英赢 用永勇 由游油 员愿远院 月越约 运云韵 站占战 "
    "张章掌 找照 这者着 真正整政证 住主注助著 装状撞 自字子资 组足 最罪 道到倒导 等灯 "
    "店点电典 定订顶 动东懂冬 都读 对队 多朵 儿而 饭反返 跟根 号好 很狠 后候 欢换还环 黄皇 "
    "机基级极急 集籍 计记技纪季 济继际"
)
SOUNDS: Final[tuple[str, ...]] = tuple(_SOUNDS_WRITTEN.split())
"""Characters that sound alike, written down from memory, tones set aside in part."""
_SHAPES_WRITTEN: Final = (
    "末未 己已巳 土士 日曰 天夭夫 人入八 大太犬 王玉主 田由甲申 问间闻 侯候 辨辩辫 晴睛 "
    "清情请 青责 拨拔 传转 令今 析折拆 扰优忧 代伐 住往佳 徒陡徙 兔免 乌鸟 休体 治冶 冷泠 "
    "孩该核 渴喝 跑泡抱饱 根很跟 海悔梅 期欺 圆园 因困囚 历厉 幻幼 栽裁载 竞竟 堤提题 慢漫 "
    "脑恼 峰锋蜂 副幅福 即既 推准维 采彩踩 具真直 看着 官宫 管菅 师帅 贝见 几儿 找我 牛午 "
    "千干于 木本术 云去 力刀 万方 办为 开井 元无 历压 处外 洒酒 没设 沿治 何向 作昨 低底 "
    "但旦 使便 便更 像象 做故"
)
SHAPES: Final[tuple[str, ...]] = tuple(_SHAPES_WRITTEN.split())
"""Characters that look alike, written down from memory."""

Slip = Callable[[str, random.Random], str | None]
"""Puts one slip into a sentence; None for a sentence that gives no place for it."""


def _in_word(change: Callable[[str, random.Random], str]) -> Slip:
    def slip(text: str, dice: random.Random) -> str | None:
        found = list(_WORD.finditer(text))
        if not found:
            return None
        match = dice.choice(found)
        wrong = change(match[0], dice)
        return None if wrong == match[0] else text[: match.start()] + wrong + text[match.end() :]

    return slip


def _substitute(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    keys = [key for key in _LETTERS if key != word[at] and beside(key, word[at])]
    return word[:at] + dice.choice(keys) + word[at + 1 :]


def _insert(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    keys = [key for key in _LETTERS if beside(key, word[at])]
    return word[: at + 1] + dice.choice(keys) + word[at + 1 :]


def _delete(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    return word[:at] + word[at + 1 :]


def _transpose(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _replace(pattern: re.Pattern[str], change: Callable[[str, random.Random], str]) -> Slip:
    def slip(text: str, dice: random.Random) -> str | None:
        found = list(pattern.finditer(text))
        if not found:
            return None
        match = dice.choice(found)
        return text[: match.start()] + change(match[0], dice) + text[match.end() :]

    return slip


def _confused(groups: tuple[str, ...]) -> Slip:
    table: dict[str, list[str]] = {}
    for group in groups:
        for one in group:
            table.setdefault(one, []).extend(other for other in group if other != one)

    def slip(text: str, dice: random.Random) -> str | None:
        places = [place for place, one in enumerate(text) if table.get(one)]
        if not places:
            return None
        at = dice.choice(places)
        return text[:at] + dice.choice(table[text[at]]) + text[at + 1 :]

    return slip


ENGLISH: Final[Mapping[str, Slip]] = {
    "letter put in": _in_word(_insert),
    "letter left out": _in_word(_delete),
    "letter beside it": _in_word(_substitute),
    "letters swapped": _in_word(_transpose),
    "space missing": _replace(_GAP, lambda found, dice: ""),
    "space doubled": _replace(_GAP, lambda found, dice: "  "),
    "word repeated": _replace(_WORD, lambda found, dice: f"{found} {found}"),
    "punctuation": _replace(
        _COMMA, lambda found, dice: dice.choice([",", " ,", " , ", ",, ", "，"])
    ),
}
CHINESE: Final[Mapping[str, Slip]] = {
    "same sound": _confused(SOUNDS),
    "like shape": _confused(SHAPES),
    "space put in": _replace(
        re.compile("(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])"), lambda found, dice: " "
    ),
    "word repeated": _replace(_HAN_WORD, lambda found, dice: found * 2),
    "punctuation": _replace(
        _WIDE_MARK, lambda found, dice: dice.choice([_NARROW[found], found * 2, f" {found}"])
    ),
}
SLIPS: Final[Mapping[str, Mapping[str, Slip]]] = {"en": ENGLISH, "zh": CHINESE}
"""Slips by language and kind."""
TYPOS: Final = frozenset((*list(ENGLISH)[:5], "same sound", "like shape"))
"""Kinds that a model corrects; the others are left to rules."""
