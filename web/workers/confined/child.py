"""The converter's own process: reads one stranger's file from standard input, answers one page as bare pixels, and can do nothing else.

    python -I -m web.workers.confined.child KIND PAGE WIDTH < file

First it loads its libraries, then it gives everything up, in this order: limits of time, memory and files; namespaces without network,
where the system grants them; every right to files but reading fonts (Landlock); every system call but those that compute and write to
standard output (seccomp). Only then it looks at the file. Without seccomp it refuses to look at all. Nothing of the product is imported
but this file, so a page of a bid meets no key, no database, no settings.

Answer: ``BHP1`` pages width height (big-endian u32 each) and RGB bytes; ``BHT1`` length and UTF-8; ``BHE1`` and a word.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
import warnings
from typing import Any

CPU_SECONDS = 6
MEMORY = 1 << 30
MOST_PIXELS = 4_000_000
MOST_TEXT = 256 * 1024
MOST_PAGES = 5000
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts")

_NO_NEW_PRIVS, _SECCOMP, _DUMPABLE = 38, 22, 4
_NEWUSER, _NEWNET, _NEWIPC, _NEWUTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_ALL_FILE_RIGHTS, _READ_FILE, _READ_DIR = (1 << 13) - 1, 1 << 2, 1 << 3

# x86-64: read, close, fstat, lseek, munmap, brk, signals' own, pread64, readv, sched_yield, mremap, madvise, getpid, exit, uname, fcntl,
# gettimeofday, sigaltstack, gettid, time, futex, getdents64, clock_gettime, clock_nanosleep, exit_group, newfstatat, set_robust_list,
# getrandom, membarrier, rseq. write, mmap, mprotect and openat are looked at by their arguments.
_ALLOWED = (
    0,
    3,
    5,
    8,
    11,
    12,
    13,
    14,
    15,
    17,
    19,
    24,
    25,
    28,
    39,
    60,
    63,
    72,
    96,
    131,
    186,
    201,
    202,
    217,
    228,
    230,
    231,
    262,
    273,
    318,
    324,
    334,
)
_WRITE, _MMAP, _MPROTECT, _OPENAT = 1, 9, 10, 257
_X86_64 = 0xC000003E
_ERRNO, _ALLOW, _KILL = 0x00050001, 0x7FFF0000, 0x80000000
_PROT_EXEC = 4
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Unfit(Exception):
    """No page: the word says why."""


def confine() -> str:
    """Give everything up; says what the system granted. Raises: Unfit where it cannot be confined."""
    libc = ctypes.CDLL(None, use_errno=True)
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    if platform.machine() != "x86_64" or sys.platform != "linux":
        raise Unfit("unconfined")
    granted = ["limits"]
    libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    if libc.unshare(_NEWUSER | _NEWNET | _NEWIPC | _NEWUTS) == 0:
        granted.append("namespaces")
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise Unfit("unconfined")
    landlock = _landlock(libc)
    if landlock:
        granted.append("landlock")
    if not _seccomp(libc, files=landlock):
        raise Unfit("unconfined")
    return " ".join([*granted, "seccomp"])


def _landlock(libc: Any) -> bool:
    """No file may be touched but to read fonts."""
    ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(ctypes.c_uint64(_ALL_FILE_RIGHTS)), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False
    for path in FONTS:
        if not os.path.isdir(path):
            continue
        folder = os.open(path, os.O_PATH | os.O_DIRECTORY)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", _READ_FILE | _READ_DIR, folder))
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
        os.close(folder)
    done = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return bool(done)


def _seccomp(libc: Any, *, files: bool) -> bool:
    program = b"".join(_filter(files))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    held = ctypes.create_string_buffer(program)
    loaded = Program(len(program) // 8, ctypes.addressof(held))
    return bool(libc.prctl(_SECCOMP, 2, ctypes.byref(loaded), 0, 0) == 0)


def _filter(files: bool) -> list[bytes]:
    """Classic BPF over ``struct seccomp_data``: number at 0, architecture at 4, arguments' low words from 16 on, 8 apart."""

    def load(at: int) -> bytes:
        return struct.pack("=HBBI", 0x20, 0, 0, at)

    def equal(value: int, yes: int, no: int) -> bytes:
        return struct.pack("=HBBI", 0x15, yes, no, value)

    def any_bit(value: int, yes: int, no: int) -> bytes:
        return struct.pack("=HBBI", 0x45, yes, no, value)

    def answer(value: int) -> bytes:
        return struct.pack("=HBBI", 0x06, 0, 0, value)

    found = [load(4), equal(_X86_64, 1, 0), answer(_KILL), load(0)]
    found += [equal(_WRITE, 0, 4), load(16), equal(1, 0, 1), answer(_ALLOW), answer(_ERRNO)]
    for number in (_MMAP, _MPROTECT):
        found += [equal(number, 0, 4), load(32), any_bit(_PROT_EXEC, 1, 0), answer(_ALLOW), answer(_ERRNO)]
    if files:
        found += [equal(_OPENAT, 0, 4), load(32), any_bit(_WRITES, 1, 0), answer(_ALLOW), answer(_ERRNO)]
    for number in _ALLOWED:  # numbers of the 32-bit-pointer ABI carry a high bit and match none
        found += [equal(number, 0, 1), answer(_ALLOW)]
    return [*found, answer(_ERRNO)]


