"""The keys a person's own folder remembers: of the platform and its log, and of each officer, as they were when last used.

They stand in a file beside the key file, no secret among them. At the first use there is nothing to hold keys against, which is said, with
the twelve words of each key, for people to compare by telephone. From then on a key that is another one stops the command: the platform
can name whom it likes in a ticket, and cannot write here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from crypto.recovery import key_words
from crypto.trust import Trust, trust_of
from trading.kernel.errors import Conflict
from web.cli.common import BAD_INPUT, read_json, say, stop, writing
from web.cli.language import language

TYPE = "bidhall-known-keys"
Chains = Mapping[str, list[bytes]]
"""Holder → keys proved one from the other, oldest first."""

known_option = click.option(
    "--known", "known_file", metavar="FILE", help="The keys seen before (beside the key file: KEYFILE.known)."
)

WHO = {
    "platform": ("平台", "the platform"),
    "log": ("公开日志", "the public log"),
    "supervisor": ("监督机构", "the supervisory body"),
}
UNCHECKED = (
    "未核对：下列公钥是否确属其人。它们来自平台自己，本机没有先前的记录。请用平台以外的途径（电话、公告、名片）逐一核对十二个词：",
    "Not checked: whether these keys belong to whom they name. They come from the platform itself, and nothing here is older. "
    "Compare the twelve words of each with its owner, by telephone or on paper, not through the platform:",
)
KEPT = (
    "已记在 {0}；以后公钥有变，本命令即停止。",
    "Kept in {0}: from now on the command stops where a key is another.",
)
FOLLOWED = (
    "{0} 换了密钥，新密钥由原密钥或已知的监督机构签过：",
    "{0} has a new key, signed with the one before or by the supervisory body known here:",
)
NOT_KEPT = (
    "无法写入 {0}：下次仍按首次使用处理。",
    "{0} cannot be written: the next use will be a first one again.",
)


class Known:
    """What is remembered of one platform. ``trust``: its keys, None where it was never used; ``officers``: holder → newest key."""

    def __init__(self, path: Path, platform: str, lang: str | None = None) -> None:
        self.path, self._platform, self._lang = path, platform, lang
        self._rows = _read(path)
        row = self._rows.get(platform)
        self.trust: Trust | None = row[0] if row else None
        self.officers: dict[str, bytes] = row[1] if row else {}

    def hold(self, named: Trust) -> Trust:
        """The keys to go by where none were given: those remembered, if the ones named are still they; else the named.

        Supervisors' keys may have become more: only those remembered vouch for an officer's new key.
        Refuses: Conflict ``known.changed``.
        """
        if self.trust is None:
            return named
        if named.log_key != self.trust.log_key:
            raise self._changed(self._who("log"), self.trust.log_key.public, named.log_key.public)
        if set(named.platform_keys) != set(self.trust.platform_keys):
            other = next((key for key in named.platform_keys if key not in self.trust.platform_keys), b"")
            raise self._changed(self._who("platform"), self.trust.platform_keys[0], other)
        return self.trust

    def follow(self, chains: Chains) -> list[str]:
        """Hold officers' chains against those remembered; the holders that are new here. Refuses: Conflict ``known.changed``."""
        for holder, before in self.officers.items():
            chain = chains.get(holder)
            if chain is None:
                continue
            if before not in chain:
                raise self._changed(holder, before, chain[-1])
            if chain[-1] != before:
                self._say(FOLLOWED, holder)
                say(f"  {self.words(chain[-1])}")
        return [holder for holder in chains if holder not in self.officers]

    def vouching(self, named: Trust) -> Conflict | None:
        """The refusal where enrolments prove nothing and the platform names a supervisor's key that is not remembered."""
        other = [] if self.trust is None else [k for k in named.supervisor_keys if k not in self.trust.supervisor_keys]
        if self.trust is None or not other:
            return None
        before = self.trust.supervisor_keys[-1] if self.trust.supervisor_keys else b""
        return self._changed(self._who("supervisor"), before, other[-1])

    def first_use(self, named: Trust | None, officers: Mapping[str, bytes]) -> list[dict[str, str]]:
        """Say what could not be checked: the platform's own keys where ``named``, and officers' keys by name. Gives ``[{who, words}]``."""
        rows = []
        if named is not None:
            rows += [(self._who("log"), named.log_key.public)]
            rows += [(self._who("platform"), key) for key in named.platform_keys]
            rows += [(self._who("supervisor"), key) for key in named.supervisor_keys]
        rows += list(officers.items())
        if rows:
            self._say(UNCHECKED)
        told = [{"who": who, "words": self.words(key)} for who, key in rows]
        for one in told:
            say(f"  {one['who']}  {one['words']}")
        return told

    def keep(self, trust: Trust, chains: Chains) -> None:
        """Remember these from now on. A folder that takes no file is said, and stops nothing."""
        officers = {**self.officers, **{holder: chain[-1] for holder, chain in chains.items()}}
        if self.trust is not None and trust == self.trust and officers == self.officers:
            return
        new = self.trust is None
        self._rows[self._platform] = (trust, officers)
        rows = [
            {"platform": name, "trust": one.to_json(), "officers": {who: b64u(key) for who, key in of.items()}}
            for name, (one, of) in sorted(self._rows.items())
        ]
        try:
            with writing(str(self.path), force=True, mode=0o600) as file:
                file.write(
                    json.dumps({"type": TYPE, "v": 1, "known": rows}, ensure_ascii=False, indent=1).encode() + b"\n"
                )
        except OSError:
            self._say(NOT_KEPT, str(self.path))
            return
        if new:
            self._say(KEPT, str(self.path))

    def words(self, key: bytes) -> str:
        """The twelve words of a signing key, in the language of the command."""
        return " · ".join(key_words("ed25519", key, language(self._lang)))

    def _changed(self, who: str, before: bytes, now: bytes) -> Conflict:
        return Conflict(
            "known.changed",
            who=who,
            before=self.words(before) if before else "–",
            now=self.words(now) if now else "–",
            file=str(self.path),
        )

    def _who(self, name: str) -> str:
        return WHO[name][language(self._lang) == "en"]

    def _say(self, pair: tuple[str, str], *values: str) -> None:
        say(pair[language(self._lang) == "en"].format(*values))


def known_of(key_file: str, known_file: str | None = None) -> Path:
    return Path(known_file or key_file + ".known")


def _read(path: Path) -> dict[str, tuple[Trust, dict[str, bytes]]]:
    if not path.exists():
        return {}
    value = read_json(str(path))
    try:
        if not isinstance(value, dict) or value.get("type") != TYPE or value.get("v") != 1:
            raise CryptoError("JSON_PROFILE", "another kind of file")
        return {
            str(row["platform"]): (
                trust_of(row["trust"]),
                {str(who): unb64u(key, 32) for who, key in row["officers"].items()},
            )
            for row in value["known"]
        }
    except (CryptoError, KeyError, TypeError, AttributeError):
        stop(f"{path}: not the keys seen before", BAD_INPUT)
