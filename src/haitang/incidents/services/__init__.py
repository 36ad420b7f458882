"""What can be done with incidents; the slice's face.

decide(proposal, accept=True, by=commander)          start, raise, lower or end as a warning's proposal says
start / change_level / end                           the response itself
report_figure(incident, kind="moved", value=..., place=..., by=...)
give(incident, text=..., organisations=..., by=...)  a leader's order
send(report, text=draft(report), by=...)             a report upward
measure(incident), evaluate(...), set_history(space, rows)
"""

from haitang.incidents.services.evaluation import as_data, evaluate, measure, set_history
from haitang.incidents.services.figures import NeedsExplanation, report_figure, totals_of
from haitang.incidents.services.orders import give
from haitang.incidents.services.orders import withdraw as withdraw_order
from haitang.incidents.services.proposals import consider, decide
from haitang.incidents.services.reports import add as add_report
from haitang.incidents.services.reports import draft, send
from haitang.incidents.services.reports import phone as phone_report
from haitang.incidents.services.reports import save as save_report
from haitang.incidents.services.response import Statement, change_level, end, note, places_of, start
from haitang.incidents.services.tasks import tasks_of
from haitang.incidents.services.warnings import published_for

__all__ = [
    "NeedsExplanation",
    "Statement",
    "add_report",
    "as_data",
    "change_level",
    "consider",
    "decide",
    "draft",
    "end",
    "evaluate",
    "give",
    "measure",
    "note",
    "phone_report",
    "places_of",
    "published_for",
    "report_figure",
    "save_report",
    "send",
    "set_history",
    "start",
    "tasks_of",
    "totals_of",
    "withdraw_order",
]  # fmt: skip
