"""Checkpoints, cosignatures, tlog-proof texts and tiles: the protocol's vectors and tampered notes."""

import pytest

from crypto import checkpoints, merkle
from crypto.errors import CryptoError
from tests.crypto.vectors import vec

CASE = vec("receipt")
LOG = checkpoints.parse_vkey(CASE["vkey_log"])
WITNESS = checkpoints.parse_vkey(CASE["vkey_witness"])


def test_keys_and_notes() -> None:
    assert str(LOG) == CASE["vkey_log"] and str(WITNESS) == CASE["vkey_witness"]
    assert (LOG.kind, WITNESS.kind) == (checkpoints.LOG_KEY, checkpoints.COSIGNER_KEY)
    checkpoint = checkpoints.verify_checkpoint(CASE["checkpoint"], LOG, [WITNESS])
    assert (checkpoint.origin, checkpoint.size, checkpoint.root.hex()) == (CASE["origin"], 7, CASE["root"])
    assert len(checkpoint.cosigned) == 1 and checkpoint.cosigned[0][0] == str(WITNESS)
    at = checkpoint.cosigned[0][1]
    assert checkpoint.cosigned_by(at, 1) and not checkpoint.cosigned_by(at - 1, 1) and checkpoint.cosigned_by(0, 0)
    assert not checkpoints.verify_checkpoint(CASE["checkpoint"], LOG).cosigned


def test_the_note_is_made_byte_for_byte() -> None:
    keys = vec("keys")
    note = checkpoints.sign_checkpoint(
        CASE["origin"], 7, bytes.fromhex(CASE["root"]), bytes.fromhex(keys["platform_sign"]["sk"])
    )
    assert CASE["checkpoint"].startswith(note)
    at = checkpoints.verify_checkpoint(CASE["checkpoint"], LOG, [WITNESS]).cosigned[0][1]
    line = checkpoints.cosign(note, "witness.example/w1", bytes.fromhex(keys["witness_sign"]["sk"]), at)
    assert checkpoints.add_cosignatures(note, [line, line]) == CASE["checkpoint"]
    assert checkpoints.add_cosignatures(CASE["checkpoint"], [line]) == CASE["checkpoint"]


def test_proof_texts() -> None:
    text = CASE["after"]["proof"]["tlog"]
    index, path, note = checkpoints.parse_proof(text)
    assert (index, [h.hex() for h in path], note) == (2, CASE["inclusion_path"], CASE["checkpoint"])
    assert checkpoints.proof_text(index, path, note) == text


NOTE = CASE["checkpoint"]


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("bidhall.example/log\n7", "other/log\n7"),
        NOTE.replace("l9yB", "m9yB"),
        NOTE.replace("\n\n", "\nextension\n\n"),
        NOTE[:-1],
        NOTE.replace("—", "-"),
        NOTE.replace("Zh9xt66S", "Zh9xt66T"),
        NOTE.split("— bidhall")[0] + "— witness" + NOTE.split("— witness")[1],
        NOTE.replace("vVf6MAAAAABpo4kP", "vVf6MAAAAABpo4kQ"),
        NOTE.replace("\n", "\r\n"),
        "",
        "\n\n",
        NOTE + "\n",
    ],
    ids=range(14),
)
def test_tampered_notes(note: str) -> None:
    assert note != NOTE
    with pytest.raises(CryptoError) as refused:
        checkpoints.verify_checkpoint(note, LOG, [WITNESS])
    assert refused.value.code == "TICK_PROOF"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        CASE["vkey_log"].replace("661f71b7", "661f71b8"),
        CASE["vkey_log"].replace("+AW", "+AQ"),
        "x+00000000+AQ==",
    ],
)
def test_bad_verifier_keys(text: str) -> None:
    with pytest.raises(CryptoError):
        checkpoints.parse_vkey(text)


def test_tiles() -> None:
    leaves = [text.encode() for text in CASE["leaves"]]
    hashes = b"".join(merkle.leaf_hash(leaf) for leaf in leaves)
    made = {
        checkpoints.tile_path(0, 0, 7): hashes.hex(),
        checkpoints.entries_path(0, 7): checkpoints.entry_bundle(leaves).hex(),
    }
    assert made == CASE["tiles"]
    assert checkpoints.tile_paths(7) == list(CASE["tiles"])
    assert checkpoints.parse_entry_bundle(checkpoints.entry_bundle(leaves)) == leaves
    with pytest.raises(CryptoError):
        checkpoints.parse_entry_bundle(checkpoints.entry_bundle(leaves)[:-1])
    assert checkpoints.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert checkpoints.tile_path(1, 0, 1) == "tile/1/000.p/1"
    assert checkpoints.tile_paths(257) == [
        "tile/0/000",
        "tile/entries/000",
        "tile/0/001.p/1",
        "tile/entries/001.p/1",
        "tile/1/000.p/1",
    ]
