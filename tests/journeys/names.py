"""Who plays in the journeys, for ``World(called=…)``: names as people have them, so that pages look as they will."""

from __future__ import annotations

CALLED = {
    "centre": "云汀市公共资源交易中心",
    "purchaser": "春晓区教育局",
    "agency": "明理招标代理有限公司",
    "supervisor": "春晓区财政局",
    "bidder1": "北辰建设集团有限公司",
    "bidder2": "和风建筑工程有限公司",
    "bidder3": "启明工程有限公司",
    "@host": "林一诺",
    "@buyer": "许若谷",
    "@agent": "沈知行",
    "@watch": "程亦清",
    "@bidder1": "周望舒",
    "@bidder2": "何清和",
    "@bidder3": "苏启明",
    "@officer1": "吴敬之",
    "@officer2": "郑知微",
    "@officer3": "冯守诚",
    "@officer4": "韩持正",
    "@officer5": "曹明鉴",
}
