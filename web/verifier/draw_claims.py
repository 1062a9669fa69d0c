"""Claims `expert_draw`, `coefficient_draw` and `invitation_draw`: nobody steered the draw, and the result follows from what was revealed
(E1)."""

from __future__ import annotations

from crypto import draws
from crypto.canonical import H, b64u, loads, unb64u
from crypto.errors import CryptoError
from crypto.headers import check_share, join_shares
from crypto.opening import commit_list_id
from crypto.policies import policy_id
from web.verifier.log_claims import Log
from web.verifier.material import Document, Entry, Material

CLAIM = {"experts": "expert_draw", "k": "coefficient_draw", "invited": "invitation_draw"}


def check(material: Material, log: Log) -> None:
    """Every draw of the lot, void ones too. Never refuses."""
    for notice in material.of_kind("draw-notice"):
        claim = CLAIM[notice.value["label"]]
        with material.findings.guard(claim, "B_DRAW", notice.value["draw"]):
            _check_draw(material, log, claim, notice)
    known = {n.value["draw"] for n in material.of_kind("draw-notice")}
    for document in material.of_kind("draw"):
        if document.value["draw"] not in known:
            material.findings.fault(
                CLAIM[document.value["label"]], "B_DRAW", f"a draw without a notice: {document.value['draw']}"
            )
    for entry in material.of_event("draw", "draw-notice"):
        if entry.value["statement"] not in material.documents:
            label = str(entry.value["envelope"]).removeprefix("draw:").partition("/")[0]
            material.findings.fault(CLAIM[label], "B_DRAW", f"the document of {entry.event} {entry.c} is missing")


def coefficient(material: Material) -> str:
    """The K drawn, from the pool that was frozen before anybody committed; "" where none was drawn. Refuses: CONTEXT_MISMATCH."""
    for document in material.of_kind("draw"):
        if document.value["label"] == "k":
            notices = [n for n in material.of_kind("draw-notice") if n.value["draw"] == document.value["draw"]]
            pool = pool_of(material, notices[0]) if notices else None
            if pool is None:
                raise CryptoError("CONTEXT_MISMATCH", "the pool of coefficients is missing")
            return pool[document.value["picks"][0]]
    return ""


def _check_draw(material: Material, log: Log, claim: str, notice: Document) -> None:
    name = notice.value["draw"]
    announced = _only(material.logged(notice), "the notice")
    turns = {d.value["party"]: d for d in material.of_kind("draw-commit") if d.value["draw"] == name}
    voids = [d for d in material.of_kind("draw-void") if d.value["draw"] == name]
    results = [d for d in material.of_kind("draw") if d.value["draw"] == name]
    pool = pool_of(material, notice)
    if pool is None and (material.audit or notice.value["label"] == "k"):
        raise CryptoError("CONTEXT_MISMATCH", "the pool is missing")
    if voids and not results:
        material.findings.checked(claim, f"{name} was void, {voids[0].value['next']} took its place")
        return
    if len(results) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"{len(results)} results")
    if set(turns) != set(notice.value["parties"]):
        raise CryptoError("CONTEXT_MISMATCH", "commitments of other parties than the notice names")
    listed, root = _check_list(material, log, notice, announced, turns)
    made = []
    for party in notice.value["parties"]:
        document = turns[party].value
        header = draws.check_escrow(
            _escrow(material, document["header_hash"]), draw=name, party=party, policy=notice.value["policy"]
        )
        if header.ctx != draws.escrow_ctx(_policy(material, notice, announced), draw=name, party=party):
            raise CryptoError("CONTEXT_MISMATCH", f"the escrow of {party} is for other officers")
        r = _revealed(material, name, party, listed)
        if not r:
            r = _from_escrow(material, header, listed)
        made.append(draws.Turn(party, unb64u(document["commit"], 32), header, r))
    found = results[0].value
    if not all(turn.r for turn in made):
        raise CryptoError(
            "DRAW_ESCROW",
            "what a silent party left in escrow is not in this profile" if not material.audit else "no value",
        )
    mine = draws.result(notice.value, made, root=root, at=found["at"], beacon=found["beacon"])
    if mine != found:
        wrong = sorted(key for key in mine if mine[key] != found[key])
        raise CryptoError("CONTEXT_MISMATCH", "the result is not what the reveals give: " + ", ".join(wrong))
    label, size, take = notice.value["label"], notice.value["size"], notice.value["take"]
    what = {"k": "coefficients", "experts": "experts", "invited": "bidders to invite"}[label]
    drawn = f"{coefficient(material) if label == 'k' else take} of {size} {what}"
    material.findings.checked(claim, f"{name}: {drawn}, from commitments of {', '.join(notice.value['parties'])}")


