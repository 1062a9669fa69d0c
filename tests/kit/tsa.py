"""A time-stamping authority of one's own: a certificate authority, its leaf, and `openssl ts` behind a real socket.

with authority(folder) as tsa:       # tsa.url, tsa.root (PEM), tsa.verify(paper, answer), tsa.down = True
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Authority:
    """``asked``: requests that came; ``down``: answer 503; ``replay``: give this answer whatever is asked."""

    folder: Path
    root: bytes
    url: str = ""
    asked: int = 0
    down: bool = False
    replay: bytes = b""

    def answer(self, request: bytes) -> bytes:
        (self.folder / "q.tsq").write_bytes(request)
        subprocess.run(
            ["openssl", "ts", "-reply", "-queryfile", "q.tsq", "-out", "r.tsr", "-config", "tsa.cnf", "-section", "t"],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        return (self.folder / "r.tsr").read_bytes()

    def verify(self, paper: bytes, answer: bytes) -> bool:
        """As anybody checks it, without this platform."""
        for name, data in (("p", paper), ("a.tsr", answer), ("root.pem", self.root)):
            (self.folder / name).write_bytes(data)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "p", "-in", "a.tsr", "-CAfile", "root.pem"],
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return made.sign(signer, hashes.SHA256())


def _made(folder: Path) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", root_key, "Test root", root_key, ca=True).public_bytes(serialization.Encoding.PEM)
    leaf = _certificate("Test authority", leaf_key, "Test root", root_key, ca=False).public_bytes(
        serialization.Encoding.PEM
    )
    secret = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, data in (("leaf.pem", leaf), ("leaf.key", secret), ("serial", b"01")):
        (folder / name).write_bytes(data)
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=leaf.pem\nsigner_key=leaf.key\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4.1\ndigests=sha256,sha512\naccuracy=secs:1\ness_cert_id_alg=sha256\n"
    )
    return Authority(folder, root)


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """An authority that answers until the block ends."""
    tsa = _made(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name http.server calls
            request = self.rfile.read(int(self.headers["Content-Length"]))
            tsa.asked += 1
            if tsa.down:
                self.send_error(503)
                return
            answer = tsa.replay or tsa.answer(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    tsa.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield tsa
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
