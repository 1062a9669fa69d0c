"""Clocks outside, asked over SNTP (RFC 5905 §14): a small question to each, all at once, outside any transaction.

A question carries a random number in place of our time: RFC 8915 is not spoken, so it is all that tells an answer from one that somebody
guesses. Its answer must give it back, come from where it was asked, and soon: half of the way there and back is how far it may be wrong.
"""

from __future__ import annotations

import logging
import secrets
import selectors
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from trading.kernel.clock import Machine, steady_ns
from trading.kernel.outside_time import Answer, Round, Source, parse
from trading.kernel.system_clock import SystemClock

WAIT_NS = 2_000_000_000
"""Nanoseconds an answer may take: what comes later says too little of when it was sent."""
EVERY_NS = 45 * 10**9
"""A round that is younger is not asked anew: several processes turn the clock, and public servers want no more than a question a minute."""
EVERY_SECONDS = 60
SIZE, EPOCH = 48, 2_208_988_800
"""Bytes of a packet without extensions; seconds from 1900, where NTP begins, to 1970."""
ERA = 1 << 32
_CLIENT = (4 << 3) | 3
_SERVER_MODE = 4
logger = logging.getLogger("bidhall.clock")


def ask(clock: SystemClock) -> Round | None:
    """Ask every source that was named and keep what they said; the round there is where it is young enough. None without sources.
    Never raises for a source that does not answer, nor for a folder that cannot be written."""
    if not clock.outside.sources:
        return None
    known = clock.outside.get(clock.boot, steady := clock.machine.steady_ns())
    if known is not None and steady - known.steady < EVERY_NS:
        return known
    found = asked_now(clock)
    try:
        clock.outside.put(found)
    except OSError as error:
        logger.error("what clocks outside said could not be written down: %s", type(error).__name__)
    return found


def asked_now(clock: SystemClock) -> Round:
    """A round of questions that changes nothing."""
    return Round(clock.boot, clock.machine.steady_ns(), query(clock.outside.sources, clock.machine))


def query(sources: Sequence[str], machine: Machine) -> tuple[Answer, ...]:
    """What each says now, in the order they are named."""
    found: dict[str, Answer] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as waiting:
        for text in sources:
            try:
                line = stack.enter_context(_line(parse(text)))
                nonce, sent = secrets.token_bytes(8), machine.steady_ns()
                line.send(_CLIENT.to_bytes(1, "big") + bytes(39) + nonce)
            except (OSError, ValueError) as error:
                found[text] = Answer(text, fault=_word(error))
                continue
            waiting.register(line, selectors.EVENT_READ, partial(_read, line, text, nonce, sent, machine))
        began = steady_ns()
        while waiting.get_map() and (left := WAIT_NS - (steady_ns() - began)) > 0:
            for key, _events in waiting.select(left / 10**9):
                receive: Callable[[], Answer | None] = key.data
                answer = receive()
                if answer is not None:
                    found[answer.source] = answer
                    waiting.unregister(key.fileobj)
    return tuple(found.get(text, Answer(text, fault="silent")) for text in sources)


def _line(source: Source) -> socket.socket:
    """A datagram socket that takes answers from there alone. Raises: OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(source.host, source.port, type=socket.SOCK_DGRAM)[0]
    line = socket.socket(family, kind, protocol)
    try:
        line.setblocking(False)
        line.connect(address)
    except OSError:
        line.close()
        raise
    return line


def _read(line: socket.socket, text: str, nonce: bytes, sent: int, machine: Machine) -> Answer | None:
    """What has come on a line; None for a packet that is no answer to our question, which is passed over."""
    try:
        packet = line.recv(1024)
    except BlockingIOError:
        return None
    except OSError as error:
        return Answer(text, fault=_word(error))
    return read(packet, text, nonce, sent, machine.steady_ns())


def read(packet: bytes, source: str, nonce: bytes, sent: int, come: int) -> Answer | None:
    """A packet that came at ``come`` in answer to a question of ``sent`` (nanoseconds of the clock since boot). None where it does not give
    our number back; a fault for a clock that says itself that it is not right (RFC 5905 §7.3: leap 3, stratum 0 or 16)."""
    if len(packet) < SIZE or packet[24:32] != nonce or packet[0] & 7 != _SERVER_MODE:
        return None
    if packet[0] >> 6 == 3 or not 0 < packet[1] < 16:
        return Answer(source, fault="unsynchronized")
    received, answered = (_time(packet[at : at + 8]) for at in (32, 40))
    if not received or not 0 <= answered - received < WAIT_NS:
        return Answer(source, fault="no_time")
    way = come - sent - (answered - received)
    if not 0 <= way <= WAIT_NS:
        return Answer(source, fault="too_slow")
    return Answer(source, (received + answered - sent - come) // 2, way // 2)


def _time(stamp: bytes) -> int:
    """A time stamp of NTP as nanoseconds since 1970, 0 for none; of the era from 2036 on where it would lie before 1968 else."""
    seconds, fraction = struct.unpack(">II", stamp)
    if not seconds and not fraction:
        return 0
    if not seconds >> 31:
        seconds += ERA
    return int((seconds - EPOCH) * 10**9 + (fraction * 10**9 >> 32))


def _word(error: Exception) -> str:
    return "unknown_host" if isinstance(error, socket.gaierror) else "unreachable"
