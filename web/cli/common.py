"""What all commands share: language, exit codes, words of refusals, files written whole or not at all.

Exit codes: 0 done · 1 a check failed or a rule refused · 2 the input or the call is wrong · 3 the platform is not ready.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import click

from crypto.errors import CryptoError
from trading.kernel.errors import Invalid, NotFound, NotReady, Refusal
from web.cli.language import LANGUAGE, language

F = TypeVar("F", bound=Callable[..., Any])
DONE, REFUSED, BAD_INPUT, NOT_READY = 0, 1, 2, 3

lang_option = click.option("--lang", type=LANGUAGE, default=None, help="Language of the answer.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
force_option = click.option("--force", is_flag=True, help="Write over a file that is there.")


def say(message: str) -> None:
    """A message for people: stderr, so that stdout holds results only."""
    click.echo(message, err=True)


def stop(message: str, code: int) -> NoReturn:
    say(message)
    raise SystemExit(code)


def answer(document: dict[str, Any]) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def refusal_text(refusal: Refusal, lang: str | None = None) -> str:
    """A refusal in words, with its code, every fault on a line of its own."""
    from web.words import words

    speech = language(lang)
    lines = [f"{words(refusal.code, dict(refusal.facts), speech)} [{refusal.code}]"]
    for fault in refusal.faults if isinstance(refusal, Invalid) else ():
        lines.append(f"  {fault.where}: {words(fault.code, dict(fault.facts), speech)} [{fault.code}]")
    return "\n".join(lines)


def guarded(command: F) -> F:
    """Turn refusals into words and exit codes: never a traceback for what a person did."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except NotReady as refusal:
            stop(refusal_text(refusal, kwargs.get("lang")), NOT_READY)
        except (Invalid, NotFound) as refusal:
            stop(refusal_text(refusal, kwargs.get("lang")), BAD_INPUT)
        except Refusal as refusal:
            stop(refusal_text(refusal, kwargs.get("lang")), REFUSED)
        except CryptoError as error:
            stop(f"{error.detail} [{error.code}]", REFUSED)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            stop(f"{error.filename}: {error.strerror}", BAD_INPUT)

    return run  # type: ignore[return-value]


@contextmanager
def writing(path: str, *, force: bool = False, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file written under a temporary name and renamed when whole; ``-`` is stdout. Nothing is overwritten without ``force``."""
    if path == "-":
        yield sys.stdout.buffer
        return
    target = Path(path)
    if target.exists() and not force:
        stop(f"{path} is there already; --force writes over it", BAD_INPUT)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix="." + target.name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_bytes(path: str) -> bytes:
    """The bytes of a file; ``-`` is stdin."""
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def read_json(path: str) -> Any:
    """A JSON file. Stops with exit 2 for what is none."""
    try:
        return json.loads(read_bytes(path))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        stop(f"{path}: not JSON: {error}", BAD_INPUT)


def passphrase(given_file: str | None, *, confirm: bool = False) -> str:
    """The passphrase from a file (its first line) or asked for; never from an argument, where others could read it."""
    if given_file:
        try:
            lines = read_bytes(given_file).decode("utf-8").splitlines()
        except UnicodeDecodeError:
            lines = []
        if not lines or not lines[0]:
            stop(f"{given_file}: no passphrase on its first line", BAD_INPUT)
        return lines[0]
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
