"""A small real opening: officers, bidders, a log that ticks, sealed bids, and the package an officer's client gets."""

import io
from dataclasses import dataclass, field
from typing import Any

from crypto import checkpoints, documents, keys, merkle, opening, policies, sealed_bid, signatures, submissions, ticks
from crypto.canonical import b64u
from crypto.keys import ed25519_public, kid, x25519_public
from crypto.signatures import document_hash
from crypto.trust import Trust

PLATFORM, LOG, SUPERVISOR, WITNESS = (bytes([i]) * 32 for i in (101, 102, 103, 104))
SIDES = ("platform", "tenderee", "supervisor", "platform", "tenderee")
DEADLINE, OPENS_AT = "2026-03-01T01:30:00Z", "2026-03-01T01:30:00Z"
WITNESS_KEY = checkpoints.NoteKey("w.example/1", checkpoints.COSIGNER_KEY, ed25519_public(WITNESS))
TRUST = Trust(
    checkpoints.NoteKey("example/log", checkpoints.LOG_KEY, ed25519_public(LOG)),
    (ed25519_public(PLATFORM),),
    (ed25519_public(SUPERVISOR),),
    (WITNESS_KEY,),
    1,
)
OFFICERS = [(bytes([10 + j]) * 32, bytes([20 + j]) * 32) for j in range(1, 6)]  # signing, sealing


def policy_of(**change: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "suite": "sb1-x25519-sha256-aes256gcm",
        "platform": "example",
        "tender": "T",
        "lot": "1",
        "envelope": "price",
        "t": 3,
        "n": 5,
        "serial": 1,
        "supersedes": "",
        "deadline": DEADLINE,
        "opens_at": OPENS_AT,
        "window": 30,
        "mirror": "none",
        "rescue": True,
        "co_opening": False,
        "file_names": False,
        "max_plen": 2**30,
        "officers": [
            {
                "name": f"officer {j}",
                "pk": b64u(x25519_public(seal)),
                "side": SIDES[j - 1],
                "sign_kid": kid("ed25519", ed25519_public(sign)),
            }
            for j, (sign, seal) in enumerate(OFFICERS, 1)
        ],
        **change,
    }


OFFICER_KEYS = {kid("ed25519", ed25519_public(sign)): ed25519_public(sign) for sign, _ in OFFICERS}


def bidder_secret(name: str) -> bytes:
    return keys.kid("ed25519", name.encode().ljust(32)).encode().ljust(32)[:32]


def signing_keys(name: str) -> list[bytes]:
    return [ed25519_public(bidder_secret(name))]


