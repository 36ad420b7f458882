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
from haitang.monitoring.services.events import near, report
from haitang.monitoring.services.network import register_rule, register_series, register_station
from haitang.monitoring.services.quality import clear_quality, correct_readings, set_quality, withdraw_correction
from haitang.monitoring.services.readings import backfill
from haitang.monitoring.services.rules import publish_rule, reset_alarm, withdraw_rule, write_rule
from haitang.monitoring.services.sensorthings import (
    add_sta_record,
    amend_reading,
    change_sta_record,
    remove_sta_record,
)
from haitang.monitoring.services.shelf import acknowledge_all, return_due, shelve, unshelve
from haitang.monitoring.services.watching import look_ahead, register_chain, settle
from haitang.monitoring.services.ways import begin_backfill, pull_now, save_connector, switch_connector

__all__ = [
    "acknowledge",
    "acknowledge_all",
    "add_sta_record",
    "amend_reading",
    "assign",
    "backfill",
    "begin_backfill",
    "change_colour",
    "change_sta_record",
    "clear_alarm",
    "clear_quality",
    "close",
    "comment",
    "correct_readings",
    "look_ahead",
    "near",
    "open_alarm",
    "publish_rule",
    "pull_now",
    "register_chain",
    "register_rule",
    "register_series",
    "register_station",
    "remove_sta_record",
    "report",
    "reset_alarm",
    "return_due",
    "save_connector",
    "set_quality",
    "settle",
    "shelve",
    "switch_connector",
    "unshelve",
    "withdraw_correction",
    "withdraw_rule",
    "write_rule",
]
