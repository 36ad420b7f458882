"""What people fill in: the list's filter, a report, a reason, an order given again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from haitang.accounts.models import Organisation, OrganisationKind
from haitang.obligations.kinds import KINDS, ORDERED
from haitang.obligations.reach import may_order
from haitang.obligations.services import MOST_NOTE, MOST_REASON

MOST_PHOTOS = 9
URGENCIES = [("", _("Ordinary")), ("yellow", _("Pressing")), ("orange", _("Very pressing")), ("red", _("At once"))]
STATUS_CHOICES = [
    ("open", _("To be done or decided")), ("overdue", pgettext_lazy("obligation", "Overdue")), ("waiting", _("Waiting for a decision")),
    ("closed", _("Ended")), ("any", _("All states")),
]  # fmt: skip


class ListFilter(forms.Form):
    """What of the list is shown."""

    q = forms.CharField(label=pgettext_lazy("obligation", "Words"), max_length=80, required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    status = forms.ChoiceField(label=_("State"), choices=STATUS_CHOICES, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [
            ("", pgettext("obligation", "All kinds")),
            *sorted(((k.id, str(k.label)) for k in KINDS.values()), key=lambda pair: pair[1]),
        ]

    def chosen(self) -> dict[str, str]:
        """The valid choices; what is not valid counts as not chosen."""
        self.is_valid()
        found = {name: self.cleaned_data.get(name) or "" for name in self.fields}
        return {**found, "status": found["status"] or "open"}


class Photos(forms.FileInput):
    """A field for several files."""

    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[UploadedFile]:
        """All files of that name."""
        return list(files.getlist(name)) if hasattr(files, "getlist") else list(files.get(name) or [])


class PhotosField(forms.Field):
    """Some photographs or files; what is in them is checked where they are kept."""

    widget = Photos

    def clean(self, value: Any) -> list[UploadedFile]:
        """At most so many, none empty."""
        files = [file for file in value or [] if file]
        if len(files) > MOST_PHOTOS:
            raise forms.ValidationError(_("At most %(n)s files at once.") % {"n": MOST_PHOTOS})
        return files


class _Placed(forms.Form):
    """With the place where it was filled in."""

    lon = forms.FloatField(
        required=False, min_value=-180, max_value=180, widget=forms.HiddenInput(attrs={"data-lon": ""})
    )
    lat = forms.FloatField(
        required=False, min_value=-90, max_value=90, widget=forms.HiddenInput(attrs={"data-lat": ""})
    )

    def position(self) -> tuple[float, float] | None:
        """Longitude and latitude, None if not given."""
        lon, lat = self.cleaned_data.get("lon"), self.cleaned_data.get("lat")
        return None if lon is None or lat is None else (lon, lat)


class ReportForm(_Placed):
    """That it is done: note, photographs, place."""

    note = forms.CharField(
        label=_("What was done"), required=False, max_length=MOST_NOTE, widget=forms.Textarea(attrs={"rows": 3})
    )
    photos = PhotosField(
        label=_("Photographs or files"), required=False,
        widget=Photos(attrs={"accept": "image/*,application/pdf", "data-photo": ""}),
    )  # fmt: skip


class EvidenceForm(_Placed):
    """Evidence added later."""

    photos = PhotosField(
        label=_("Photographs or files"), widget=Photos(attrs={"accept": "image/*,application/pdf", "data-photo": ""})
    )
    note = forms.CharField(label=_("What it shows"), required=False, max_length=300)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label=pgettext_lazy("obligation", "Reason"), max_length=MOST_REASON, widget=forms.Textarea(attrs={"rows": 2})
    )


class WithdrawForm(forms.Form):
    """Why, if there is something to say."""

    reason = forms.CharField(
        label=pgettext_lazy("obligation", "Reason"),
        max_length=MOST_REASON,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class RemarkForm(forms.Form):
    """A remark for the record."""

    text = forms.CharField(
        label=pgettext_lazy("obligation", "Remark"), max_length=MOST_NOTE, widget=forms.Textarea(attrs={"rows": 2})
    )


class ReopenForm(ReasonForm):
    """Asked for again: why, by when, of whom."""

    due_at = forms.DateTimeField(
        label=_("New due time"), required=False, help_text=_("Empty: as long as at first"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )  # fmt: skip
    owner = forms.ModelChoiceField(
        label=_("Responsible organisation"),
        queryset=Organisation.objects.none(),
        required=False,
        empty_label=_("As before"),
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Organisation.objects.visible_to(user).order_by("path")


class OrderForm(forms.Form):
    """A task for organisations."""

    title_zh = forms.CharField(label=_("What must be done"), max_length=200)
    title_en = forms.CharField(label=_("The same in English"), max_length=300, required=False)
    detail_zh = forms.CharField(
        label=_("How, and what to report"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    due_at = forms.DateTimeField(
        label=_("Due time"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )
    colour = forms.ChoiceField(label=_("Urgency"), required=False, choices=URGENCIES)
    kind = forms.ChoiceField(label=_("Kind"))
    owners = forms.ModelMultipleChoiceField(
        label=_("Organisations"), queryset=Organisation.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind, owners = self.fields["kind"], self.fields["owners"]
        assert isinstance(kind, forms.ChoiceField) and isinstance(owners, forms.ModelMultipleChoiceField)
        kind.choices = [(id, KINDS[id].label) for id in ORDERED]
        rows = may_order(user)
        # The district speaks to townships, departments and enterprises; villages are a township's.
        if user.organisation and user.organisation.place and user.organisation.place.parent_id is None:
            rows = rows.exclude(kind=OrganisationKind.VILLAGE)
        # Another platform is asked, not ordered.
        owners.queryset = rows.exclude(kind=OrganisationKind.PLATFORM)
        self.kinds = dict(owners.queryset.values_list("pk", "kind"))

    def groups(self) -> list[tuple[str, list[Any]]]:
        """The boxes of the organisations by their kind, townships first."""
        found: dict[str, list[Any]] = {}
        for box in self["owners"]:
            found.setdefault(self.kinds[int(str(box.data["value"]))], []).append(box)
        order = [OrganisationKind.TOWNSHIP, OrganisationKind.VILLAGE, *OrganisationKind]
        return [(str(kind.label), found.pop(kind)) for kind in order if kind in found]
