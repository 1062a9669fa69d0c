"""`bidhall verify`: re-prove a finished tender from its bundle alone. No platform, no database, no Flask."""

from __future__ import annotations

from typing import Any

import click

from web.cli.common import BAD_INPUT, REFUSED, answer, guarded, json_option, lang_option, read_bytes, say, stop
from web.cli.language import language
from web.cli.offline import OF_REHEARSAL, read_trust, trust_option
from web.cli.verify_page import page

NAMES = {
    "manifest": ("清单与签名", "manifest and signatures"),
    "procedure": ("采购方式", "method of procurement"),
    "log": ("公开日志", "public log"),
    "deadline": ("截止时间", "deadline"),
    "sealed_bids": ("密封投标", "sealed bids"),
    "opening": ("开标", "opening"),
    "opening_list": ("开标一览表", "opening list"),
    "expert_draw": ("专家抽取", "draw of experts"),
    "coefficient_draw": ("系数抽取", "draw of the coefficient"),
    "invitation_draw": ("受邀单位抽取", "draw of the invited"),
    "score_sheets": ("评分表", "score sheets"),
    "arithmetic": ("分值计算", "arithmetic"),
    "ranking": ("排序", "ranking"),
    "award": ("定标", "award"),
    "deposits": ("保证金", "deposits"),
}
STATES = {True: ("成立", "holds"), False: ("不成立", "BROKEN"), None: ("无可核对", "nothing to check")}
TOLD = {
    "log.lost": (
        "平台曾用备份恢复，并申明其间已签名的时点缺失；其间签署的回执和检查点是真的，但不在日志中",
        "the platform was brought back from a backup and declared signed ticks lost: what was signed in them is genuine and in no log",
    ),
    "log.known_lost": (
        "您先前保存的检查点属于申明缺失的时点，日志没有延续它：请保存好并告知监督机构",
        "the checkpoint you kept is of ticks declared lost, and the log does not continue it: keep it, and tell the supervisory body",
    ),
    "sealed_bids.claim_lost": (
        "以下投标的回执属于平台申明缺失的时点：投标随之丢失，由平台负责",
        "receipts of ticks that the platform declared lost: these bids went with them, and the platform is answerable for them",
    ),
    "deposits.hidden": (
        "账号、户名和经办人员以散列值列出，盐值留在平台：相同与否已经证明，是谁没有证明",
        "whose accounts, names and hands they are: hashes under salts that stay with the platform prove only which are equal",
    ),
    "deposits.later": (
        "所列办理记录之后没有别的退款、扣留，也没有别的变动",
        "that nothing happened to the money after the acts shown here, and that there is no refund besides",
    ),
    "deposits.before": (
        "办理时的版本还没有把每项数额记入日志，这些来款的日期、事由、利息、收款人和经办人员没有证明",
        "made under a release that did not bind each value: days, events, interest, payees and persons of these payments",
    ),
    "deposits.unsigned": (
        "批准时复核人还没有自己的密钥，或者采购人的决定还不需要签名：以下由谁批准，只有平台的记录",
        "approved before controllers had keys, or decided before purchasers signed: by whom stands in the platform's record alone",
    ),
}
TOLD_HEAD = ("只是陈述，没有证明：", "told, not proved:")
ENCLOSED = (
    "所用公钥来自本文件；请用先前保存的投标凭条核对（--trust）",
    "the keys came with the file; --trust names those of before",
)
MOST = 1 << 20


class _Verify(click.Group):
    """`bidhall verify BUNDLE` is `bidhall verify bundle BUNDLE`: what else is verified is named first."""

    meant = "bundle"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = [self.meant, *args]
        return super().parse_args(ctx, args)


@click.group("verify", cls=_Verify, epilog="Example: bidhall verify KP-2026-7F3A2C-1.public.zip --trust ticket.json")
def verify() -> None:
    """Re-prove a finished tender from its bundle (`verify BUNDLE`), or compare a served sealing page with a release (`verify page`)."""


verify.add_command(page)


@verify.command("bundle", epilog="Example: bidhall verify bundle KP-2026-7F3A2C-1.public.zip --trust ticket.json")
@click.argument("bundle")
@trust_option
@click.option("--known-checkpoint", "known", metavar="FILE", help="A checkpoint of this log kept from an earlier day.")
@json_option
@lang_option
@guarded
def verify_bundle_file(bundle: str, trust_file: str | None, known: str | None, as_json: bool, lang: str | None) -> None:
    """Re-prove a finished tender from its bundle alone, claim by claim."""
    from web.verifier import NotABundle, verify_bundle

    trust = read_trust(trust_file) if trust_file else None
    note = None
    if known:
        try:
            note = read_bytes(known)[:MOST].decode("utf-8")
        except UnicodeDecodeError:
            stop(f"{known}: not a checkpoint", BAD_INPUT)
    try:
        found = verify_bundle(bundle, trust, note)
    except NotABundle as error:
        stop(f"{bundle}: {error}; a bundle is what `bidhall export bundle` writes", BAD_INPUT)
    if as_json:
        answer(found)
    else:
        _show(found, 0 if language(lang) == "zh" else 1)
    if not found["ok"]:
        raise SystemExit(REFUSED)


def _show(found: dict[str, Any], speech: int) -> None:
    if found["rehearsal"]:
        click.echo(OF_REHEARSAL[speech])
    click.echo(f"{found['tender']}  {found['profile']}")
    for claim in found["claims"]:
        codes = " [" + ", ".join(claim["codes"]) + "]" if claim["codes"] else ""
        click.echo(f"  {STATES[claim['ok']][speech]:<8} {NAMES[claim['name']][speech]}{codes}: {claim['detail']}")
    if found["told"]:
        click.echo(TOLD_HEAD[speech])
    for one in found["told"]:
        of = f" ({len(one['of'])}: {', '.join(one['of'][:3])}{' …' if len(one['of']) > 3 else ''})" if one["of"] else ""
        click.echo(f"  {NAMES[one['claim']][speech]}: {TOLD[one['claim'] + '.' + one['what']][speech]}{of}")
    if found["trust"] == "enclosed":
        say(ENCLOSED[speech])
    say(found["summary"] if speech else _in_chinese(found))


def _in_chinese(found: dict[str, Any]) -> str:
    """The last line; the summary of the JSON document is English."""
    broken = [NAMES[one["name"]][0] for one in found["claims"] if one["ok"] is False]
    empty = [NAMES[one["name"]][0] for one in found["claims"] if one["ok"] is None]
    if broken:
        return f"不成立：{'、'.join(broken)}"
    parts = [f"{sum(1 for one in found['claims'] if one['ok'])} 项成立"]
    if empty:
        parts.append(f"本核验包没有可核对的内容：{'、'.join(empty)}")
    if "unwitnessed" in found["summary"].split("; "):
        parts.append("没有见证人")
    return "；".join(parts)
