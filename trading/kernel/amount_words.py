"""Capital figures (大写): amounts of yuan in the digits that cannot be altered with one stroke.

Written as the payment and settlement rules ask: 壹拾 and never 拾, one 零 for a run of noughts inside, 整 after 元
and 角 but not after 分. The reader is kinder: people write 圆 for 元, 正 for 整, and leave out or add a 零. Pure text
and integers (fen).
"""

from __future__ import annotations

import re

from trading.kernel.errors import Invalid

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
LIMIT = 10**18
"""In fen; the next figure would need a unit above 万亿."""

_VARIANTS = str.maketrans("〇壱貳弍參叄弎陸萬億圆圓正百千十", "零壹贰贰叁叁叁陆万亿元元整佰仟拾")
_SHAPE = re.compile(
    rf"(?P<minus>负?)(?:(?P<yuan>[{DIGITS}拾佰仟万亿]+)元)?"
    rf"零?(?:(?P<jiao>[{DIGITS}])角)?零?(?:(?P<fen>[{DIGITS}])分)?整?"
)


def write(fen: int) -> str:
    """Fen as capital figures without the word 人民币. Refuses: Invalid money.too_large."""
    if abs(fen) >= LIMIT:
        raise Invalid("money.too_large", text=str(fen))
    if fen < 0:
        return "负" + write(-fen)
    yuan, part = divmod(fen, 100)
    jiao, last = divmod(part, 10)
    words = _whole(yuan) + "元" if yuan else ""
    if not part:
        return (words or "零元") + "整"
    if jiao:
        words += DIGITS[jiao] + "角"
    elif words:
        words += "零"
    return words + (DIGITS[last] + "分" if last else "整")


def _whole(number: int) -> str:
    """A whole number above 0: the part above 亿 and the part below it, each in groups of four."""
    above, below = divmod(number, 10**8)
    words = _under_yi(above) + "亿" if above else ""
    if below:
        words += ("零" if above and below < 10**7 else "") + _under_yi(below)
    return words


def _under_yi(number: int) -> str:
    above, below = divmod(number, 10**4)
    words = _four(above) + "万" if above else ""
    if below:
        words += ("零" if above and below < 10**3 else "") + _four(below)
    return words


def _four(number: int) -> str:
    words, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            words += ("零" if gap and words else "") + DIGITS[digit] + PLACES[place]
            gap = False
        else:
            gap = True
    return words


def read(text: str) -> int:
    """Capital figures as fen. Refuses: Invalid money.capitals_malformed for whatever is not a well-formed amount."""
    bare = re.sub(r"\s", "", text).translate(_VARIANTS)
    bare = re.sub(r"^人民币[:：]?", "", bare)
    match = _SHAPE.fullmatch(bare)
    if match is None or (match["yuan"] is None and not match["jiao"] and not match["fen"]):
        raise Invalid("money.capitals_malformed", text=text)
    yuan = _value(match["yuan"]) if match["yuan"] else 0
    fen = yuan * 100 + 10 * _digit(match["jiao"]) + _digit(match["fen"])
    if fen >= LIMIT or _bones(write(fen)) != _bones(bare.removeprefix("负")):
        raise Invalid("money.capitals_malformed", text=text)
    return -fen if match["minus"] else fen


def _digit(word: str | None) -> int:
    return DIGITS.index(word) if word else 0


def _bones(words: str) -> str:
    """What decides the value: without noughts, without the closing 整, without a part that is nought (零角零分)."""
    return re.sub("零[角分]|零|整", "", words).removeprefix("元")


def _value(words: str) -> int:
    """The number the words add up to; whether they are well formed is for the caller to compare."""
    total = section = digit = 0
    for word in words:
        if word in DIGITS:
            digit = DIGITS.index(word)
        elif word in PLACES:
            section, digit = section + digit * 10 ** PLACES.index(word), 0
        elif word == "万":
            total, section, digit = total + (section + digit) * 10**4, 0, 0
        else:
            total, section, digit = (total + section + digit) * 10**8, 0, 0
    return total + section + digit
