"""Addresses of the monitoring slice."""

from django.urls import path

from haitang.monitoring.views import alarms, intake, rules, stations

app_name = "monitoring"
urlpatterns = [
    path("stations/", stations.index, name="stations"),
    path("stations/<int:pk>/", stations.station, name="station"),
    path("series/<int:pk>/chart.json", stations.series_chart, name="series_chart"),
    path("series/<int:pk>/readings.<slug:form>", stations.series_readings, name="series_readings"),
    path("alarms/", alarms.board, name="alarms"),
    path("alarms/<int:pk>/", alarms.alarm, name="alarm"),
    path("alarms/<int:pk>/chart.json", alarms.alarm_chart, name="alarm_chart"),
    path("alarms/<int:pk>/acknowledge/", alarms.acknowledge, name="alarm_acknowledge"),
    path("alarms/<int:pk>/comment/", alarms.comment, name="alarm_comment"),
    path("alarms/<int:pk>/assign/", alarms.assign, name="alarm_assign"),
    path("alarms/<int:pk>/close/", alarms.close, name="alarm_close"),
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
]
