"""The machine interface of plans, under /api/v1/plans/: read plans, their levels and actions, and coverage."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema
from ninja.pagination import paginate

from haitang.plans import services
from haitang.plans.models import Plan, ResponseLevel
from haitang.registry.paging import Pages

router = Router()


class ActionOut(Schema):
    """What somebody must do at a level."""

    code: str
    text_zh: str
    text_en: str
    by: list[str]
    minutes: int | None
    clause: str
    confirm: bool
    photo: bool
    moves: str


class LevelOut(Schema):
    """A response level."""

    level: str
    colour: str
    condition: str
    start: str
    term_hours: float | None
    measures_zh: str
    measures_en: str
    clause: str
    actions: list[ActionOut]

    @staticmethod
    def resolve_level(row: Any) -> str:
        """The numeral."""
        return ResponseLevel(row.level).name

    @staticmethod
    def resolve_actions(row: Any) -> Any:
        """The actions of this level alone."""
        return row.actions.all()


class PlanOut(Schema):
    """A plan."""

    id: int
    code: str
    name_zh: str
    name_en: str
    kind: str
    hazards: list[str]
    version: str
    place: str = Field(alias="place.code")
    owner: str = Field(alias="owner.code")
    approved_on: date | None
    filed_on: date | None
    review_on: date | None
    is_active: bool
    is_demo: bool


class PlanDetailOut(PlanOut):
    """A plan with its levels."""

    levels: list[LevelOut]

    @staticmethod
    def resolve_levels(row: Plan) -> Any:
        """The levels, the gravest first."""
        return row.levels.prefetch_related("actions")


class CoverageOut(Schema):
    """How far one required plan is there."""

    kind: str
    hazard: str
    level: str
    name_zh: str
    name_en: str
    present: int
    total: int
    missing: list[str]


class ErrorOut(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


@router.get("/plans", response=list[PlanOut], summary="Plans")
@paginate(Pages)
def plans(request: HttpRequest) -> Any:
    """Plans in reach."""
    return Plan.objects.visible_to(request.user).select_related("place", "owner")


@router.get("/plans/{code}", response={200: PlanDetailOut, 404: ErrorOut}, summary="One plan")
def plan(request: HttpRequest, code: str) -> Any:
    """One plan with its levels and actions."""
    return get_object_or_404(Plan.objects.visible_to(request.user).select_related("place", "owner"), code=code)


@router.get("/coverage", response=list[CoverageOut], summary="Plan coverage (K5)")
def coverage(request: HttpRequest) -> Any:
    """The required plans against the places of the asker's area."""
    return [
        {
            "kind": row.required.kind, "hazard": row.required.hazard, "level": row.required.level, "name_zh": row.required.name_zh,
            "name_en": row.required.name_en, "present": row.present, "total": row.total, "missing": [place.code for place in row.missing],
        }
        for row in services.coverage_for(request.user)
    ]  # fmt: skip
