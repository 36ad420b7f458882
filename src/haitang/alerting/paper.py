"""Reports on how warnings did, as PDF (typst) and XLSX: the same tables, made once. An exercise's say so."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from haitang.accounts.verbs import Refused
from haitang.alerting import verification
from haitang.alerting.models import ColourChoice
from haitang.alerting.performance import Happening, Measured, Year
from haitang.registry import fonts
from haitang.spaces.clock import now
from haitang.spaces.models import Space

TEMPLATE = Path(__file__).with_name("paper.typ")
VERDICTS: Mapping[str, tuple[Any, str]] = {
    "hit": (gettext_lazy("Warned in time"), "green"),
    "late": (gettext_lazy("Warned too late"), "yellow"),
    "miss": (gettext_lazy("Not warned of"), "red"),
    "false": (gettext_lazy("Nothing happened"), "orange"),
}


def _at(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else ""


def _percent(share: float | None) -> str:
    found = verification.percent(share)
    return "—" if found is None else f"{found} %"


def _head(space: Space, title: str) -> dict[str, Any]:
    exercise = space.is_exercise
    return {
        "title": title,
        "mark": _("Exercise") if exercise else "",
        "note": _("Exercise with simulated data; nothing of it happened.") if exercise else "",
        "made": _("As of %(at)s") % {"at": _at(now(space))},
    }


def year(told: Year) -> dict[str, Any]:
    """A year's report as plain data: title, pairs, tables."""
    total = told.total
    return _head(told.space, _("Warning performance %(year)s") % {"year": told.year}) | {
        "summary": [
            [_("Warnings published"), str(len(told.lines))],
            [_("Median from decision to issue"), told.typical("issue_s") or "—"],
            [_("Median until the first receipt"), told.typical("first_s") or "—"],
            [_("Median until 95 % received"), told.typical("most_s") or "—"],
            [_("Median until 95 % answered"), told.typical("answer_most_s") or "—"],
            ["POD / FAR / CSI", " / ".join(map(_percent, (total.pod, total.far, total.csi)))],
        ],
        "tables": [
            {
                "title": _("Came true or not, by hazard and colour"),
                "note": _("Each row counts warnings and events of that colour or a graver one, township by township; observed by thresholds that our stations saw crossed."),
                "head": [_("Hazard"), _("Colour"), _("Hits"), pgettext("performance", "Late"), _("Misses"), _("False alarms"), "POD", "FAR", "CSI", _("Median lead")],
                "rows": [
                    [each.name, str(ColourChoice(each.colour.value).label), each.table.hits, each.table.late, each.table.misses,
                     each.table.false_alarms, *(_percent(share) for share in (each.table.pod, each.table.far, each.table.csi)), each.lead]
                    for each in told.verdicts
                ],
            },
            {
                "title": _("Warning by warning"),
                "note": "",
                "head": [_("Published at"), _("Headline"), _("Colour"), _("Issue"), _("First receipt"), _("50 % received"), _("95 % received"),
                         pgettext("performance", "Reached"), _("50 % answered"), _("95 % answered"), pgettext("performance", "Answered")],
                "rows": [
                    [_at(line.warning.published_at), line.warning.headline, line.warning.get_colour_display(), *line.spans[:4],
                     f"{line.reached}/{line.letters}", *line.spans[4:], f"{line.answered}/{line.asked}"]
                    for line in told.lines
                ],
            },
            _happened(told.happenings),
            {
                "title": _("False alarms"), "note": "", "head": [_("Warned from"), _("Hazard"), _("Township"), _("Warning")],
                "rows": [[_at(at), hazard, place.name if place else "", warning.headline if warning else ""] for at, hazard, place, warning in told.false_alarms],
            },
        ],
    }  # fmt: skip


def _happened(rows: Sequence[Happening]) -> dict[str, Any]:
    return {
        "title": pgettext("performance", "What happened"), "note": "",
        "head": [_("Time"), _("Hazard"), _("Township"), _("Colour"), _("Verdict"), _("Lead time")],
        "rows": [
            [_at(each.at), each.hazard, each.place.name if each.place else "", str(ColourChoice(each.colour.value).label),
             str(VERDICTS[each.verdict][0]), each.lead]
            for each in rows
        ],
    }  # fmt: skip


def warning(told: Measured, judged: Sequence[Happening]) -> dict[str, Any]:
    """One warning's report as plain data."""
    found = told.warning
    unknown = _("not known")
    return _head(found.space, _("How it went: %(headline)s") % {"headline": found.headline}) | {
        "summary": [
            [_("Identifier"), found.identifier], [_("Published at"), _at(found.published_at)],
            [_("Decision to issue"), told.issue or "—"], [_("First receipt"), told.all.first or "—"],
            [_("People in the area"), str(told.population) if told.population is not None else unknown],
            [_("Located"), str(told.located)], [pgettext("performance", "Reached"), str(told.reached)],
            [_("Townships that confirmed"), f"{told.confirmed}/{told.answers.asked}"], [_("Reached outside the area"), str(told.astray)],
        ],
        "tables": [
            {
                "title": _("By channel"), "note": _("Times count from publication."),
                "head": [_("Channel"), _("Letters"), pgettext("performance", "Reached"), pgettext("performance", "Answered"), _("Failed"), _("First receipt"),
                         _("50 % received"), _("90 % received"), _("95 % received")],
                "rows": [[str(way.label), way.letters, way.reached, way.answered, way.failed, way.first, *way.spans] for way in told.ways],
            },
            {
                "title": pgettext("performance", "Answers"), "note": "", "head": [_("Asked"), pgettext("performance", "Answered"), _("50 % answered"), _("90 % answered"), _("95 % answered")],
                "rows": [[told.answers.asked, told.answers.answered, *told.answer_spans]],
            },
            _happened(judged),
        ],
    }  # fmt: skip


# -- papers -----------------------------------------------------------------------------------------------------


def pdf(content: Mapping[str, Any], language: str) -> bytes:
    """The report as PDF. Refused where no Chinese font is to be found: boxes are no report."""
    import typst

    if not fonts.are_there():
        raise Refused(_("No Chinese font is installed: install fonts-noto-cjk, or run npm ci in web/"))
    tables = [
        {**each, "rows": [[str(cell) for cell in row] for row in each["rows"]]}
        for each in content["tables"]
        if each["rows"]
    ]
    told = {
        **content,
        "tables": tables,
        "lang": "zh" if language.startswith("zh") else "en",
        "fonts": list(fonts.FAMILIES),
        "none": _("None"),
    }
    made: bytes = typst.compile(str(TEMPLATE), font_paths=list(fonts.paths()), sys_inputs={"told": json.dumps(told)})
    return made


def xlsx(content: Mapping[str, Any]) -> bytes:
    """The report as a workbook: a sheet of pairs, a sheet for each table; numbers stay numbers."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    first = book.active
    assert first is not None
    first.title = str(pgettext("performance", "Summary"))[:31]
    first.append([content["title"]])
    first["A1"].font = Font(bold=True, size=14)
    for text in (content["note"], content["made"]):
        if text:
            first.append([text])
    for pair in content["summary"]:
        first.append([_safe(cell) for cell in pair])
    first.column_dimensions["A"].width = 36
    first.column_dimensions["B"].width = 40
    for table in content["tables"]:
        sheet = book.create_sheet(str(table["title"])[:31])
        sheet.append([str(cell) for cell in table["head"]])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for row in table["rows"]:
            sheet.append([_safe(cell) for cell in row])
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _safe(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
