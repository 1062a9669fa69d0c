"""Open contracting data: what we build is sound by the standard's own schema, and says what the card says, digit for digit."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.disclosure import ocds
from trading.disclosure.merging import compiled, merged
from trading.kernel.errors import Invalid, TooEarly
from trading.reports.readers import read
from trading.reports.savings import reckon

DATA = Path(__file__).parents[2] / "data"
CHINA = timezone(timedelta(hours=8))
NOON = datetime(2026, 3, 18, 12, tzinfo=CHINA)
BUYER = {"id": "P1", "name": "示例区教育局", "code": "11130205000000000A", "region": "示例区"}
AGENCY = {"id": "A1", "name": "示例招标代理甲"}
FIRM = {"id": "F1", "name": "=cmd|' /C calc'!A0 公司"}


def card(**more: Any) -> dict[str, Any]:
    return {
        "ref": "L-2026-0001",
        "date": NOON,
        "tag": ["tender"],
        "title": "教学设备采购",
        "state": "BIDDING",
        "method": "M1",
        "category": "GOODS",
        "regime": "GP",
        "currency": "CNY",
        "purchaser": BUYER,
        "agency": AGENCY,
        "project": {"id": "PR1", "title": "项目"},
        "budget": Decimal("1250000.10"),
        "ceiling": Decimal("1200000.00"),
        "tender_start": NOON - timedelta(days=1),
        "deadline": NOON + timedelta(days=20),
        "documents": [
            {"id": "D1", "type": "tenderNotice", "title": "公告", "url": "https://example.org/d1", "date": NOON}
        ],
        **more,
    }


def awarded(**more: Any) -> dict[str, Any]:
    opened = NOON + timedelta(days=20)
    return card(
        **{
            "date": NOON + timedelta(days=23),
            "tag": ["award", "contract"],
            "state": "RESULT",
            "tenderers": [FIRM, {"id": "F2", "name": "乙公司"}],
            "bids": [
                {"id": "B1", "date": opened, "status": "valid", "tenderer": FIRM, "amount": Decimal("1100000.01")}
            ],
            "awards": [
                {
                    "id": "W1",
                    "date": NOON + timedelta(days=22),
                    "status": "active",
                    "amount": Decimal("1100000.01"),
                    "suppliers": [FIRM],
                }
            ],
            "contracts": [
                {"id": "C1", "award_id": "W1", "status": "active", "date": NOON, "amount": Decimal("1100000.01")}
            ],
            **more,
        }
    )


def package(*cards: dict[str, Any], records: bool = False) -> dict[str, Any]:
    build = ocds.record_package if records else ocds.release_package
    return build(
        [ocds.release(one, prefix="ocds-bh0001") for one in cards],
        uri="https://example.org/ocds/1",
        publisher="示例中心",
        published_at=NOON + timedelta(days=30),
    )


@pytest.mark.parametrize(
    "path",
    sorted((DATA / "ocds-sample").glob("*.json")) + [DATA / "philgeps" / "release_package.json"],
    ids=lambda path: path.stem,
)
def test_packages_of_others_are_sound(path: Path) -> None:
    assert ocds.faults(json.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("records", [False, True])
def test_our_packages_are_sound_as_text_too(records: bool) -> None:
    made = package(
        card(), awarded(), card(ref="L-2", state="FAILED", category=None, agency=None, ceiling=None), records=records
    )
    ocds.validate(made)
    again = json.loads(ocds.written(made), parse_float=Decimal, parse_int=int)
    ocds.validate(again)
    assert '"amount": 1250000.10' in ocds.written(made)


def test_planted_faults_are_all_found() -> None:
    broken = json.loads((DATA / "ocds-sample" / "ocds-213czf-000-00001-02-tender.json").read_text("utf-8"))
    tender = broken["releases"][0]["tender"]
    tender["value"]["amount"] = "10"
    tender["value"]["currency"] = "RMB"
    tender["tenderPeriod"]["startDate"] = "yesterday"
    tender["status"] = "done"
    del broken["releases"][0]["ocid"]
    broken["uri"] = "no uri"
    found = {fault.where for fault in ocds.faults(broken)}
    assert found == {
        "$.releases[0]",
        "$.releases[0].tender.value.amount",
        "$.releases[0].tender.value.currency",
        "$.releases[0].tender.status",
        "$.releases[0].tender.tenderPeriod.startDate",
        "$.uri",
    }
    with pytest.raises(Invalid) as refused:
        ocds.validate(broken)
    assert refused.value.code == "ocds.schema" and len(refused.value.faults) >= 6


def test_the_bids_extension_is_checked() -> None:
    made = package(awarded())
    made["releases"][0]["bids"]["details"][0]["status"] = 5
    assert {fault.where for fault in ocds.faults(made)} == {"$.releases[0].bids.details[0].status"}
    assert made["extensions"] == [ocds.BIDS_EXTENSION] and "extensions" not in package(card())


@pytest.mark.parametrize("name", ["tenderers", "bids", "awards", "contracts"])
def test_nothing_of_bidders_before_the_tender_period_is_over(name: str) -> None:
    early = card(**{name: awarded()[name]})
    with pytest.raises(TooEarly, match=r"ocds.before_opening"):
        ocds.release(early, prefix="ocds-bh0001")
    text = ocds.written(package(card(tenderers=[], bids=[])))
    assert "numberOfTenderers" not in text and "bids" not in text


def test_codes_are_those_of_the_standard() -> None:
    assert set(ocds.ROLES) <= ocds.codelist("partyRole")
    assert {code for code, _ in ocds.METHODS.values()} <= ocds.codelist("method")
    assert set(ocds.TENDER_STATUS.values()) <= ocds.codelist("tenderStatus")
    assert set(ocds.CATEGORIES.values()) <= ocds.codelist("procurementCategory")


def test_each_party_once_with_all_its_roles() -> None:
    made = ocds.release(awarded(), prefix="ocds-bh0001")
    assert [(party["id"], party["roles"]) for party in made["parties"]] == [
        ("P1", ["buyer"]),
        ("A1", ["procuringEntity"]),
        ("F1", ["tenderer", "supplier"]),
        ("F2", ["tenderer"]),
    ]
    assert made["parties"][0]["identifier"] == {"id": BUYER["code"], "legalName": BUYER["name"]}
    assert [p["roles"] for p in ocds.release(card(agency=None), prefix="x")["parties"]] == [
        ["buyer", "procuringEntity"]
    ]


def test_floats_and_bare_moments_are_defects() -> None:
    with pytest.raises(TypeError):
        ocds.release(card(budget=1.5), prefix="x")
    with pytest.raises(TypeError):
        ocds.written({"amount": 1.5})
    with pytest.raises(ValueError, match="offset"):
        ocds.release(card(date=datetime(2026, 1, 1), deadline=None), prefix="x")


@pytest.mark.parametrize("records", [False, True])
def test_what_we_publish_gives_the_same_savings(records: bool) -> None:
    """Export and report agree: one lot awarded, one by unit price, one failed, one open."""
    cards = [
        card(),
        awarded(),
        awarded(ref="L-2", price_form="unit_price", discount_pct=Decimal(12)),
        card(ref="L-3", state="FAILED"),
        card(ref="L-4"),
    ]
    found = read(ocds.written(package(*cards, records=records)).encode())
    report = reckon(found.rows, places=found.places, by=["regime", "method"])
    assert (report.transactions, report.in_rate, report.budget, report.award, report.failed) == (
        2,
        1,
        125000010,
        110000001,
        1,
    )
    assert (report.groups[0].by, report.mean_discount_pct) == (("GP", "M1"), "12.00")
    assert report.excluded == (
        ("ocds-bh0001-L-2", "price_form"),
        ("ocds-bh0001-L-3", "failed"),
        ("ocds-bh0001-L-4", "no_award"),
    )
    assert found.rows[0].date is not None and found.rows[0].agency == AGENCY["name"]


def test_merge_of_the_standard_s_own_example() -> None:
    releases = json.loads((DATA / "ocds-sample" / "ocds-213czf-000-00001.json").read_text("utf-8"))["releases"]
    whole = compiled(copy.deepcopy(releases[::-1]))
    assert (whole["tag"], whole["awards"][0]["status"], whole["tender"]["status"]) == (
        ["compiled"],
        "active",
        "complete",
    )
    assert whole["planning"]["budget"]["amount"]["amount"] == 6700000
    package_of = {
        "uri": "urn:x:1",
        "version": "1.1",
        "publishedDate": "2020-01-01T00:00:00Z",
        "publisher": {"name": "x"},
        "records": [{"ocid": whole["ocid"], "releases": releases, "compiledRelease": whole}],
    }
    assert ocds.faults(package_of) == []


def test_merge_takes_away_what_is_null_and_replaces_plain_lists() -> None:
    first = {"date": "1", "a": {"x": 1, "y": [1, 2]}, "l": [{"id": 1, "v": 1}, {"id": 2}], "gone": 5}
    later = {"date": "2", "a": {"y": [3]}, "l": [{"id": 1, "v": 2}, {"id": 3}], "gone": None}
    assert merged([later, first]) == {
        "date": "2",
        "a": {"x": 1, "y": [3]},
        "l": [{"id": 1, "v": 2}, {"id": 2}, {"id": 3}],
    }


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.decimals(allow_nan=False, allow_infinity=False, places=4),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_law_written_documents_read_back_equal(value: Any) -> None:
    assert json.loads(ocds.written(value), parse_float=Decimal) == value


def test_moments_of_any_zone_are_written_with_their_offset() -> None:
    assert ocds.release(card(date=NOON.astimezone(UTC)), prefix="x")["date"] == "2026-03-18T04:00:00+00:00"
