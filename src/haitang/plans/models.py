"""What is stored of plans: the plan, its levels, their actions, and the plans a district must have."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OFFICIALS
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.models import Level as PlaceLevel
from haitang.geo.models import Place
from haitang.geo.names import localised


class PlanKind(models.TextChoices):
    """Where a plan stands in the system of plans (突发事件应急预案管理办法, 2024)."""

    OVERALL = "overall", _("Overall plan")
    SPECIAL = "special", _("Special plan")
    DEPARTMENT = "department", _("Department plan")
    TOWNSHIP = "township", _("Township plan")
    VILLAGE = "village", _("Village plan")
    ENTERPRISE = "enterprise", _("Enterprise plan")
    EVENT = "event", _("Plan for a major event")


class ResponseLevel(models.IntegerChoices):
    """The response levels; I is the gravest (突发事件应对法 art. 71)."""

    I = 1, pgettext_lazy("response level", "I")  # noqa: E741  the law's own numeral
    II = 2, pgettext_lazy("response level", "II")
    III = 3, pgettext_lazy("response level", "III")
    IV = 4, pgettext_lazy("response level", "IV")

    @property
    def zh(self) -> str:
        """The level as Chinese documents write it."""
        return f"{'ⅠⅡⅢⅣ'[self.value - 1]}级"

    @property
    def colour(self) -> str:
        """The colour a level has where a plan says nothing else."""
        return ("red", "orange", "yellow", "blue")[self.value - 1]


class Start(models.TextChoices):
    """What a met condition does."""

    PROPOSE = "propose", _("Proposes the level to the commander")
    AUTO = "auto", _("Starts the level at once")


class Moves(models.TextChoices):
    """What an action sets moving."""

    EVACUATION = "evacuation", _("People out of danger")
    SHELTER = "shelter", _("Shelters")
    CLOSURE = "closure", _("Closures")
    TRAFFIC = "traffic", _("Traffic control")
    TEAMS = "teams", _("Rescue teams")
    SUPPLIES = "supplies", _("Supplies")
    INSPECTION = "inspection", _("Inspection")
    INFORMATION = "information", _("Information")
    RECOVERY = "recovery", _("Recovery")


def place_chain(path: str) -> list[str]:
    """The paths of a place and of everything above it: "a/b/" gives "a/", "a/b/"."""
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[: n + 1]) + "/" for n in range(len(parts))]


class PlanScope(Scope):
    """Officials read the plans of the places under them and of those above them, which give them their tasks."""

    def condition(self, user: User | AnonymousUser) -> Q:
        """The plans this user sees."""
        if not user.is_authenticated or not user.is_active or getattr(user, "role", "") not in OFFICIALS:
            return Q(pk__in=())
        assert isinstance(user, User)
        seen = Q(pk__in=())
        if user.organisation:
            seen |= Q(owner__path__startswith=user.organisation.path)
            if user.organisation.place:
                path = user.organisation.place.path
                seen |= Q(place__path__startswith=path) | Q(place__path__in=place_chain(path))
        return seen


class Plan(models.Model):
    """An emergency plan as something that can be run: levels with conditions, actions with who and by when."""

    code = models.CharField(_("code"), max_length=60, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=160)
    name_en = models.CharField(_("name (English)"), max_length=200, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=PlanKind)
    hazards = models.JSONField(_("hazards"), default=list, blank=True)
    version = models.CharField(_("version"), max_length=40)
    place = models.ForeignKey(Place, models.PROTECT, related_name="plans", verbose_name=_("place"))
    owner = models.ForeignKey(Organisation, models.PROTECT, related_name="plans", verbose_name=_("kept by"))
    approved_on = models.DateField(_("approved on"), null=True, blank=True)
    filed_on = models.DateField(_("filed on"), null=True, blank=True)
    review_on = models.DateField(_("review by"), null=True, blank=True)
    # Each level includes the actions of the milder levels, unless it gives one of the same code itself.
    cumulative = models.BooleanField(_("levels add up"), default=True)
    source = models.CharField(_("source"), max_length=500, blank=True)
    note_zh = models.TextField(_("note (Chinese)"), blank=True)
    note_en = models.TextField(_("note (English)"), blank=True)
    is_active = models.BooleanField(_("in force"), default=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)
    # Of the pack's text: loading the same file again changes nothing.
    digest = models.CharField(max_length=64, blank=True, editable=False)

    scope = PlanScope()
    objects = ScopedManager()

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ("place__path", "kind", "code")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The plan's page."""
        return reverse("plans:plan", args=[self.pk])

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def note(self) -> str:
        """The remark in the reader's language."""
        return localised(self.note_zh, self.note_en)


