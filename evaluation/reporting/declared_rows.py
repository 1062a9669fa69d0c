"""Which columns of the panels' work the audit derives anew, and which not and why (as ``trading.disclosure.rows.declared``)."""

from __future__ import annotations

AUDITED = {
    "panel": {"the records of its steps": "state round"},
    "sheet_commit": {"the commitment the member signed": "panel_id seat_id round commit statement c reason"},
    "sheet_list": {"the list all members signed": "panel_id round listing commits statement c"},
    "sheet": {"the sheet the member signed, and its commitment": "panel_id seat_id round statement salt c"},
    "evaluation_report": {
        "the record of drawing it up, and the hash all members sign": "panel_id round facts blob hash"
    },
    "report_signature": {"the word the member signed": "report_id seat_id statement dissent"},
}

FREE = {
    "panel": {
        "a request and its course; who was drawn follows from the draw, who scored from signed sheets": "*",
    },
    "seat": {"who sits follows from the draw; what a member says is signed by that member's own key": "*"},
    "expert": {"the register of experts, which no key signs": "*"},
    "expert_tie": {"the register of experts, which no key signs": "*"},
    "finding": {"what counts is the report, whose facts all members sign": "*"},
    "sheet_commit": {"when it was written down": "at"},
    "sheet_list": {"counts changes of a form": "version", "when it was written down": "made_at"},
    "sheet": {"when it was written down": "at"},
    "evaluation_report": {"counts changes of a form": "version", "when it was written down": "drawn_up_at"},
    "report_signature": {"when it was written down": "at"},
}
