"""One's own profile, and who may do what."""

from __future__ import annotations

from django import forms
from django.apps import apps
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from haitang.accounts.roles import Role
from haitang.accounts.services import edit_profile
from haitang.accounts.verbs import VERBS

PHONE = RegexValidator(
    r"^\+?[\d -]{5,20}$", gettext_lazy("Write a telephone number with digits only, for example 13800000000.")
)


class ProfileForm(forms.Form):
    """Where somebody can be reached."""

    phone = forms.CharField(label=gettext_lazy("Mobile telephone"), max_length=30, required=False, validators=[PHONE],
                            help_text=gettext_lazy("For text messages and calls"))  # fmt: skip
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    wecom_id = forms.CharField(label=gettext_lazy("WeCom account"), max_length=60, required=False)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Contact points, language and notifications of whoever signed in."""
    user = request.user
    known = {"phone": user.phone, "email": user.email, "wecom_id": user.wecom_id}  # type: ignore[union-attr]
    form = ProfileForm(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        edit_profile(user, by=user, **form.cleaned_data)  # type: ignore[arg-type]
        messages.success(request, _("Saved."))
        return redirect("shell:profile")
    return render(request, "shell/profile.html", {"form": form})


@login_required
def permissions(request: HttpRequest) -> HttpResponse:
    """The matrix of verbs and roles, read from the verbs themselves."""
    if getattr(request.user, "role", None) != Role.ADMIN:
        raise PermissionDenied(_("The permission matrix is for administrators."))
    groups: dict[str, list[tuple[str, str, list[bool]]]] = {}
    for name in sorted(VERBS):
        declared = VERBS[name]
        row = (name, _(declared.doc), [role in declared.roles for role in Role])
        groups.setdefault(_slice_name(name.split(".")[0]), []).append(row)
    return render(request, "shell/permissions.html", {"roles": list(Role), "groups": groups})


def _slice_name(label: str) -> str:
    """A slice's name in the reader's language."""
    return str(apps.get_app_config(label).verbose_name) if apps.is_installed(f"haitang.{label}") else label
