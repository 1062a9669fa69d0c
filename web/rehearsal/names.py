"""The invented people and firms of the town of 春晓区 (Chunxiao district): whoever is shown anywhere has a name, a firm and a part in it.

No person, firm, account or code stands for a real one. Whoever lives beyond the lists gets a name made of the same surnames.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading.kernel import ids
from trading.kernel.access import Role

CENTRE = "12130205000000000E"
BANK = "春晓银行解放路支行"
HOTLINE = "0315-0000100"
PLACE = "春晓区公共资源交易"


@dataclass(frozen=True)
class Org:
    key: str
    code: str
    name: str
    kind: str
    small: bool = False
    account: str = ""


@dataclass(frozen=True)
class Member:
    username: str
    name: str
    org: str
    roles: tuple[Role, ...]


def credit_code(number: int) -> str:
    """A well-formed unified social credit code of nobody."""
    first = f"91130205MA0{number:06d}"
    return first + ids.uscc_check(first)


ORGS = (
    Org("centre", CENTRE, "春晓区公共资源交易中心", "centre", account="1305020100000001"),
    Org("education", credit_code(101), "春晓区教育局", "purchaser", account="1305020100000101"),
    Org("works", credit_code(102), "春晓区城建投资有限公司", "purchaser", account="1305020100000102"),
    Org("agency", credit_code(103), "明理招标代理有限公司", "agency", account="1305020100000103"),
    Org("health", credit_code(104), "春晓区卫生健康局", "purchaser", account="1305020100000104"),
    Org("city", credit_code(105), "春晓区城市管理局", "purchaser", account="1305020100000105"),
    Org("finance", credit_code(106), "春晓区财政局", "supervisor"),
)
FIRMS = (
    ("启明教学设备有限公司", "罗文韬"),
    ("北辰科技股份有限公司", "沈亦舟"),
    ("和风办公家具有限公司", "苏婉清"),
    ("云杉信息系统有限公司", "顾云帆"),
    ("长河建设集团有限公司", "马长河"),
    ("青石工程有限公司", "石磊"),
    ("瑞丰建筑安装有限公司", "丁瑞丰"),
    ("天工市政建设有限公司", "鲁天工"),
    ("远山智能装备有限公司", "江远山"),
    ("百川建设工程有限公司", "汪百川"),
)
PEOPLE = (
    Member("clerk", "陈书仪", "centre", (Role.CENTRE,)),
    Member("host", "何清扬", "centre", (Role.HOST,)),
    Member("officer1", "吴敬之", "centre", (Role.OFFICER,)),
    Member("officer2", "郑知微", "centre", (Role.OFFICER,)),
    Member("cashier", "钱思源", "centre", (Role.CASHIER,)),
    Member("controller", "孙砚秋", "centre", (Role.CONTROLLER,)),
    Member("controller2", "方以宁", "centre", (Role.CONTROLLER,)),
    Member("sysadmin", "周允行", "centre", (Role.SYSTEM_ADMIN,)),
    Member("secadmin", "武怀瑾", "centre", (Role.SECURITY_ADMIN,)),
    Member("secadmin2", "严守一", "centre", (Role.SECURITY_ADMIN,)),
    Member("auditadmin", "沈明德", "centre", (Role.AUDIT_ADMIN,)),
    Member("buyer", "李文茵", "education", (Role.PURCHASER,)),
    Member("builder", "赵怀山", "works", (Role.PURCHASER,)),
    Member("buyer2", "唐采薇", "health", (Role.PURCHASER,)),
    Member("buyer3", "高明远", "city", (Role.PURCHASER,)),
    Member("agent", "林静姝", "agency", (Role.AGENCY,)),
    Member("officer3", "冯守诚", "agency", (Role.OFFICER,)),
    Member("officer4", "韩持正", "agency", (Role.OFFICER,)),
    Member("supervisor", "许正则", "finance", (Role.SUPERVISOR,)),
    Member("officer5", "曹明鉴", "finance", (Role.OFFICER,)),
)
COLLEAGUES = (
    Member("bidder1-operator", "叶知秋", "bidder1", (Role.BIDDER_OPERATOR,)),
    Member("bidder1-admin", "罗广平", "bidder1", (Role.BIDDER_ADMIN,)),
    Member("bidder5-operator", "庄晓峰", "bidder5", (Role.BIDDER_OPERATOR,)),
)
"""More people of one firm: who prepares a bid, and who gives the firm's roles, beside who signs."""

EXPERTS = (
    ("陆景行", "春晓大学信息工程学院"),
    ("范思远", "春晓市建筑设计院"),
    ("温如玉", "春晓市第一中学"),
    ("邱致远", "河畔科技研究所"),
    ("孟书瑶", "春晓大学经济管理学院"),
    ("崔建国", "春晓市市政工程研究院"),
    ("夏雨荷", "春晓市中心医院"),
    ("龚正平", "春晓市质量监督检验所"),
    ("薛晴川", "春晓职业技术学院"),
)
_SURNAMES, _GIVEN = (
    "王刘杨黄宋谢彭潘田董袁蒋蔡余杜程魏傅卢任",
    ("子昂", "雅琴", "志远", "静怡", "浩然", "若兰", "建平", "思齐", "云舒", "国梁", "晓曼"),
)


def firm_of(n: int) -> str:
    return FIRMS[n - 1][0] if n <= len(FIRMS) else f"春晓第{n}投标有限公司"


def signer_of(n: int) -> str:
    """Who signs for the n-th firm."""
    return FIRMS[n - 1][1] if n <= len(FIRMS) else _SURNAMES[n % len(_SURNAMES)] + _GIVEN[n % len(_GIVEN)]
