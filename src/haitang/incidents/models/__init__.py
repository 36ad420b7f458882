"""What is stored of incidents."""

from haitang.incidents.models.figures import Figure, History
from haitang.incidents.models.incident import (
    Category,
    Incident,
    IncidentPlace,
    LevelChange,
    ProposalKind,
    ProposalState,
    ResponseProposal,
    State,
)
from haitang.incidents.models.papers import Evaluation, Order, Report, ReportRule, Stage

__all__ = [
    "Category", "Evaluation", "Figure", "History", "Incident", "IncidentPlace", "LevelChange", "Order", "ProposalKind",
    "ProposalState", "Report", "ReportRule", "ResponseProposal", "Stage", "State",
]  # fmt: skip
