"""Papers that leave the platform: reports as DOCX, the evaluation as PDF (typst) and DOCX. An exercise's say so on every page."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from docx import Document
from docx.document import Document as Doc
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from haitang.accounts.verbs import Refused
from haitang.incidents.export import words
from haitang.incidents.figure_kinds import shown
from haitang.incidents.models import Report
from haitang.incidents.services.evaluation import Measured
from haitang.registry import fonts

TEMPLATE = Path(__file__).with_name("evaluation.typ")


# -- the evaluation's content, the same for both papers ---------------------------------------------------------


def content(measured: Measured) -> dict[str, Any]:
    """Title, tables and sentences in the active language, as plain data."""
    incident = measured.incident
    return {
        "title": _("Evaluation: %(name)s") % {"name": incident.name},
        "author": incident.owner.name,
        "mark": words.mark(measured),
        "note": _("Exercise with simulated data; nothing of it happened.") if incident.space.is_exercise else "",
        "made": _("As of %(at)s") % {"at": f"{timezone.localtime(measured.at):%Y-%m-%d %H:%M}"},
        "summary": words.summary(measured),
        "words": {
            "steps": _("Times per step"), "history": _("Beside what happened in history"), "moved": _("People moved"),
            "townships": _("Townships"), "channels": _("Messages"), "late": _("What was late"), "none_late": _("Nothing was late."),
            "lessons": _("What is to be done better"),
        },
        "steps": {
            "head": [pgettext("evaluation", "Step"), _("Time"), _("Counted from"), _("Took"), _("Since the first step")],
            "rows": [[row.label, words.moment(row.at), row.since or "—", row.took, row.total] for row in words.steps(measured)],
        },
        "history": {
            "head": [_("In history"), pgettext("history", "Then"), pgettext("history", "Here"), _("Difference")],
            "rows": [
                [f"{row.label} {row.value}".strip(), words.moment(row.history), words.moment(row.at), row.difference or "—"]
                for row in words.history(measured)
            ],
            "source": measured.history_source,
        },
        "townships": {
            "head": [_("Township"), _("Answered after"), pgettext("evaluation", "On time"), pgettext("evaluation", "Late"), pgettext("evaluation", "Overdue"), pgettext("tasks", "Open"), _("Moved / to move")],
            "rows": [
                [row.place.name, row.answered, str(row.tally.on_time), str(row.tally.late), str(row.tally.overdue), str(row.tally.open), row.moved]
                for row in words.townships(measured)
            ],
        },
        "channels": {
            "head": [_("Channel"), _("Sent"), _("Reached"), _("Answered"), _("Failed")],
            "rows": [[str(row.label), str(row.sent), str(row.reached), str(row.answered), str(row.failed)] for row in measured.channels],
        },
        "late": {
            "head": [pgettext("evaluation", "What"), pgettext("evaluation", "Whose"), pgettext("evaluation", "Kind"), _("Late by")],
            "rows": [
                [row.what, row.whose, row.kind, row.span + (_(" (still open)") if row.is_open else "")] for row in words.late(measured)
            ],
        },
        "evaluations": [
            {"title": _("Findings of %(at)s") % {"at": words.moment(each.at)}, "summary": each.summary, "lessons": each.lessons}
            for each in incident.evaluations.all()
        ],
    }  # fmt: skip


# -- PDF --------------------------------------------------------------------------------------------------------


def evaluation_pdf(measured: Measured, *, language: str) -> bytes:
    """The evaluation as PDF. Refused where no Chinese font is to be found."""
    import typst

    if not fonts.are_there():
        raise Refused(_("No Chinese font is installed: install fonts-noto-cjk, or run npm ci in web/"))
    with translation.override(language):
        told = (
            content(measured)
            | {"lang": "zh" if language.startswith("zh") else "en", "fonts": list(fonts.FAMILIES)}
            | _curve(measured)
        )
    made: bytes = typst.compile(str(TEMPLATE), font_paths=list(fonts.paths()), sys_inputs={"told": json.dumps(told)})
    return made


def _curve(measured: Measured) -> dict[str, Any]:
    """The course of people moved as a step line in the unit square."""
    points = measured.moved
    most = max((value for _at, value in points), default=0.0)
    if len(points) < 2 or most <= 0:
        return {"moved": [], "moved_most": "", "moved_from": "", "moved_until": ""}
    start, end = points[0][0], points[-1][0]
    length = (end - start).total_seconds() or 1.0
    line: list[list[float]] = []
    for at, value in points:
        x, y = (at - start).total_seconds() / length, value / most
        if line:
            line.append([x, line[-1][1]])
        line.append([x, y])
    return {
        "moved": line,
        "moved_most": shown(most),
        "moved_from": words.moment(start),
        "moved_until": words.moment(end),
    }


# -- DOCX -------------------------------------------------------------------------------------------------------


def evaluation_docx(measured: Measured, *, language: str) -> bytes:
    """The evaluation as a document that can be worked on."""
    with translation.override(language):
        told = content(measured)
        paper = _paper(told["title"], told["mark"], told["made"])
        if told["note"]:
            _line(paper, told["note"], colour=RGBColor(0x8A, 0x68, 0x00))
        _rows(paper, ["", ""], told["summary"], has_head=False)
        for name in ("steps", "history", "townships", "channels", "late"):
            if told[name]["rows"]:
                _heading(paper, told["words"][name])
                _rows(paper, told[name]["head"], told[name]["rows"])
            elif name == "late":
                _heading(paper, told["words"][name])
                _line(paper, told["words"]["none_late"])
        for each in told["evaluations"]:
            _heading(paper, each["title"])
            _lines(paper, each["summary"])
            if each["lessons"]:
                _heading(paper, told["words"]["lessons"], level=2)
                _lines(paper, each["lessons"])
        return _bytes(paper)


def report_docx(report: Report) -> bytes:
    """A report upward as an official document: title, addressee, text, sender and date."""
    incident = report.incident
    exercise = incident.space.is_exercise
    title, _blank, body = report.text.partition("\n")
    paper = _paper(title or f"{incident.name_zh}{report.title_zh}", "演练" if exercise else "", incident.owner.name_zh)
    _line(paper, f"{report.addressee_zh}：", size=15)
    for block in body.strip().split("\n"):
        if block.strip():
            _line(
                paper, block.strip(), size=15, indent=True, bold=block.strip()[:2] in ("一、", "二、", "三、", "四、")
            )
    if not report.is_sent:
        _line(paper, "（草稿，未报送）", colour=RGBColor(0xA6, 0x1B, 0x11))
    at = timezone.localtime(report.sent_at or report.asked_at)
    for text in (incident.owner.name_zh, f"{at.year}年{at.month}月{at.day}日"):
        _line(paper, text, size=15, right=True)
    if exercise:
        _line(paper, "本报告为演练文书，所涉情况均为模拟。", colour=RGBColor(0x8A, 0x68, 0x00))
    return _bytes(paper)


def _paper(title: str, mark: str, foot: str) -> Doc:
    paper = Document()
    section = paper.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.4)
    section.top_margin = section.bottom_margin = Cm(2.2)
    style = paper.styles["Normal"]
    style.font.size = Pt(10.5)  # type: ignore[union-attr]
    _font(style, fonts.WORD_FONT)
    section.header.paragraphs[0].text = f"【{mark}】" if mark else ""
    section.header.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for run in section.header.paragraphs[0].runs:
        run.bold = True
        run.font.color.rgb = RGBColor(0x8A, 0x68, 0x00)
    section.footer.paragraphs[0].text = foot
    head = paper.add_paragraph()
    head.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = head.add_run(title)
    run.bold, run.font.size = True, Pt(18)
    _font(run, fonts.WORD_HEADING)
    paper.core_properties.title = title
    paper.core_properties.author = ""
    return paper


def _font(thing: Any, name: str) -> None:
    """Both fonts of a run or style: the Latin one, and the one for Chinese (a property of its own in the format)."""
    thing.font.name = fonts.WORD_FONT_LATIN
    properties = thing.element.get_or_add_rPr()
    properties.get_or_add_rFonts().set(qn("w:eastAsia"), name)
    language = properties.find(qn("w:lang"))
    if language is None:  # without it punctuation is set as in traditional Chinese
        language = OxmlElement("w:lang")
        properties.append(language)
    language.set(qn("w:eastAsia"), "zh-CN")


def _heading(paper: Doc, text: str, level: int = 1) -> None:
    paragraph = paper.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(10)
    paragraph.paragraph_format.keep_with_next = True
    run = paragraph.add_run(text)
    run.bold, run.font.size = True, Pt(13 if level == 1 else 11)
    _font(run, fonts.WORD_HEADING)


def _line(
    paper: Doc, text: str, *, size: float = 10.5, indent: bool = False, right: bool = False, bold: bool = False, colour: RGBColor | None = None
) -> None:  # fmt: skip
    paragraph = paper.add_paragraph()
    if indent:
        paragraph.paragraph_format.first_line_indent = Pt(2 * size)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = paragraph.add_run(text)
    run.font.size, run.bold = Pt(size), bold
    _font(run, fonts.WORD_HEADING if bold else fonts.WORD_FONT)
    if colour is not None:
        run.font.color.rgb = colour


def _lines(paper: Doc, text: str) -> None:
    for line in text.splitlines():
        if line.strip():
            _line(paper, line.strip())


def _rows(paper: Doc, head: Sequence[str], rows: Iterable[Sequence[str]], *, has_head: bool = True) -> None:
    table = paper.add_table(rows=1 if has_head else 0, cols=len(head))
    table.style = "Light Grid Accent 1" if has_head else "Normal Table"
    if not has_head:
        table.autofit = False
        for column, width in zip(table.columns, (Cm(4.5), Cm(11.5)), strict=False):
            column.width = width
    if has_head:
        _fill(table.rows[0].cells, head, bold=True)
    for row in rows:
        _fill(table.add_row().cells, row)


def _fill(cells: Sequence[Any], texts: Sequence[str], *, bold: bool = False) -> None:
    for cell, text in zip(cells, texts, strict=True):
        paragraph = cell.paragraphs[0]
        paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(1)
        run = paragraph.add_run(str(text))
        run.font.size, run.bold = Pt(9), bold
        _font(run, fonts.WORD_HEADING if bold else fonts.WORD_FONT)


def _bytes(paper: Doc) -> bytes:
    out = io.BytesIO()
    paper.save(out)
    return out.getvalue()
