"""The verifier: re-proves a finished tender from its bundle alone, without a platform, a database or Flask (protocol §6).

It shares with the platform only what both must agree on byte by byte (crypto, the ZIP's layout, the schedule of the log) and the pure
formulas of evaluation. It trusts nothing in the bundle but what the trusted keys prove, and reports every failure, not the first.
"""

from web.verifier.verify import NotABundle, verify_bundle

__all__ = ["NotABundle", "verify_bundle"]