class PlanLevel(models.Model):
    """One response level of a plan: when it is met, what it states, how it starts."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="levels")
    level = models.PositiveSmallIntegerField(pgettext_lazy("response", "level"), choices=ResponseLevel)
    colour = models.CharField(_("colour"), max_length=8)
    condition = models.CharField(_("condition"), max_length=500, blank=True)
    start = models.CharField(_("when the condition is met"), max_length=8, choices=Start, default=Start.PROPOSE)
    term_hours = models.FloatField(_("expected term (hours)"), null=True, blank=True)
    measures_zh = models.TextField(_("measures (Chinese)"), blank=True)
    measures_en = models.TextField(_("measures (English)"), blank=True)
    clause = models.CharField(_("clause"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("response level")
        verbose_name_plural = _("response levels")
        ordering = ("level",)
        constraints = [models.UniqueConstraint(fields=["plan", "level"], name="plans_level_once")]

    def __str__(self) -> str:
        return f"{self.plan} {self.numeral.label}"

    @property
    def numeral(self) -> ResponseLevel:
        """The level as an enum member."""
        return ResponseLevel(self.level)

    @property
    def measures(self) -> str:
        """The measures in the reader's language."""
        return localised(self.measures_zh, self.measures_en)


class PlanAction(models.Model):
    """What somebody must do at a level, and by when."""

    level = models.ForeignKey(PlanLevel, models.CASCADE, related_name="actions")
    code = models.SlugField(_("code"), max_length=60)
    order = models.PositiveSmallIntegerField(default=0)
    text_zh = models.CharField(_("text (Chinese)"), max_length=300)
    text_en = models.CharField(_("text (English)"), max_length=400, blank=True)
    # Organisation codes, or patterns such as "townships": see `pack`.
    by = models.JSONField(_("responsible"), default=list)
    minutes = models.PositiveIntegerField(_("limit (minutes)"), null=True, blank=True)
    clause = models.CharField(_("clause"), max_length=60, blank=True)
    confirm = models.BooleanField(_("the command confirms"), default=False)
    photo = models.BooleanField(_("photograph wanted"), default=False)
    moves = models.CharField(_("sets moving"), max_length=12, choices=Moves, blank=True)

    class Meta:
        verbose_name = pgettext_lazy("plan", "action")
        verbose_name_plural = _("actions")
        ordering = ("level__level", "order", "pk")
        constraints = [models.UniqueConstraint(fields=["level", "code"], name="plans_action_once")]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """What to do, in the reader's language."""
        return localised(self.text_zh, self.text_en)


class RequiredPlan(models.Model):
    """A plan that every place of a level must have: what K5, plan coverage, is counted against."""

    kind = models.CharField(_("kind"), max_length=10, choices=PlanKind)
    hazard = models.CharField(_("hazard"), max_length=40, blank=True)
    level = models.CharField(_("for every"), max_length=10, choices=PlaceLevel)
    name_zh = models.CharField(_("name (Chinese)"), max_length=120)
    name_en = models.CharField(_("name (English)"), max_length=160, blank=True)
    source = models.CharField(_("source"), max_length=300, blank=True)

    # A rule of law: whoever signed in may read what is asked of every place.
    scope = Scope(signed_in=True)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("required plan")
        verbose_name_plural = _("required plans")
        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=["kind", "hazard", "level"], name="plans_required_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)
