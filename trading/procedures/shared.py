"""Parts that several procedures have in common."""

from trading.procedures.fields import notice

ENVELOPES = (("bid",), ("bid", "price"))
"""One envelope, or a technical one with the prices apart."""

TENDER, OPENING_RECORD, CANDIDATES = notice("tender"), notice("opening_record"), notice("candidates")
RESULT, AWARD, CONTRACT = notice("result"), notice("award"), notice("contract")