def _check_list(
    material: Material, log: Log, notice: Document, announced: Entry, turns: dict[str, Document]
) -> tuple[Entry, bytes]:
    """Notice before commitments, commitments before the list, platform first; returns the list's entry and the root it fixed."""
    commits = [_only(material.logged(turns[party]), f"the commitment of {party}") for party in notice.value["parties"]]
    if any(entry.tick <= announced.tick for entry in commits):
        raise CryptoError("TICK_PROOF", "a commitment that is not later than the notice")
    lists = [d for d in material.of_kind("commit-list") if d.value["of"] == notice.value["draw"]]
    if len(lists) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"{len(lists)} commit lists")
    listed = _only(material.logged(lists[0]), "the commit list")
    if lists[0].value["entries"] != [entry.c for entry in commits]:
        raise CryptoError("CONTEXT_MISMATCH", "the list is not of just these commitments, in the order of the parties")
    last = max(entry.tick for entry in commits)
    root = log.root_after(last)
    if lists[0].value["root"] != b64u(root):
        raise CryptoError("TICK_PROOF", "the list names another root than the checkpoint's over the last commitment")
    if listed.tick <= last:
        raise CryptoError("TICK_PROOF", "the list is not later than the commitments")
    return listed, root


def _revealed(material: Material, draw: str, party: str, listed: Entry) -> bytes:
    found = [d for d in material.of_kind("draw-reveal") if d.value["draw"] == draw and d.value["party"] == party]
    if not found:
        return b""
    entry = _only(material.logged(found[0]), f"the reveal of {party}")
    if len(found) > 1 or entry.tick <= listed.tick:
        raise CryptoError("TICK_PROOF", f"{party} revealed twice, or not later than the list")
    return unb64u(found[0].value["r"], 32)


def _from_escrow(material: Material, header: draws.Header, listed: Entry) -> bytes:
    """What the officers' shares of a silent party's escrow join to; 32 zero bytes where they do not."""
    set_ = commit_list_id(material.spoken_of(listed).value)
    parts = {}
    for document in material.of_kind("shares"):
        if document.value["set"] != set_:
            continue
        for item in document.value["items"]:
            if item["header_hash"] == b64u(header.header_hash) and item["part"]:
                check_share(header, document.value["j"], unb64u(item["part"], 32))
                parts[document.value["j"]] = unb64u(item["part"], 32)
    if not parts:
        return b""
    try:
        return join_shares(header, parts)
    except CryptoError:
        return draws.NOTHING


def _escrow(material: Material, header_hash: str) -> bytes:
    for path in material.archive.below("draw/"):
        if "/escrow." in path:
            raw = material.archive.read(path, 1 << 20)
            if b64u(H("header", raw)) == header_hash:
                return raw
    raise CryptoError("CONTEXT_MISMATCH", "the escrow of a commitment is missing")


def _policy(material: Material, notice: Document, announced: Entry) -> dict[str, object]:
    """Of the line that was published: what was drafted and dropped before it binds nobody, a draw neither."""
    for policy in material.chain(str(announced.value["envelope"])):
        if policy_id(policy) == notice.value["policy"]:
            return policy
    raise CryptoError("CONTEXT_MISMATCH", "the policy of the draw is none of those published for it")


def pool_of(material: Material, notice: Document) -> list[str] | None:
    """The pool of a draw, held to the hash that was logged before any commitment. Refuses: JSON_PROFILE, CONTEXT_MISMATCH."""
    for path in material.archive.below("draw/"):
        if not path.endswith("/pool.json"):
            continue
        value = loads(material.archive.read(path))
        if value["draw"] != notice.value["draw"]:
            continue
        frozen = b64u(draws.pool_hash(unb64u(value["salt"], 32), value["pool"]))
        if frozen != notice.value["pool"] or len(value["pool"]) != notice.value["size"]:
            raise CryptoError("CONTEXT_MISMATCH", "another pool than the one frozen in the notice")
        found: list[str] = value["pool"]
        return found
    return None


def _only(entries: list[Entry], what: str) -> Entry:
    if len(entries) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"{what} is logged {len(entries)} times")
    return entries[0]
