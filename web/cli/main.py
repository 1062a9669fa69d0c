"""The command line: one name a command, each loaded only when it is called (docs/reference/commands.md is generated from here)."""

from __future__ import annotations

import copy
import importlib
import os
from typing import Any

import click

from web.cli.language import LANGUAGE, language

# name → module of web.cli and the command's name in it
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "init"),
    "serve": ("serve", "serve"),
    "demo": ("demo", "demo"),
    "rehearse": ("rehearse", "rehearse"),
    "migrate": ("platform", "migrate"),
    "tick": ("platform", "tick"),
    "backup": ("backup", "backup"),
    "restore": ("restore", "restore"),
    "doctor": ("doctor", "doctor"),
    "watch": ("watch", "watch"),
    "probe": ("watch", "probe"),
    "beacon": ("watch", "beacon"),
    "status": ("watch", "status"),
    "drop": ("watch", "drop"),
    "mirror": ("mirror", "mirror"),
    "memory": ("memory", "memory"),
    "clock": ("clock", "clock"),
    "user": ("people", "user"),
    "role": ("people", "role"),
    "party": ("people", "party"),
    "calendar": ("platform", "calendar"),
    "rulebook": ("platform", "rulebook"),
    "keys": ("keys_data", "keys"),
    "seal": ("seal", "seal"),
    "withdraw": ("seal", "withdraw"),
    "inspect": ("seal", "inspect_bid"),
    "sign-policies": ("signed", "sign_policies"),
    "share": ("opening", "share"),
    "open": ("opening", "open_bid"),
    "rescue": ("verdicts", "rescue"),
    "claim": ("verdicts", "claim"),
    "scope": ("verdicts", "scope"),
    "late-close": ("verdicts", "late_close"),
    "finding": ("verdicts", "finding"),
    "receipt": ("receipt", "receipt"),
    "verify": ("verify", "verify"),
    "recompute": ("recompute", "recompute"),
    "savings": ("savings", "command"),
    "import": ("exchange", "import_"),
    "export": ("exchange", "export"),
    "audit": ("exchange", "audit"),
}


