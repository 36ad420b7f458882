"""Addresses of the monitoring slice."""

from django.urls import path

from haitang.monitoring import quality_urls
from haitang.monitoring.views import alarms, chains, connect, connectors, intake, rules, stations

app_name = "monitoring"
urlpatterns = [
    path("stations/", stations.index, name="stations"),
    path("stations/<int:pk>/", stations.station, name="station"),
    path("series/<int:pk>/chart.json", stations.series_chart, name="series_chart"),
    path("series/<int:pk>/readings.<slug:form>", stations.series_readings, name="series_readings"),
    path("alarms/", alarms.board, name="alarms"),
    path("alarms/acknowledge/", alarms.acknowledge_many, name="alarms_acknowledge"),
    path("alarms/export.<slug:kind>", alarms.export, name="alarms_export"),
    path("alarms/<int:pk>/", alarms.alarm, name="alarm"),
    path("alarms/<int:pk>/shelve/", alarms.shelve, name="alarm_shelve"),
    path("alarms/<int:pk>/unshelve/", alarms.unshelve, name="alarm_unshelve"),
    path("alarms/<int:pk>/chart.json", alarms.alarm_chart, name="alarm_chart"),
    path("alarms/<int:pk>/acknowledge/", alarms.acknowledge, name="alarm_acknowledge"),
    path("alarms/<int:pk>/comment/", alarms.comment, name="alarm_comment"),
    path("alarms/<int:pk>/assign/", alarms.assign, name="alarm_assign"),
    path("alarms/<int:pk>/close/", alarms.close, name="alarm_close"),
    path("events/<int:pk>/", alarms.episode, name="episode"),
    path("events/<int:pk>/report/", alarms.report, name="episode_report"),
    path("chains/", chains.chains, name="chains"),
    path("chains/expected/<int:pk>/", chains.settle, name="settle"),
    path("blind-spots/", chains.blind_spots, name="blind_spots"),
    path("alarms/<int:pk>/reset/", rules.reset, name="alarm_reset"),
    path("rules/", rules.index, name="rules"),
    path("rules/new/", rules.edit, name="rule_new"),
    path("rules/<int:pk>/", rules.rule, name="rule"),
    path("rules/<int:pk>/edit/", rules.edit, name="rule_edit"),
    path("rules/<int:pk>/backtest/", rules.backtest, name="rule_backtest"),
    path("rules/<int:pk>/publish/", rules.publish, name="rule_publish"),
    path("rules/<int:pk>/withdraw/", rules.withdraw, name="rule_withdraw"),
    path("intake/", intake.health, name="health"),
    path("intake/backfill/", intake.backfill, name="backfill"),
    path("intake/backfill/<int:pk>/", intake.backfill_run, name="backfill_run"),
    path("intake/connect/", connect.connect, name="connect"),
    path("intake/connectors/", connectors.index, name="connectors"),
    path("intake/connectors/new/", connectors.edit, name="connector_new"),
    path("intake/connectors/<int:pk>/", connectors.connector, name="connector"),
    path("intake/connectors/<int:pk>/edit/", connectors.edit, name="connector_edit"),
    path("intake/connectors/<int:pk>/pull/", connectors.pull, name="connector_pull"),
    path("intake/connectors/<int:pk>/switch/", connectors.switch, name="connector_switch"),
    *quality_urls.urlpatterns,
]
