"""Evidence as it is signed below a reason, and what is only a line of the reason."""

from __future__ import annotations

from evaluation.scoring import evidence
from evaluation.scoring.evidence import Pin


def test_lines_below_a_reason_are_evidence() -> None:
    told = "计划写到日（2），有考核（1）\n[1] F1 P147 @500,140,390,55 不少于 5 个工作日\n[2] F2 P3 @0,0,1000,1000"
    assert evidence.read(told) == (
        "计划写到日（2），有考核（1）",
        (Pin(1, 1, 147, (500, 140, 390, 55), "不少于 5 个工作日"), Pin(2, 2, 3, (0, 0, 1000, 1000), "")),
    )


def test_a_reason_without_evidence_stays_as_it_is() -> None:
    for reason in (
        "",
        "响应完整",
        "[1] 见第 3 页",
        "一\n[0] F1 P1 @0,0,1,1 x",
        "[1] F1 P1 @0,0,1,1 x\n后面还有话",
        "[1] F0 P1 @0,0,1,1",
    ):
        assert evidence.read(reason) == (reason, ())
