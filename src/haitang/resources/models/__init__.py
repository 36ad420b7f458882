"""What the district can bring to bear: shelters, rescue teams, supplies - on record, and as they stand in each world."""

from haitang.resources.models.shelters import HeadCount, Setting, Shelter, ShelterKind, ShelterState, Term
from haitang.resources.models.supplies import MoveKind, StockMove, Supply, SupplyKind
from haitang.resources.models.teams import MOVES, Skill, Team, TeamKind, TeamState, TeamStatus

__all__ = [
    "MOVES",
    "HeadCount",
    "MoveKind",
    "Setting",
    "Shelter",
    "ShelterKind",
    "ShelterState",
    "Skill",
    "StockMove",
    "Supply",
    "SupplyKind",
    "Team",
    "TeamKind",
    "TeamState",
    "TeamStatus",
    "Term",
]
