"""The event: the incident itself, where it is, what proposed it, and each change of its level."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.alerting.models import Warning
from haitang.geo.models import Place
from haitang.geo.names import localised
from haitang.plans.models import Plan, ResponseLevel, place_chain
from haitang.spaces.models import Space


class Category(models.TextChoices):
    """The four kinds of emergencies (突发事件应对法 art. 2); GB/T 35561 begins their codes with 11 to 14."""

    NATURAL = "natural", _("Natural disaster")
    ACCIDENT = "accident", _("Accident")
    HEALTH = "health", _("Public health event")
    SOCIAL = "social", _("Social security event")


class State(models.TextChoices):
    """The life of an incident."""

    ACTIVE = "active", pgettext_lazy("incident", "Response under way")
    ENDED = "ended", pgettext_lazy("incident", "Response ended")
    EVALUATED = "evaluated", pgettext_lazy("incident", "Evaluated")

    @property
    def colour(self) -> str:
        """What the state's badge wears."""
        return {"active": "red", "ended": "grey", "evaluated": "green"}[self.value]


MOVES: dict[str, frozenset[str]] = {
    State.ACTIVE: frozenset({State.ENDED}),
    State.ENDED: frozenset({State.EVALUATED}),
    State.EVALUATED: frozenset({State.EVALUATED}),
}


