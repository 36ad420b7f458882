"""Papers that leave the platform say what they are: an exercise's carry the mark on every page (law.md; 3.5.2)."""

from __future__ import annotations

import io

import docx
import pytest
from pypdf import PdfReader

from haitang.incidents import services
from haitang.incidents.export import documents
from haitang.incidents.models import Incident
from haitang.incidents.tests.factories import SAYS, Loop
from haitang.plans.models import Plan
from haitang.registry import fonts
from haitang.spaces.models import Space


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    made = loop.start(2)
    loop.step(30)
    for value in (100, 300):
        services.report_figure(made, kind="moved", value=value, by=loop.heads[0])
        loop.step(10)
    services.end(made, by=loop.commander, reason_zh="险情解除")
    services.set_history(
        loop.space,
        [
            {
                "step": "started",
                "label_zh": "市级启动Ⅱ级响应",
                "label_en": "City level II",
                "at": "2024-09-15T10:00:00+08:00",
            }
        ],
        source="来源一",
    )
    services.evaluate(made, summary="结论：#panic <b>整体有序</b> $x$", lessons="改进叫应", by=loop.commander)
    return made


def words(paper: bytes) -> str:
    found = docx.Document(io.BytesIO(paper))
    cells = [cell.text for table in found.tables for row in table.rows for cell in row.cells]
    head = [p.text for section in found.sections for p in section.header.paragraphs]
    return "\n".join([*head, *(p.text for p in found.paragraphs), *cells])


def test_a_chinese_font_is_there() -> None:
    assert fonts.are_there(), "install fonts-noto-cjk or run npm ci in web/"


def test_the_evaluation_as_pdf(loop: Loop, incident: Incident) -> None:
    paper = documents.evaluation_pdf(services.measure(incident), language="zh-hans")
    reader = PdfReader(io.BytesIO(paper))
    text = "".join(page.extract_text() for page in reader.pages)
    text = "".join(text.split())
    assert (
        "总结评估：试验区台风应急响应" in text and "启动响应" in text and "市级启动Ⅱ级响应" in text and "东港镇" in text
    )
    assert all("演练" in page.extract_text() for page in reader.pages), "every page says that it is an exercise"
    assert "#panic" in text and "<b>整体有序</b>" in text, "what people wrote is never read as markup"


def test_the_evaluation_in_english(loop: Loop, incident: Incident) -> None:
    text = (
        PdfReader(io.BytesIO(documents.evaluation_pdf(services.measure(incident), language="en")))
        .pages[0]
        .extract_text()
    )
    assert "EXERCISE" in text and "Response started" in text
    loop.step(120)
    paper = words(documents.evaluation_docx(services.measure(incident), language="en"))
    assert "First report to the Municipal government duty office" in paper and "信息报送" not in paper


def test_the_evaluation_as_a_document(loop: Loop, incident: Incident) -> None:
    text = words(documents.evaluation_docx(services.measure(incident), language="zh-hans"))
    assert "【演练】" in text and "启动响应" in text and "改进叫应" in text and "南港镇" in text


def test_a_report_as_a_document(loop: Loop, incident: Incident) -> None:
    report = incident.reports.get(number=1)
    draft = words(documents.report_docx(report))
    assert "（草稿，未报送）" in draft
    services.send(report, text=services.draft(report), by=loop.duty)
    text = words(documents.report_docx(report))
    assert "市人民政府总值班室：" in text and "有关情况的初报" in text and "草稿" not in text
    assert "【演练】" in text and "本报告为演练文书" in text


def test_the_real_thing_carries_no_mark(loop: Loop, flood: Plan) -> None:
    live = loop.start(3, space=Space.live(), statement=SAYS)
    report = live.reports.get()
    services.send(report, text=services.draft(report), by=loop.duty)
    assert "演练" not in words(documents.report_docx(report))
    paper = documents.evaluation_pdf(services.measure(live), language="zh-hans")
    assert "演练" not in PdfReader(io.BytesIO(paper)).pages[0].extract_text()
