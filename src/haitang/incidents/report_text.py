"""The words of a report upward, drafted from the record. Pure: facts in, official Chinese out; a person reads and mends it.

What a report says: time, place and nature of the event, the level, the figures known, what has been done, what is asked
for or comes next (国务院办公厅 on the reporting of emergencies; 突发事件应对法 art. 61: nothing late, false, left out or hidden).
Where nothing is known the text says so: a zero report is a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

NOTHING = "截至目前，暂未收到人员伤亡和财产损失报告。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a report is drafted; times are local."""

    stage: str
    number: int
    is_exercise: bool
    place: str
    name: str
    level: str
    plan: str
    matter: str
    started: datetime
    at: datetime
    leader: str = ""
    ended: datetime | None = None
    warnings: Sequence[str] = ()
    changes: Sequence[tuple[datetime, str]] = ()
    # Label and number with unit, in the order in which they are shown.
    figures: Sequence[tuple[str, str]] = ()
    # People and loss: whether anything but people moved has been reported.
    harm_reported: bool = False
    measures: str = ""
    tasks_done: int = 0
    tasks_all: int = 0
    tasks_overdue: int = 0
    orders: Sequence[str] = ()


def _clock(at: datetime) -> str:
    return f"{at.month}月{at.day}日{at.hour:02d}时{at.minute:02d}分"


def title(facts: Facts) -> str:
    """The report's title."""
    mark = "【演练】" if facts.is_exercise else ""
    which = {"first": "初报", "follow": f"续报（{facts.number - 1}）", "final": "终报"}[facts.stage]
    return f"{mark}关于{facts.name}有关情况的{which}"


def draft(facts: Facts) -> str:
    """The report's text: title and paragraphs, divided by empty lines."""
    parts = [title(facts), _situation(facts), _figures(facts), _done(facts)]
    if facts.stage == "final":
        parts.append("四、下一步工作\n应急响应已终止，灾情核定、恢复重建和总结评估按规定进行。")
    else:
        parts.append("四、下一步工作\n继续加强监测预警和值班值守，督促各责任单位落实措施，后续情况及时续报。")
    return "\n\n".join(part for part in parts if part)


def _situation(facts: Facts) -> str:
    lines = [f"一、基本情况\n{facts.matter}，{facts.place}于{_clock(facts.started)}启动《{facts.plan}》{facts.level}响应。" if facts.plan
             else f"一、基本情况\n{facts.matter}，{facts.place}于{_clock(facts.started)}启动{facts.level}应急响应。"]  # fmt: skip
    if facts.leader:
        lines.append(f"现场指挥：{facts.leader}。")
    if facts.warnings:
        lines.append(f"预警情况：{'；'.join(facts.warnings)}。")
    later = facts.changes[1:]
    if later:
        lines.append("响应调整：" + "；".join(f"{_clock(at)}{what}" for at, what in later) + "。")
    if facts.ended:
        lines.append(f"{_clock(facts.ended)}终止应急响应。")
    return "".join(lines)


def _figures(facts: Facts) -> str:
    told = "，".join(f"{label}{number}" for label, number in facts.figures)
    counted = f"截至{_clock(facts.at)}，{told}。" if told else ""
    return "二、灾情和转移安置情况\n" + counted + ("" if facts.harm_reported else NOTHING)


def _done(facts: Facts) -> str:
    lines = ["三、应对措施\n" + (facts.measures.rstrip("。") + "。" if facts.measures else "")]
    if facts.tasks_all:
        late = f"，逾期未完成 {facts.tasks_overdue} 项" if facts.tasks_overdue else ""
        lines.append(f"预案任务共 {facts.tasks_all} 项，已完成 {facts.tasks_done} 项{late}。")
    if facts.orders:
        lines.append("领导指示：" + "；".join(each.rstrip("。；") for each in facts.orders) + "。")
    return "".join(lines)
