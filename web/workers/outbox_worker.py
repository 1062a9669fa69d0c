"""The outbox worker: takes messages from the outbox to where they go, at least once (the key makes twice harmless).

Where mail goes is a setting: a folder (one .eml file a message, for rehearsal and for gateways that collect) or smtp://host:port. Without
it messages stay in people's inbox on the platform. Words come from the catalogue of messages; a message about a sealed lot has none.
"""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from trading.kernel import outbox
from trading.kernel.access import CLOCK
from trading.kernel.work import Office
from trading.parties import password_links
from web.words import words


def deliver(office: Office, mail: str) -> int:
    """Send what is due; returns how many went."""
    with office.view(CLOCK) as view:
        if not outbox.due(view.session, view.now, limit=1):
            return 0
    with office.work(CLOCK) as work:
        waiting = outbox.due(work.session, work.now)
        for message in waiting:
            try:
                if mail and message.channel == "mail":
                    _send(message, mail)
                    if message.template == password_links.TEMPLATE:
                        message.facts = {
                            **message.facts,
                            "link": "",
                        }  # whoever reads the database later finds no key to a door
                outbox.mark_sent(message, work.now)
            except OSError:
                outbox.mark_failed(message, work.now)
    return len(waiting)


def _send(message: outbox.Message, mail: str) -> None:
    letter = EmailMessage()
    letter["To"] = message.address
    letter["Message-ID"] = f"<{message.key}@bidhall>"
    letter["Subject"] = words(f"{message.template}.subject", message.facts, "zh")
    letter.set_content("\n\n".join(words(message.template, message.facts, lang) for lang in ("zh", "en")))
    if mail.startswith("smtp://"):
        target = urlsplit(mail)
        with smtplib.SMTP(target.hostname or "localhost", target.port or 25, timeout=30) as server:
            server.send_message(letter)
        return
    folder = Path(mail)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{message.id:09d}.eml").write_bytes(bytes(letter))