@dataclass
class Hall:
    """One lot with one policy; ticks are sealed as they are asked for."""

    policy: dict[str, Any] = field(default_factory=policy_of)
    log: merkle.Tree = field(default_factory=merkle.Tree)
    notes: list[str] = field(default_factory=list)
    sealed: list[ticks.SealedTick] = field(default_factory=list)
    where: dict[bytes, int] = field(default_factory=dict)
    waiting: list[bytes] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    statements: list[Any] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    made: dict[str, sealed_bid.Sealed] = field(default_factory=dict)

    def entry(self, event: str, at: str, statement: str = "", reason: str = "") -> dict[str, Any]:
        made = ticks.make_entry(
            at=at, event=event, statement=statement, tender="T", lot="1", envelope="price", reason=reason
        )
        self.waiting.append(ticks.commitment(made))
        return made

    def tick(self, at: str, cosigned_after: int = 2) -> None:
        number = self.log.size
        tick = ticks.seal_tick(number, at, self.waiting)
        self.where |= dict.fromkeys(self.waiting, number)
        self.waiting = []
        self.log.append(tick.leaf_bytes)
        self.sealed.append(tick)
        note = checkpoints.sign_checkpoint("example/log", self.log.size, self.log.root(), LOG)
        line = checkpoints.cosign(note, WITNESS_KEY.name, WITNESS, ticks.unix(at) + cosigned_after)
        self.notes.append(checkpoints.add_cosignatures(note, [line]))

    def tlog(self, number: int, under: int) -> str:
        return checkpoints.proof_text(number, self.log.inclusion(number, under + 1), self.notes[under])

    def receipt(self, entry: dict[str, Any], under: int) -> dict[str, Any]:
        c = ticks.commitment(entry)
        tick = self.sealed[self.where[c]]
        slot = tick.slots[c]
        return {
            "entry": ticks.sign_entry(entry, PLATFORM),
            "proof": ticks.make_proof(tick.leaf, tick.tree.path(slot), slot, self.tlog(self.where[c], under)),
        }

    def bid(self, bidder: str, at: str, price: str = "1.00", data: bytes = b"offer", policy: Any = None) -> str:
        out = io.BytesIO()
        made = sealed_bid.seal(
            policy or self.policy,
            bidder=bidder,
            announce={"price": price},
            out=out,
            files=[sealed_bid.FileIn("offer.txt", len(data), io.BytesIO(data))],
        )
        statement = submissions.make_submission(
            made, sealed_at=at, tool="test/1", replaces=self.current.get(bidder, "")
        )
        envelope = documents.sign_document("submission", statement, bidder_secret(bidder))
        submissions.check_submission(
            envelope,
            sealed_bid.inspect(io.BytesIO(out.getvalue())),
            [policy or self.policy],
            bidder=bidder,
            signing_keys=signing_keys(bidder),
            current=self.current.get(bidder, ""),
        )
        event = "bid-replaced" if statement["replaces"] else "bid-received"
        self.entries.append(self.entry(event, at, document_hash(statement)))
        self.statements.append(envelope)
        self.files[statement["header_hash"]] = out.getvalue()
        self.made[statement["header_hash"]] = made
        self.current[bidder] = document_hash(statement)
        return str(statement["header_hash"])

    def withdraw(self, bidder: str, at: str) -> None:
        old = next(
            s for s in (signatures.payload_of(e) for e in self.statements) if document_hash(s) == self.current[bidder]
        )
        from crypto.canonical import loads

        withdrawal = submissions.make_withdrawal(loads(old), at=at)
        envelope = documents.sign_document("withdrawal", withdrawal, bidder_secret(bidder))
        submissions.check_withdrawal(
            envelope, [self.policy], bidder=bidder, signing_keys=signing_keys(bidder), current=self.current[bidder]
        )
        self.entries.append(self.entry("bid-withdrawn", at, document_hash(withdrawal)))
        self.statements.append(envelope)
        del self.current[bidder]

    def publish(self) -> None:
        self.policy_entry = self.entry("policy", "2026-02-01T00:00:00Z", document_hash(self.policy))
        self.tick("2026-02-01T00:01:00Z")

    def close(
        self, at: str = "2026-03-01T01:31:00Z", before: str = "2026-03-01T01:30:50Z", cosigned_after: int = 2
    ) -> opening.Package:
        self.tick(before)
        self.list = opening.make_entry_list([ticks.commitment(e) for e in self.entries])
        self.deadline = {
            "v": 1,
            "at": at,
            "deadline": self.policy["deadline"],
            "entries": opening.hash_of_list(self.list),
            "policy": policies.policy_id(self.policy),
            "platform": "example",
            "tender": "T",
            "lot": "1",
            "envelope": "price",
        }
        entry = self.entry("deadline", at, document_hash(self.deadline))
        self.tick(at, cosigned_after)
        last = self.log.size - 1
        from crypto.canonical import loads

        docs = {document_hash(signatures.payload_of(e)): loads(signatures.payload_of(e)) for e in self.statements}
        bids = opening.replay(self.entries, docs, tender="T", lot="1", envelope="price")
        self.set = opening.make_opening_set(self.policy, at=at, deadline_entry=ticks.commitment(entry), bids=bids)
        return opening.Package(
            policies=[documents.sign_document("policy", self.policy, PLATFORM, *(s for s, _ in OFFICERS))],
            policy_receipts=[self.receipt(self.policy_entry, last)],
            deadline=self.deadline,
            deadline_receipt=self.receipt(entry, last),
            before_closing={"leaf": self.sealed[last - 1].leaf, "tlog": self.tlog(last - 1, last)},
            entry_list=self.list,
            entries=[self.receipt(e, last) for e in self.entries],
            statements=self.statements,
            opening_set=documents.sign_document("opening-set", self.set, PLATFORM),
        )


def played() -> tuple[Hall, opening.Package]:
    """Three bidders: one replaces, one withdraws; one attempt is refused."""
    hall = Hall()
    hall.publish()
    hall.bid("A", "2026-03-01T01:00:00Z", "3.00")
    hall.bid("B", "2026-03-01T01:00:01Z", "2.00")
    hall.tick("2026-03-01T01:01:00Z")
    hall.bid("A", "2026-03-01T01:02:00Z", "1.50")
    hall.bid("C", "2026-03-01T01:02:01Z")
    hall.withdraw("C", "2026-03-01T01:29:59Z")
    hall.entries.append(hall.entry("bid-refused", "2026-03-01T01:30:00Z", reason="LATE"))
    return hall, hall.close()


def check(package: opening.Package, now: str = "2026-03-01T01:34:00Z", trust: Trust = TRUST) -> opening.CheckedSet:
    return opening.check_opening(package, trust, now=now, officer_keys=OFFICER_KEYS, signing_keys=signing_keys)
