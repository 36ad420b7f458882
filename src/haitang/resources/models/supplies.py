"""Supplies 应急物资: what lies in which store, how much of it, and every quantity that went out or came back."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.registry.records import Record
from haitang.spaces.models import Space

# GB/T 38565-2020, clause 5.2: four levels in seven digits; the first is 1 basic living, 2 equipment, 3 engineering.
GB_CODE = RegexValidator(
    r"^[1-3](\d\d){0,3}\Z", _("A code of GB/T 38565-2020 has 1, 3, 5 or 7 digits and begins with 1, 2 or 3.")
)


class SupplyKind(models.TextChoices):
    """What it is for, in the words of a store keeper; `gb_code` beside it is the class of the standard."""

    FOOD = "food", _("Food and water")
    CLOTHING = "clothing", _("Clothing and bedding")
    MEDICAL = "medical", _("Medicines and first aid")
    TENT = "tent", _("Tents and beds")
    RESCUE = "rescue", _("Rescue tools")
    FLOOD = "flood", _("Flood control")
    FIRE = "fire", _("Fire fighting")
    POWER = "power", _("Power generation")
    TELECOM = "telecom", _("Communications equipment")
    LIGHT = "light", _("Lighting")
    PROTECTION = "protection", _("Personal protection")
    TRANSPORT = "transport", _("Transport")
    MATERIAL = "material", _("Engineering material")
    MACHINE = "machine", _("Machines")
    OTHER = "other", pgettext_lazy("supply", "Other")


class Supply(Record):
    """One kind of thing at one store. `stock` is what lies there in the live world."""

    kind = models.CharField(pgettext_lazy("resource", "kind"), max_length=10, choices=SupplyKind, db_index=True)
    gb_code = models.CharField(_("code of GB/T 38565"), max_length=7, blank=True, validators=[GB_CODE])
    store = models.CharField(_("store"), max_length=80, blank=True)
    address = models.CharField(_("address"), max_length=120, blank=True)
    unit = models.CharField(_("unit"), max_length=10)
    stock = models.DecimalField(
        _("stock"), max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0))], db_index=True
    )
    minimum = models.DecimalField(
        _("minimum"), max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0))], default=Decimal(0)
    )
    expires_on = models.DateField(_("expires on"), null=True, blank=True, db_index=True)
    manager = models.CharField(_("store keeper"), max_length=40, blank=True)
    phone = models.CharField(_("telephone of the store keeper"), max_length=30, blank=True)

    class Meta(Record.Meta):
        verbose_name = _("supply")
        verbose_name_plural = _("supplies")


class MoveKind(models.TextChoices):
    """Why a stock changed."""

    TAKE = "take", pgettext_lazy("stock", "Taken out")
    RETURN = "return", pgettext_lazy("stock", "Brought back")
    COUNT = "count", pgettext_lazy("stock", "Stock-taking")


class StockMove(models.Model):
    """One line of a supply's ledger in one world. In the live world the lines of a supply add up to its stock."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    supply = models.ForeignKey(Supply, models.PROTECT, related_name="moves", verbose_name=_("supply"))
    at = models.DateTimeField(_("time"))
    kind = models.CharField(pgettext_lazy("stock", "kind"), max_length=6, choices=MoveKind)
    # Positive came in, negative went out.
    quantity = models.DecimalField(pgettext_lazy("stock", "quantity"), max_digits=12, decimal_places=2)
    balance = models.DecimalField(_("stock afterwards"), max_digits=12, decimal_places=2)
    to = models.CharField(_("for whom"), max_length=120, blank=True)
    thread = models.CharField(max_length=80, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    note = models.CharField(pgettext_lazy("stock", "note"), max_length=200, blank=True)

    scope = Scope(place="supply__place__path", organisation="supply__owner__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("space", "supply", "-at", "-id"), name="resources_ledger"),)

    def __str__(self) -> str:
        return f"{self.supply} {self.quantity:+}"
