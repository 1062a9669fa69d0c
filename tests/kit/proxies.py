"""nginx and Caddy as docs/operate/service shows them, on ports of their own and with a certificate made here, before a server of ours."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.start import free_port
from tests.house.tree import text

HOST = "bidhall.example"
SETTINGS = {"BIDHALL_BASE_URL": f"https://{HOST}", "BIDHALL_PROXIES": "1"}
ARRIVAL = {"nginx": {"BIDHALL_ARRIVAL_HEADER": "X-Arrived-At"}, "caddy": {}}
"""Settings of the platform behind each, as the first lines of the examples say."""
NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for ``HOST`` and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=400))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "fullchain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret


@contextmanager
def standing(kind: str, folder: Path, port: int) -> Iterator[tuple[int, ssl.SSLContext]]:
    """The proxy before ``port``: the port of its TLS, and a context that trusts its certificate. Skips, in words, where it is missing."""
    if shutil.which(kind) is None:
        pytest.skip(f"no {kind}: its example was compared with our numbers, and not started (apt-get install {kind})")
    folder.mkdir(exist_ok=True)
    chain, key = certificate(folder)
    tls, plain = free_port(), free_port()
    command = nginx(folder, tls, plain, port) if kind == "nginx" else caddy(folder, tls, plain, port, chain, key)
    home = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=home, stdout=said, stderr=said, cwd=folder)
    try:
        end = time.monotonic() + 20
        while not _answers(tls):
            assert process.poll() is None and time.monotonic() < end, (folder / "said").read_text()
            time.sleep(0.05)
        yield tls, ssl.create_default_context(cafile=str(chain))
    finally:
        process.terminate()
        process.wait(20)


def nginx(folder: Path, tls: int, plain: int, port: int) -> list[str]:
    site = text("docs/operate/service/nginx.conf")
    site = re.sub(r"(?m)^\s*listen \[::\].*\n", "", site).replace("/etc/ssl/bidhall", str(folder))
    site = site.replace("listen 443", f"listen 127.0.0.1:{tls}").replace("listen 80;", f"listen 127.0.0.1:{plain};")
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, site=site.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy(folder: Path, tls: int, plain: int, port: int, chain: Path, key: Path) -> list[str]:
    site = text("docs/operate/service/Caddyfile").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    ports = f"\tadmin off\n\thttp_port {plain}\n\thttps_port {tls}\n\tskip_install_trust\n\tservers {{"
    site = site.replace("\tservers {", ports, 1)
    site = site.replace(f"{HOST} {{", f"{HOST} {{\n\tbind 127.0.0.1\n\ttls {chain} {key}", 1)
    (folder / "Caddyfile").write_text(site)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
