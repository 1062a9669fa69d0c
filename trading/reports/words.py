"""The words of a savings report and of the faults of its files, in both languages; ``{}`` are filled with a fault's facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REPORT: dict[str, tuple[str, str]] = {
    "title": ("节资统计：预算与成交", "Savings: budget against award"),
    "period": ("期间（按结果公告日）", "Period (day of the result)"),
    "currency": ("币种", "Currency"),
    "transactions": ("宗数", "Transactions"),
    "projects": ("项目数", "Projects"),
    "in_rate": ("计入率的宗数", "In the rate"),
    "budget": ("预算", "Budget"),
    "award": ("成交", "Award"),
    "saving": ("节约额", "Saving"),
    "saving_rate_pct": ("节约率 %", "Rate %"),
    "failed": ("流标、废标", "Failed rounds"),
    "terminated": ("终止", "Terminated"),
    "total": ("合计", "Total"),
    "id": ("编号", "Id"),
    "reason": ("原因", "Reason"),
    "treatment": ("处理", "Treatment"),
    "status": ("状态", "Status"),
    "date": ("结果公告日期", "Result date"),
    "project": ("项目", "Project"),
    "times": ("成交为预算的倍数", "Award / budget"),
    "groups": ("分组", "Breakdown"),
    "rows": ("明细", "Rows"),
    "excluded": ("不计入率的", "Not in the rate"),
    "exceptions": ("例外（保留在率内）", "Exceptions (kept in the rate)"),
    "negative_rows": ("成交高于预算（保留）", "Award above budget (kept)"),
    "notes": ("这些数没有说的", "What these figures do not say"),
    "summary": ("汇总", "Summary"),
    "dropped": ("若剔除成交高于预算的，节约率 %", "Rate % if rows above budget are dropped"),
    "dropped_zero": ("若再剔除零节约的，节约率 %", "Rate % if rows without a saving are dropped too"),
    "mean_discount_pct": ("只计宗数者的平均下浮 %", "Mean discount % of results without a total"),
    "median": ("各宗节约率中位数 %", "Median rate of single lots %"),
    "mean": ("各宗节约率平均 %（不是合计节约率）", "Mean of the lots' rates % (not the rate of the sums)"),
    "in": ("计入率", "in the rate"),
    "none": ("（无）", "(none)"),
    "rate_rule": ("合计节约率＝（预算合计－成交合计）÷预算合计，由精确合计算出，只在显示时四舍五入到两位；不是各宗率的平均。",
                  "The rate is (sum of budgets - sum of awards) / sum of budgets, from exact sums, rounded half up to two places for "
                  "display only; it is not the mean of the rates."),
    "price_rule": ("节约额是与预算的差，不等于价格合理：预算偏高，同样显示为节约。",
                   "A saving is the difference from a budget, not proof of a fair price: a budget set too high shows as a saving too."),
    "rounded": ("只用上面取整到 0.01 {unit}的合计 {budget} 与 {award} 去算，得 {rate}%；取整后的数允许真率在 {low}% 至 {high}% 之间，"
                "{exact}% 由精确合计算出，两者并不矛盾。",
                "From the totals rounded to 0.01 {unit} alone, {budget} and {award}, the rate reads {rate} %. Rounded amounts allow a "
                "true rate from {low} % to {high} %; {exact} % comes from the exact sums, so both are right."),
    "regime": ("制度", "Regime"), "category": ("类别", "Category"), "method": ("采购方式", "Method"), "month": ("月份", "Month"),
    "year": ("年份", "Year"), "purchaser": ("采购人", "Purchaser"), "agency": ("代理机构", "Agency"), "region": ("地区", "Region"),
    "price_form": ("计价形式", "Price form"),
    "award_far_from_budget": ("成交与预算相差十倍以上", "award more than ten times, or less than a tenth of, its budget"),
    "no_award": ("没有成交金额", "no award"), "no_budget": ("没有预算金额", "no budget"),
    "other_currency": ("币种不同", "another currency"), "superseded": ("已被更正的结果替换", "replaced by a later result"),
    "no_date": ("没有结果公告日期，不属于任何期间", "no day of the result, so in no period"),
    "reason.price_form": ("不是总价，只计宗数", "not a total price: counted only"),
    "reason.failed": ("流标、废标", "failed"), "reason.terminated": ("终止", "terminated"),
    "note.title_line": ("表头之前的标题行，未读", "title line above the headings, passed over"),
    "note.total_line": ("合计行，未计入", "line of totals, not counted"),
    "GP": ("政府采购", "GP"), "WORKS": ("工程", "WORKS"),
}

FAULTS: dict[str, tuple[str, str]] = {
    "savings.file": ("文件有 {count} 处错误，一行也没有计入。", "The file has {count} fault(s); nothing of it was counted."),
    "savings.unknown_dimension": ("没有维度“{name}”；可用：{known}。", "There is no dimension “{name}”; choose from {known}."),
    "file.too_large": ("文件大于 {most_mib} MiB；请按年份拆分。", "The file is larger than {most_mib} MiB; split it, for example by year."),
    "file.old_excel": ("这是旧的 .xls 格式；请另存为 .xlsx 或 CSV。", "This is the old .xls format; save it as .xlsx or CSV."),
    "file.empty": ("文件是空的。", "The file is empty."),
    "file.encoding": ("既不是 UTF-8 也不是 GB18030；请以 UTF-8 另存。", "Neither UTF-8 nor GB18030; save it as UTF-8."),
    "file.not_text": ("不是文本、JSON 或 XLSX；请给 OCDS、CSV 或 XLSX 文件。", "Neither text, JSON nor XLSX; give an OCDS, CSV or XLSX file."),
    "json.broken": ("不是正确的 JSON（{detail}）；请从来源重新导出。", "Not correct JSON ({detail}); export it again from its source."),
    "json.too_deep": ("JSON 嵌套太深；这不是 OCDS。", "The JSON is nested too deeply to be OCDS."),
    "ocds.not_ocds": ("既不是 OCDS release 包也不是 record 包。", "Neither an OCDS release package nor a record package."),
    "ocds.nothing": ("包里没有任何采购过程。", "The package holds no contracting process."),
    "ocds.no_ocid": ("缺少 ocid；每个过程都要有。", "No ocid; each process needs one."),
    "ocds.not_a_list": ("这里应是数组。", "An array is expected here."),
    "ocds.not_an_object": ("这里应是对象。", "An object is expected here."),
    "ocds.linked_release": ("这里只有链接；不会去下载，请导出带 compiledRelease 或内嵌 releases 的包。",
                            "Only a link stands here and nothing is fetched; export the package with compiledRelease or embedded releases."),
    "ocds.empty_record": ("record 里既没有 compiledRelease 也没有 releases。", "The record has neither compiledRelease nor releases."),
    "csv.broken": ("CSV 引号不成对或断行（{detail}）。", "The quotes of the CSV do not match ({detail})."),
    "csv.too_many_cells": ("有 {cells} 格，表头只有 {headings} 格；带千分位逗号的金额要加引号。",
                           "{cells} cells under {headings} headings; put amounts with thousands commas in quotes."),
    "xlsx.broken": ("打不开这个工作簿（{detail}）；请在表格软件里重新保存。", "The workbook cannot be opened ({detail}); save it again."),
    "xlsx.bomb": ("展开后超过 {most_mib} MiB，不予读取。", "It unpacks to more than {most_mib} MiB and is not read."),
    "table.no_headings": ("缺少表头：{wanted}。", "Headings are missing: {wanted}."),
    "table.no_rows": ("表头下面没有数据。", "There is nothing below the headings."),
    "table.heading_twice": ("表头“{heading}”指的一列已经有了；请只留一列。", "The heading “{heading}” names a column that is already there; keep one."),
    "table.unknown_unit": ("不认识金额单位“{value}”；可用：元、万元、亿元。", "Unknown money unit “{value}”; use 元, 万元 or 亿元."),
    "cell.no_id": ("没有编号；每个标段、包都要有。", "No id; each section or package needs one."),
    "cell.not_a_number": ("“{value}”不是金额；请写成 1250000.00 这样的数。", "“{value}” is not an amount; write it like 1250000.00."),
    "cell.negative": ("金额“{value}”是负数；预算和成交都不能为负。", "The amount “{value}” is negative; neither budget nor award can be."),
    "cell.too_large": ("金额“{value}”太大；请检查单位。", "The amount “{value}” is too large; check its unit."),
    "cell.too_fine": ("金额“{value}”的小数太多；请写到分。", "The amount “{value}” has too many decimals; write it to the cent."),
    "cell.float_digits": ("“{value}”超过 15 位有效数字，表格软件存不准；请把该列设为文本后重填。",
                          "“{value}” has more than 15 digits, which a spreadsheet does not hold exactly; make the column text and retype it."),
    "cell.two_units": ("表头的单位与本行“{value}”不同；请只写一处。", "The heading's unit and this row's “{value}” differ; state it once."),
    "cell.unknown_word": ("不认识“{value}”；可用：{known}。", "Unknown word “{value}”; use one of {known}."),
    "cell.currency": ("“{value}”不是币种；请用 CNY 这样的三字母代码。", "“{value}” is no currency; use a three-letter code such as CNY."),
    "cell.bad_date": ("“{value}”不是日期；请写成 2018-03-05。", "“{value}” is no date; write it like 2018-03-05."),
}


def word(key: str, lang: str) -> str:
    """The report's word for ``key``; the key itself where there is none (a purchaser's name, say)."""
    pair = REPORT.get(key)
    return key if pair is None else pair[lang != "zh"]


def reason(code: str, lang: str) -> str:
    """A reason of exclusion in words."""
    return word(f"reason.{code}" if f"reason.{code}" in REPORT else code, lang)


def fault(code: str, facts: Mapping[str, Any], lang: str) -> str:
    """A fault in words."""
    pair = FAULTS.get(code)
    return pair[lang != "zh"].format_map({**facts}) if pair else code