# --- converters -----------------------------------------------------------------------------------------------------------


def pdf_page(source: Any, number: int, width: int) -> bytes:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(source)
        pages = len(document)
        if not 0 < number <= min(pages, MOST_PAGES):
            raise Unfit("no-page")
        page = document[number - 1]
        across, down = page.get_size()
        if not (0 < across < 1e6 and 0 < down < 1e6):
            raise Unfit("damaged")
        scale = width / across
        if across * down * scale * scale > MOST_PIXELS:
            scale = (MOST_PIXELS / (across * down)) ** 0.5
        bitmap = page.render(scale=scale, may_draw_forms=False, draw_annots=True, rev_byteorder=False)
        image = bitmap.to_pil().convert("RGB")
    except pdfium.PdfiumError as error:
        raise Unfit("locked" if "password" in str(error).lower() else "damaged") from error
    return _pixels(pages, image)


def image_page(source: Any, number: int, width: int) -> bytes:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = 100_000_000
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Any = Image.open(source, formats=("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"))
            pages = min(int(getattr(image, "n_frames", 1)), MOST_PAGES)
            if not 0 < number <= pages:
                raise Unfit("no-page")
            image.seek(number - 1)
            image.draft("RGB", (width, width * 2))
            image = ImageOps.exif_transpose(image)
            image.thumbnail((width, 2 * width))
            image = image.convert("RGBA") if image.mode in ("P", "LA", "PA", "RGBA") else image.convert("RGB")
            if image.mode == "RGBA":
                white = Image.new("RGB", image.size, "white")
                white.paste(image, mask=image.getchannel("A"))
                image = white
    except Unfit:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unfit("too-large") from error
    except Exception as error:  # whatever a decoder of strangers' bytes throws
        raise Unfit("damaged") from error
    return _pixels(pages, image)


def text_page(source: Any, _number: int, _width: int) -> bytes:
    data = source.read(MOST_TEXT)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data[: len(data) - (3 if len(data) == MOST_TEXT else 0)].decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = data.decode("utf-8", "replace")
    answer = "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text.replace("\r\n", "\n")
    ).encode()
    return b"BHT1" + struct.pack(">I", len(answer)) + answer


def _pixels(pages: int, image: Any) -> bytes:
    if image.width * image.height > MOST_PIXELS:
        image.thumbnail((2000, 2000))
    return b"BHP1" + struct.pack(">III", pages, image.width, image.height) + bytes(image.tobytes())


KINDS = {"pdf": pdf_page, "image": image_page, "text": text_page}


def _warm() -> None:
    """Everything that is loaded lazily, loaded now: afterwards no program text can be mapped."""
    import io

    import pypdfium2 as pdfium
    from PIL import Image

    Image.init()
    pixel = Image.new("RGB", (8, 8))
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"):
        out = io.BytesIO()
        pixel.save(out, kind)
        image_page(io.BytesIO(out.getvalue()), 1, 4)
    document = pdfium.PdfDocument.new()
    document.new_page(20, 20)
    out = io.BytesIO()
    document.save(out)
    pdf_page(io.BytesIO(out.getvalue()), 1, 20)
    for encoding in ("utf-8-sig", "gb18030"):
        b"\xd6\xd0".decode(encoding, "replace")


def main() -> None:
    kind, number, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    try:
        _warm()
        confine()
        answer = KINDS[kind](os.fdopen(0, "rb", closefd=False), number, width)
    except Unfit as reason:
        answer = b"BHE1" + str(reason).encode()
    except MemoryError:
        answer = b"BHE1too-large"
    except Exception:
        answer = b"BHE1damaged"
    view = memoryview(answer)
    while view:
        view = view[os.write(1, view) :]
    os._exit(0)


if __name__ == "__main__":
    main()
