"""Forms of the delivery slice."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from haitang.accounts.models import Organisation
from haitang.delivery.services import hook_channels


class HookForm(forms.Form):
    """Where an organisation's group robot or own system takes messages."""

    organisation = forms.ModelChoiceField(Organisation.objects.none(), label=_("Organisation"),
                                          help_text=_("Organisations below it that have none of their own use it too."))  # fmt: skip
    channel = forms.ChoiceField(label=_("Channel"))
    url = forms.URLField(label=_("Address"), max_length=500, assume_scheme="https",
                         help_text=_("As the group robot's settings show it, with its key"))  # fmt: skip
    secret = forms.CharField(label=_("Signing secret"), max_length=200, required=False, strip=True,
                             widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
                             help_text=_("Where the robot asks for a signature; it is never shown again."))  # fmt: skip

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organisation"].queryset = Organisation.objects.visible_to(user)  # type: ignore[attr-defined]
        self.fields["channel"].choices = [(channel.name, channel.label) for channel in hook_channels()]  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        """Only web addresses, and no password in them."""
        url = self.cleaned_data["url"]
        if not url.startswith(("https://", "http://")):
            raise forms.ValidationError(_("Begin the address with https://, or http:// inside your own network."))
        return url
