"""What can be done in monitoring: the verbs. Other slices, views and the API import them from here."""

from haitang.monitoring.services.alarms import (
    acknowledge,
    assign,
    change_colour,
    clear_alarm,
    close,
    comment,
    open_alarm,
)
from haitang.monitoring.services.network import register_rule, register_series, register_station
from haitang.monitoring.services.readings import backfill

__all__ = [
    "acknowledge",
    "assign",
    "backfill",
    "change_colour",
    "clear_alarm",
    "close",
    "comment",
    "open_alarm",
    "register_rule",
    "register_series",
    "register_station",
]
