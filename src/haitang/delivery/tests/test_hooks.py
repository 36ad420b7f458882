"""Group robots and webhooks of organisations: who sets them, what is shown (3.6.5)."""

import pytest
from django.urls import reverse

from haitang.accounts.roles import Role
from haitang.delivery.models import Hook
from haitang.delivery.tests import factories as make
from haitang.journal.models import Entry

pytestmark = pytest.mark.django_db
URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=very-secret"


@pytest.fixture
def admin(client, settings):
    settings.DEMO = True
    body = make.organisation(make.place())
    client.force_login(make.user(Role.ADMIN, organisation=body, is_demo=True))
    return body


def test_it_is_set_replaced_and_removed_and_the_journal_keeps_no_secret(client, admin):
    given = {"organisation": admin.pk, "channel": "wecom", "url": URL, "secret": "sesame"}
    assert client.post(reverse("delivery:hooks"), given).status_code == 302
    client.post(reverse("delivery:hooks"), {**given, "url": f"{URL}2"})
    hook = Hook.objects.get()
    assert (hook.url, hook.secret) == (f"{URL}2", "sesame")
    page = client.get(reverse("delivery:hooks")).content.decode()
    assert "very-secret" not in page and "sesame" not in page and "https://qyapi.weixin.qq.com/***" in page
    client.post(reverse("delivery:hook_remove", args=[hook.pk]))
    assert not Hook.objects.exists()
    entries = Entry.objects.filter(verb__contains="hook")
    assert [e.verb for e in entries.order_by("seq")] == [
        "delivery.set_hook",
        "delivery.set_hook",
        "delivery.remove_hook",
    ]
    assert not any("secret" in str(e.after) or "sesame" in str(e.after) for e in entries)


@pytest.mark.parametrize("url", ["ftp://x.org/", "javascript:alert(1)", "file:///etc/passwd", "x", ""])
def test_only_web_addresses_are_taken(client, admin, url):
    answer = client.post(reverse("delivery:hooks"), {"organisation": admin.pk, "channel": "wecom", "url": url})
    assert answer.status_code == 200 and not Hook.objects.exists()


def test_a_channel_without_hooks_is_not_offered(client, admin):
    answer = client.post(reverse("delivery:hooks"), {"organisation": admin.pk, "channel": "sms", "url": URL})
    assert answer.status_code == 200 and not Hook.objects.exists()


@pytest.mark.parametrize("role", [Role.TOWNSHIP, Role.DEPARTMENT, Role.GRID, Role.ENTERPRISE, Role.RESIDENT])
def test_others_neither_see_nor_set_them(client, role):
    hook = Hook.objects.create(organisation=make.organisation(), channel="wecom", url=URL)
    client.force_login(make.user(role, organisation=hook.organisation))
    assert client.get(reverse("delivery:hooks")).status_code == 403
    assert client.post(reverse("delivery:hook_remove", args=[hook.pk])).status_code == 403
    assert Hook.objects.exists()