class IncidentScope(Scope):
    """Incidents are seen by the officials of their place and of those above it, and by those of the places they touch.

    `prefix` is the path from the model to the incident ("incident__" for rows that belong to one).
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        object.__setattr__(self, "prefix", prefix)

    def condition(self, user: User | AnonymousUser) -> Q:
        """The incidents (or rows of incidents) this user sees."""
        nothing = Q(pk__in=())
        if (
            not user.is_authenticated
            or not user.is_active
            or getattr(user, "role", "") not in OFFICIALS | {Role.MACHINE}
        ):
            return nothing
        assert isinstance(user, User)
        organisation = user.organisation
        if organisation is None:
            return nothing
        prefix: str = self.prefix  # type: ignore[attr-defined]
        seen = Q(**{f"{prefix}owner__path__startswith": organisation.path})
        if organisation.place:
            path = organisation.place.path
            near = IncidentPlace.objects.filter(incident=OuterRef(f"{prefix}pk"))
            touched = near.filter(Q(place__path__startswith=path) | Q(place__path__in=place_chain(path)))
            seen |= Q(**{f"{prefix}place__path__startswith": path}) | Q(Exists(touched))
        return seen


class Incident(models.Model):
    """One event and the response to it: plan, level, places, commander, term."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="incidents")
    category = models.CharField(_("kind of event"), max_length=8, choices=Category, default=Category.NATURAL)
    hazard = models.CharField(_("hazard"), max_length=40, blank=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=120)
    name_en = models.CharField(_("name (English)"), max_length=160, blank=True)
    place = models.ForeignKey(Place, models.PROTECT, related_name="+", verbose_name=_("place"))
    owner = models.ForeignKey(Organisation, models.PROTECT, related_name="incidents", verbose_name=_("led by"))
    commander = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("commander")
    )
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="incidents", verbose_name=_("plan")
    )
    # The district's incident that a township's response belongs to.
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE)
    level = models.PositiveSmallIntegerField(pgettext_lazy("response", "level"), choices=ResponseLevel)
    colour = models.CharField(_("colour"), max_length=8)
    # What starting a response must state (突发事件应对法 art. 72); each change of level keeps its own.
    matter_zh = models.CharField(_("matter"), max_length=300)
    matter_en = models.CharField(max_length=400, blank=True)
    measures_zh = models.TextField(_("measures"), blank=True)
    measures_en = models.TextField(blank=True)
    term_until = models.DateTimeField(_("expected until"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"))
    level_at = models.DateTimeField(_("at this level since"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # The warnings it answers: the first message of each chain.
    warnings = models.ManyToManyField(Warning, blank=True, related_name="incidents")
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = IncidentScope()
    objects = ScopedManager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ("-started_at", "-pk")
        indexes = [models.Index(fields=["space", "state", "-started_at"], name="incidents_list")]
        constraints = [
            # Two people press at once: one response of a plan runs at a time in a space.
            models.UniqueConstraint(
                fields=["space", "plan"], condition=Q(state="active"), name="incidents_one_per_plan"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The situation page."""
        return reverse("incidents:incident", args=[self.pk])

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def matter(self) -> str:
        """The matter in the reader's language."""
        return localised(self.matter_zh, self.matter_en)

    @property
    def measures(self) -> str:
        """The measures in the reader's language."""
        return localised(self.measures_zh, self.measures_en)

    @property
    def numeral(self) -> ResponseLevel:
        """The level as an enum member."""
        return ResponseLevel(self.level)

    @property
    def is_active(self) -> bool:
        """Whether the response is under way."""
        return self.state == State.ACTIVE

    @property
    def state_info(self) -> State:
        """The state with its label and colour."""
        return State(self.state)

    @property
    def shade(self) -> str:
        """The level's colour while it runs, grey afterwards."""
        return self.colour if self.is_active else "grey"


class IncidentPlace(models.Model):
    """A township (or other place) that an incident's response is for."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="areas")
    place = models.ForeignKey(Place, models.PROTECT, related_name="+")

    scope = IncidentScope("incident__")
    objects = ScopedManager()

    class Meta:
        ordering = ("place__path",)
        constraints = [models.UniqueConstraint(fields=["incident", "place"], name="incidents_place_once")]


class LevelChange(models.Model):
    """A start, raise, lowering or end of a response, with what the law wants stated. Appended, never changed."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="changes")
    at = models.DateTimeField(_("time"))
    level_from = models.PositiveSmallIntegerField(choices=ResponseLevel, null=True, blank=True)
    level_to = models.PositiveSmallIntegerField(choices=ResponseLevel, null=True, blank=True)
    colour = models.CharField(_("colour"), max_length=8, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    by_name = models.CharField(_("by"), max_length=80)
    reason_zh = models.CharField(_("reason"), max_length=500, blank=True)
    reason_en = models.CharField(max_length=500, blank=True)
    matter_zh = models.CharField(_("matter"), max_length=300, blank=True)
    matter_en = models.CharField(max_length=400, blank=True)
    measures_zh = models.TextField(_("measures"), blank=True)
    measures_en = models.TextField(blank=True)
    term_hours = models.FloatField(_("expected term (hours)"), null=True, blank=True)
    clause = models.CharField(_("clause"), max_length=60, blank=True)
    # The message that asked for it.
    warning = models.ForeignKey(Warning, models.PROTECT, null=True, blank=True, related_name="+")
    # Actions for which no organisation was found: a blank in the chain of responsibility.
    unassigned = models.JSONField(default=list, blank=True)

    scope = IncidentScope("incident__")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("change of level")
        verbose_name_plural = _("changes of level")
        ordering = ("at", "pk")

    def save(self, *args: object, **kwargs: object) -> None:
        """Written once."""
        if self.pk:
            raise ValueError("a change of level is a record: it cannot be changed, only followed by another")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise ValueError("a change of level is a record: it cannot be removed")

    @property
    def reason(self) -> str:
        """Why, in the reader's language."""
        return localised(self.reason_zh, self.reason_en)

    @property
    def matter(self) -> str:
        """The matter in the reader's language."""
        return localised(self.matter_zh, self.matter_en)

    @property
    def measures(self) -> str:
        """The measures in the reader's language."""
        return localised(self.measures_zh, self.measures_en)

    @property
    def until(self) -> datetime | None:
        """The end of the expected term."""
        return self.at + timedelta(hours=self.term_hours) if self.term_hours else None

    @property
    def label(self) -> str:
        """What it did, in the reader's language."""
        from django.utils.translation import gettext

        if self.level_to is None:
            return gettext("Response ended")
        what = {"level": ResponseLevel(self.level_to).label}
        if self.level_from is None:
            return gettext("Level %(level)s started") % what
        graver = self.level_to < self.level_from
        return (gettext("Raised to level %(level)s") if graver else gettext("Lowered to level %(level)s")) % what


class ProposalKind(models.TextChoices):
    """What a proposal asks the commander to do."""

    START = "start", _("Start")
    RAISE = "raise", _("Raise")
    LOWER = "lower", _("Lower")
    END = "end", pgettext_lazy("response", "End")


class ProposalState(models.TextChoices):
    """What became of a proposal."""

    OPEN = "open", pgettext_lazy("proposal", "To be decided")
    ACCEPTED = "accepted", pgettext_lazy("proposal", "Accepted")
    DECLINED = "declined", pgettext_lazy("proposal", "Declined")
    SUPERSEDED = "superseded", pgettext_lazy("proposal", "Overtaken by a later one")


class ResponseProposal(models.Model):
    """A published warning met a plan's condition: the commander is asked to start, raise, lower or end the response."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    kind = models.CharField(_("what"), max_length=6, choices=ProposalKind)
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+", verbose_name=_("plan"))
    place = models.ForeignKey(Place, models.PROTECT, related_name="+", verbose_name=_("place"))
    owner = models.ForeignKey(Organisation, models.PROTECT, related_name="+", verbose_name=_("led by"))
    level = models.PositiveSmallIntegerField(
        pgettext_lazy("response", "level"), choices=ResponseLevel, null=True, blank=True
    )
    colour = models.CharField(_("colour"), max_length=8)
    hazard = models.CharField(_("hazard"), max_length=40)
    warning = models.ForeignKey(Warning, models.PROTECT, related_name="proposals", verbose_name=_("warning"))
    # Codes of the townships the response would be for.
    places = models.JSONField(default=list)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, blank=True, related_name="proposals")
    state = models.CharField(_("state"), max_length=10, choices=ProposalState, default=ProposalState.OPEN)
    proposed_at = models.DateTimeField(_("proposed"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    scope = Scope(place="place__path", organisation="owner__path", roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("proposed response")
        verbose_name_plural = _("proposed responses")
        ordering = ("-proposed_at", "-pk")
        indexes = [models.Index(fields=["space", "state"], name="incidents_proposal_open")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The proposal's page, where it is decided."""
        return reverse("incidents:proposal", args=[self.pk])

    @property
    def title(self) -> str:
        """What is proposed, in the reader's language."""
        return localised(*self.titles)

    @property
    def titles(self) -> tuple[str, str]:
        """What is proposed, in Chinese and English."""
        zh = {"start": "启动", "raise": "升至", "lower": "降至", "end": "终止"}[self.kind]
        en = {"start": "Start", "raise": "Raise to", "lower": "Lower to", "end": "End"}[self.kind]
        plan_zh, plan_en = self.plan.name_zh, self.plan.name_en or self.plan.name_zh
        if self.level is None:
            return f"建议{zh}{plan_zh}响应", f"{en} the response of: {plan_en}"
        level = ResponseLevel(self.level)
        return f"建议{zh}{plan_zh}{level.zh}响应", f"{en} level {level.name}: {plan_en}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state == ProposalState.OPEN

    @property
    def numeral(self) -> ResponseLevel | None:
        """The level as an enum member; None for an end."""
        return ResponseLevel(self.level) if self.level else None
