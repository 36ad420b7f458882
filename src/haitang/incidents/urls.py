"""Addresses of the incidents slice."""

from django.urls import path

from haitang.incidents.views import actions, evaluation, figures, incidents, phone, proposals, reports

app_name = "incidents"
urlpatterns = [
    path("", incidents.index, name="index"),
    path("new/", actions.start, name="start"),
    path("<int:pk>/", incidents.incident, name="incident"),
    path("<int:pk>/part/<slug:name>/", incidents.part, name="part"),
    path("<int:pk>/done/<int:organisation>/", incidents.done, name="done"),
    path("<int:pk>/level/", actions.level, name="level"),
    path("<int:pk>/end/", actions.end, name="end"),
    path("<int:pk>/order/", actions.order, name="order"),
    path("<int:pk>/note/", actions.note, name="note"),
    path("orders/<int:pk>/withdraw/", actions.withdraw_order, name="withdraw_order"),
    path("<int:pk>/figures/", figures.index, name="figures"),
    path("<int:pk>/figures/new/", figures.new, name="figure"),
    path("<int:pk>/figures/chart.json", figures.chart, name="figure_chart"),
    path("<int:pk>/figures.csv", figures.export, name="figures_csv"),
    path("<int:pk>/reports/new/", reports.new, name="report_new"),
    path("reports/<int:pk>/", reports.report, name="report"),
    path("reports/<int:pk>/phone/", reports.phoned, name="report_phone"),
    path("reports/<int:pk>/report.docx", reports.docx, name="report_docx"),
    path("<int:pk>/evaluation/", evaluation.page, name="evaluation"),
    path("<int:pk>/evaluation.pdf", evaluation.pdf, name="evaluation_pdf"),
    path("<int:pk>/evaluation.docx", evaluation.docx, name="evaluation_docx"),
    path("<int:pk>/evaluation.json", evaluation.data, name="evaluation_json"),
    path("proposals/<int:pk>/", proposals.proposal, name="proposal"),
    path("proposals/<int:pk>/accept/", proposals.accept, name="accept"),
    path("proposals/<int:pk>/decline/", proposals.decline, name="decline"),
    path("m/", phone.index, name="phone_index"),
    path("m/<int:pk>/", phone.incident, name="phone"),
    path("m/<int:pk>/figure/", phone.figure, name="phone_figure"),
]
