"""The mirror: a host of the supervisory body that keeps the sealed files, or the digests of their pieces, as they arrive (protocol §5.1).

``store`` and ``server`` are the mirror's own process, with a data folder and a key of its own and no database; ``line`` is how the platform
talks to it.
"""
