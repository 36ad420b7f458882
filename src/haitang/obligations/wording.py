"""What is said about an obligation in messages and in the journal, Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone, translation

from haitang.accounts.models import User
from haitang.obligations.models import Obligation

# A title and a body, each in Chinese and English.
Pair = tuple[str, str]
TO_ZH = {
    "responsible": "责任人",
    "deputy": "副职",
    "all": "全体人员",
    "superior": "上级",
    "duty": "值班室",
    "issuer": "下达人",
    "workers": "网格员",
}
TO_EN = {"responsible": "the responsible person", "deputy": "the deputy", "all": "everybody", "superior": "the superior",
         "duty": "the duty room", "issuer": "the issuer", "workers": "the grid workers"}  # fmt: skip


def names(obligation: Obligation) -> Pair:
    """The title in both languages."""
    return obligation.title_zh, obligation.title_en or obligation.title_zh


def english(obligation: Obligation) -> str:
    """The owner's English name."""
    return obligation.owner.name_en or obligation.owner.name_zh


def local(at: datetime) -> datetime:
    """The time as the district's clocks show it."""
    return timezone.localtime(at)


def request(obligation: Obligation, *, again: bool) -> tuple[Pair, Pair]:
    """To those who must do it: what, and by when; `again` for a reminder."""
    zh, en = names(obligation)
    head_zh, head_en = ("【催办】", "Reminder: ") if again else ("", "")
    if obligation.is_overdue:
        head_zh, head_en = "【逾期】", "Overdue: "
    until_zh, until_en = _until(obligation)
    body_zh = (f"请于{until_zh}前完成。" if until_zh else "") + obligation.detail_zh
    body_en = (f"Due by {until_en}. " if until_en else "") + (obligation.detail_en or obligation.detail_zh)
    return (f"{head_zh}{zh}", f"{head_en}{en}"), (body_zh, body_en)


def pressing(obligation: Obligation) -> tuple[Pair, Pair]:
    """To those above: who does not answer, and how to reach them."""
    (zh, en), owner = names(obligation), obligation.owner
    with translation.override("zh-hans"):
        state_zh = str(obligation.state_info.label)
    phone_zh, phone_en = (f"，值班电话{owner.phone}", f", duty telephone {owner.phone}") if owner.phone else ("", "")
    head_zh, head_en = ("【逾期】", "Overdue: ") if obligation.is_overdue else ("【未响应】", "No answer: ")
    until_zh, until_en = _until(obligation)
    body_zh = f"{owner.name_zh}尚未完成（{state_zh}）" + (f"，应于{until_zh}前完成" if until_zh else "")
    body_en = f"{english(obligation)} has not done it ({obligation.state})" + (
        f", due by {until_en}" if until_en else ""
    )
    return (
        (f"{head_zh}{owner.name_zh}：{zh}", f"{head_en}{english(obligation)}: {en}"),
        (f"{body_zh}{phone_zh}。请督促。", f"{body_en}{phone_en}. Please press for it."),
    )


def chased(obligation: Obligation, users: Sequence[User], wanted: str, found_at: str) -> Pair:
    """For the journal: who was chased; and where the chain of responsibility has a gap, that it has one."""
    (zh, en), owner = names(obligation), obligation.owner
    if not users:
        return (
            f"无人可催办：{zh}（{owner.name_zh}没有责任人，值班室无人）",
            f"Nobody to chase: {en} ({english(obligation)} has no responsible person, and nobody is on duty)",
        )
    who_zh, who_en = (
        "、".join(user.name_zh for user in users),
        ", ".join(user.name_en or user.name_zh for user in users),
    )
    gap_zh, gap_en = (
        (f"无{TO_ZH[wanted]}，", f"No {TO_EN[wanted].removeprefix('the ')} there; ") if found_at != wanted else ("", "")
    )
    text_en = f"{gap_en}chased {TO_EN[found_at]}, {who_en}: {en} ({english(obligation)})"
    return f"{gap_zh}催办{TO_ZH[found_at]}{who_zh}：{zh}（{owner.name_zh}）", text_en[0].upper() + text_en[1:]


def _until(obligation: Obligation) -> Pair:
    if obligation.due_at is None:
        return "", ""
    return f"{local(obligation.due_at):%m月%d日 %H:%M}", f"{local(obligation.due_at):%d %b %H:%M}"
