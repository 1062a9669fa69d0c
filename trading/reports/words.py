"""The words of a savings report in both languages. The words of refusals and faults stand in the catalogue of ``web``."""

from __future__ import annotations

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
    "by_year": ("分年", "By year"),
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
    "rate_rule": (
        "合计节约率＝（预算合计－成交合计）÷预算合计，由精确合计算出，只在显示时四舍五入到两位；不是各宗率的平均。",
        "The rate is (sum of budgets - sum of awards) / sum of budgets, from exact sums, rounded half up to two places for "
        "display only; it is not the mean of the rates.",
    ),
    "price_rule": (
        "节约额是与预算的差，不等于价格合理：预算偏高，同样显示为节约。",
        "A saving is the difference from a budget, not proof of a fair price: a budget set too high shows as a saving too.",
    ),
    "rounded": (
        "只用上面取整到 0.01 {unit}的合计 {budget} 与 {award} 去算，得 {rate}%；取整后的数允许真率在 {low}% 至 {high}% 之间，"
        "{exact}% 由精确合计算出，两者并不矛盾。",
        "From the totals rounded to 0.01 {unit} alone, {budget} and {award}, the rate reads {rate} %. Rounded amounts allow a "
        "true rate from {low} % to {high} %; {exact} % comes from the exact sums, so both are right.",
    ),
    "regime": ("制度", "Regime"),
    "category": ("类别", "Category"),
    "method": ("采购方式", "Method"),
    "month": ("月份", "Month"),
    "year": ("年份", "Year"),
    "purchaser": ("采购人", "Purchaser"),
    "agency": ("代理机构", "Agency"),
    "region": ("地区", "Region"),
    "price_form": ("计价形式", "Price form"),
    "award_far_from_budget": (
        "成交与预算相差十倍以上",
        "award more than ten times, or less than a tenth of, its budget",
    ),
    "no_award": ("没有成交金额", "no award"),
    "no_budget": ("没有预算金额", "no budget"),
    "other_currency": ("币种不同", "another currency"),
    "superseded": ("已被更正的结果替换", "replaced by a later result"),
    "no_date": ("没有结果公告日期，不属于任何期间", "no day of the result, so in no period"),
    "reason.price_form": ("不是总价，只计宗数", "not a total price: counted only"),
    "reason.failed": ("流标、废标", "failed"),
    "reason.terminated": ("终止", "terminated"),
    "note.title_line": ("表头之前的标题行，未读", "title line above the headings, passed over"),
    "note.total_line": ("合计行，未计入", "line of totals, not counted"),
    "GP": ("政府采购", "GP"),
    "WORKS": ("工程", "WORKS"),
}


def word(key: str, lang: str) -> str:
    """The report's word for ``key``; the key itself where there is none (a purchaser's name, say)."""
    pair = REPORT.get(key)
    return key if pair is None else pair[lang != "zh"]


def reason(code: str, lang: str) -> str:
    """A reason of exclusion in words."""
    return word(f"reason.{code}" if f"reason.{code}" in REPORT else code, lang)
