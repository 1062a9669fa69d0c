"""What `bidhall doctor` says of letters: whether there is a mail server, and whether letters leave."""

from __future__ import annotations

from typing import Any

from web.cli.doctor_finding import Finding
from web.settings import Settings

SET = "set BIDHALL_MAIL=smtp://HOST:PORT and BIDHALL_MAIL_FROM in settings.env, then start again (docs/operate/mail.md)"
TRY = "a test letter at /admin/mail says what is wrong"


def examine(settings: Settings, office: Any) -> list[Finding]:
    """Changes nothing, and speaks to no server."""
    from trading.kernel.access import CLOCK
    from trading.parties import mail_queue
    from web.wiring import is_rehearsal

    with office.view(CLOCK) as view:
        stuck = mail_queue.stuck(view.session, view.now)
    if stuck:
        return [Finding("mail_waits", "error", f"{stuck} letters have waited for longer than an hour", TRY)]
    if not settings.mail.chosen:
        if is_rehearsal(settings.data):
            return [Finding("mail", "ok", "letters lie in a folder and on the platform: a rehearsal needs no server")]
        what = "no mail server: letters lie in a folder, forgotten passwords and messages reach nobody by mail"
        return [Finding("mail", "warning", what, SET)]
    return [Finding("mail", "ok", f"letters go to {settings.mail.shown}, none has waited for an hour")]
