"""Sealed bids, openings by quorum, the public log and its proofs: bytes in, bytes out.

Works for a stranger who has only `cryptography` and the standard library. Has no clock, database, settings or file
paths, and no randomness but the operating system's: times come in as texts, files as file objects.
"""
