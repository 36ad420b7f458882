"""What people fill in at the duty room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import User
from haitang.duty.models import Seat, Shift


class NoteForm(forms.Form):
    """A line of the duty log."""

    text = forms.CharField(label=_("New line"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


class HandOverForm(forms.Form):
    """The words of a hand-over."""

    note = forms.CharField(label=_("What the next shift must know"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 4}))  # fmt: skip


class SwapForm(forms.Form):
    """Who takes a post instead."""

    seat = forms.ModelChoiceField(Seat.objects.none(), label=pgettext_lazy("duty", "Post"))
    person = forms.ModelChoiceField(User.objects.none(), label=_("Who takes it"))
    reason = forms.CharField(label=_("Why"), max_length=300)

    def __init__(self, *args: Any, shift: Shift, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seat, person = self.fields["seat"], self.fields["person"]
        assert isinstance(seat, forms.ModelChoiceField) and isinstance(person, forms.ModelChoiceField)
        seat.queryset = shift.seats.select_related("post", "person")
        seat.label_from_instance = lambda row: f"{row.post}: {row.person or '—'}"  # type: ignore[method-assign]
        path = shift.roster.organisation.path
        person.queryset = User.objects.filter(is_active=True, organisation__path__startswith=path)


class CheckForm(forms.Form):
    """A spot check."""

    answered_s = forms.IntegerField(label=_("Answered after (seconds)"), min_value=0, max_value=3600, required=False, help_text=_("Leave it empty where nobody answered."))  # fmt: skip
    note = forms.CharField(label=pgettext_lazy("duty", "Note"), max_length=300, required=False)