class Lazy(click.Group):
    """A group whose commands are imported when called: `bidhall --help` starts fast, offline commands need no server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"web.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; whoever reads Chinese is told in Chinese what it does, before its options."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name in SHORT_ZH and _speech(rest) == "zh":
            command = copy.copy(command)
            command.help = f"{SHORT_ZH[name]}\n\n{command.help or ''}"
        return name, command, rest

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if language(None) == "zh":
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(ABOUT_ZH)
        else:
            super().format_help_text(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        chinese = language(None) == "zh"
        with formatter.section("命令" if chinese else "Commands"):
            formatter.write_dl([(name, (SHORT_ZH if chinese else SHORT)[name]) for name in COMMANDS])


def _speech(words: list[str]) -> str:
    """The language asked for among the words of a call, before any of them is read."""
    for at, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name == "--lang":
            return language((value if sign else "".join(words[at + 1 : at + 2])) or None)
    return language(None)


SHORT: dict[str, str] = {
    "init": "Set up a platform in an empty data folder.",
    "serve": "Run the web platform and its clock.",
    "demo": "Play whole tenders over HTTP, as a rehearsal.",
    "rehearse": "Make a rehearsal of a site with its own people.",
    "migrate": "Bring the database to this version.",
    "tick": "One turn of the clock by hand.",
    "backup": "Copy the platform while it runs, or check a copy.",
    "restore": "Bring a platform back from a backup.",
    "doctor": "Say what is wrong with this installation.",
    "watch": "Keep the processes below running.",
    "probe": "Hand in a test bid every ten seconds.",
    "beacon": "Publish the log's checkpoint, dated.",
    "status": "Write the status page.",
    "drop": "Take signed digests when the platform can't take bids.",
    "mirror": "Keep copies of sealed bids, for the supervisory body.",
    "clock": "Show or accept the clock the platform goes by.",
    "memory": "Begin or show what remembers the log outside the data folder.",
    "user": "Add, list, disable or reset accounts.",
    "role": "Grant or revoke a role.",
    "party": "List organisations, correct a name or code.",
    "calendar": "Load a year of working days.",
    "rulebook": "Show the rules in force on a day.",
    "keys": "Make, show, print, restore, enrol a key file.",
    "seal": "Seal a bid on this machine.",
    "withdraw": "Sign the withdrawal of a bid.",
    "inspect": "Show what a sealed bid tells without keys.",
    "sign-policies": "Sign the opening policies that wait for an officer.",
    "share": "Open an officer's shares, offline.",
    "open": "Open a sealed bid, or a whole opening, from shares.",
    "rescue": "Sign the seed of a keeper file, to rescue a bid that could not be opened.",
    "claim": "Sign the claim that the platform lost a bid it had signed for.",
    "scope": "Take an officer's key of one opening out, for the supervisory body.",
    "late-close": "Sign that an opening may go on after a late closing.",
    "finding": "Open the boxes an officer reported and sign what is found.",
    "receipt": "Check a receipt or a proof of attempt.",
    "verify": "Re-prove a finished tender from its bundle.",
    "recompute": "Answer calculation vectors.",
    "savings": "Reckon budget against award.",
    "import": "Take in statements, people, experts, history.",
    "export": "Write bundles, openings, OCDS, notices, the log.",
    "audit": "Verify the whole log.",
}


SHORT_ZH: dict[str, str] = {
    "init": "在空的数据文件夹里建立平台。",
    "serve": "运行平台网站及其时钟。",
    "demo": "通过 HTTP 演练完整的项目。",
    "rehearse": "用本站点的人员制作一次演练。",
    "migrate": "把数据库升级到本版本。",
    "tick": "手工推动一次时钟。",
    "backup": "在平台运行时备份，或检查一份备份。",
    "restore": "从备份恢复平台。",
    "doctor": "说明本套安装哪里不对、怎样处理。",
    "watch": "保持下列几个进程运行。",
    "probe": "每十秒递交一份探测投标。",
    "beacon": "公布带时刻的日志检查点。",
    "status": "写出平台状态页。",
    "drop": "平台不能接收投标时，接收签名摘要。",
    "mirror": "为监督机构保存加密投标文件的副本。",
    "clock": "查看或确认平台所用的时钟。",
    "memory": "启用或查看数据文件夹以外的日志记忆。",
    "user": "添加、列出、停用、重设账号。",
    "role": "授予或收回身份。",
    "party": "列出单位，更正名称或代码。",
    "calendar": "载入一年的工作日。",
    "rulebook": "显示某一天有效的规则。",
    "keys": "生成、查看、打印、恢复、登记密钥文件。",
    "seal": "在本机加密投标文件。",
    "withdraw": "签署投标撤回。",
    "inspect": "显示加密投标文件不用密钥就能看出的内容。",
    "sign-policies": "签署等待密钥持有人的开启方案。",
    "share": "离线得出密钥持有人的份额。",
    "open": "用份额打开一份投标或一场开标。",
    "rescue": "签署保管文件的种子，挽救打不开的投标。",
    "claim": "就平台丢失已签收的投标提出申明。",
    "scope": "为监督机构取出密钥持有人某一场开标的密钥。",
    "late-close": "签署同意逾时封存之后继续开标。",
    "finding": "打开密钥持有人报告的密文并签署认定。",
    "receipt": "核验回执或者尝试证明。",
    "verify": "凭核验包重证一个已完成的项目。",
    "recompute": "回答计算用例。",
    "savings": "按预算和成交金额计算节约率。",
    "import": "导入流水、专家、代理机构、历史数据。",
    "export": "导出核验包、开标材料、OCDS、公告、日志。",
    "audit": "核对整份日志。",
}
ABOUT_ZH = "阳光标厅：封存投标、开标、评审和保证金，步步可证。例：bidhall serve --demo"


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Before the command: the language of whatever follows."""
    if value:
        os.environ["BIDHALL_LANG"] = value


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--lang", type=LANGUAGE, is_eager=True, expose_value=False, callback=_remember, help="Language of all that follows."
)
@click.version_option(package_name="bidhall", prog_name="bidhall")
def main() -> Any:
    """Bidhall: sealed bids, openings, evaluation and deposits that prove themselves.

    Example: bidhall serve --demo
    """
