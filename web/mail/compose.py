"""What stands in a letter: plain text in the person's language, with a link to the page. What tells something by coming has neither subject
nor text of its own, whoever asked for it."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from trading.parties.mail_queue import ADDRESS, DIGEST, Parcel, Told
from trading.parties.message_groups import tells
from web.mail.way import Way
from web.words import words
from web.words.messages import spoken

INBOX, CHOICES = "/account/inbox", "/account/mail"


def letter(parcel: Parcel, way: Way, *, place: str, base: str, now: datetime) -> EmailMessage:
    """``place``: the platform's name as people know it; ``base``: its address, "" where it has none that anybody could follow."""
    subject, text = _content(parcel, place, base)
    return envelope(parcel.to, way, subject=subject, text=text, ref=parcel.ref, place=place, now=now)


def envelope(to: str, way: Way, *, subject: str, text: str, ref: str, place: str, now: datetime) -> EmailMessage:
    """A letter with its heads. ``ref`` makes its Message-ID: whoever gets it twice sees one letter."""
    sender = way.sender or "bidhall@localhost"
    user, _, domain = sender.rpartition("@")
    made = EmailMessage(policy=SMTP.clone(utf8=not to.isascii()))
    made["From"] = Address(place, username=user, domain=domain)
    made["To"] = Address(addr_spec=to)
    made["Subject"] = " ".join(subject.split())
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{ref}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    made.set_content(text, cte="base64" if not text.isascii() else None)
    return made


def _content(parcel: Parcel, place: str, base: str) -> tuple[str, str]:
    if parcel.kind == ADDRESS:
        (one,) = parcel.messages
        said = [spoken(one.template, {**one.facts, "link": ""}, lang) for lang in ("zh", "en")]
        link = [str(one.facts["link"])] if "link" in one.facts else []  # on a line of its own, where it can be clicked
        return " / ".join(subject for subject, _ in said), "\n\n".join([*(text for _, text in said), *link]) + "\n"
    lang = parcel.lang
    if parcel.kind == DIGEST:
        subject = words("mail.digest.subject", {"place": place, "n": len(parcel.messages)}, lang)
        lines = [words("mail.digest", {"n": len(parcel.messages)}, lang), *_lines(parcel.messages, lang)]
        return subject, _signed("\n\n".join(lines), base + INBOX if base else "", base, lang)
    (one,) = parcel.messages
    subject, text = _of(one, place, lang)
    return subject, _signed(text, f"{base}{INBOX}/{one.number}" if base else "", base, lang)


def _of(one: Told, place: str, lang: str) -> tuple[str, str]:
    if tells(one.template):
        return words("mail.neutral.subject", {"place": place}, lang), words("mail.neutral", {}, lang)
    return spoken(one.template, one.facts, lang)


def _lines(messages: tuple[Told, ...], lang: str) -> list[str]:
    """Each message that may be told, and how many there are of the others."""
    told = [
        f"· {text}"
        for one in messages
        if not tells(one.template)
        for _, text in [spoken(one.template, one.facts, lang)]
    ]
    rest = sum(tells(one.template) for one in messages)
    return [*told, *([words("mail.digest_rest", {"n": rest}, lang)] if rest else [])]


def _signed(text: str, link: str, base: str, lang: str) -> str:
    lines = [text]
    if link:
        lines.append(words("mail.look", {"link": link}, lang))
    lines.append(words("mail.foot", {"link": base + CHOICES}, lang) if base else words("mail.foot_bare", {}, lang))
    return "\n\n".join(lines) + "\n"
