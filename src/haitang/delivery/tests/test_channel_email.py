"""E-mail (3.4.2)."""

import smtplib

import pytest

from haitang.delivery import services
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def mailed(live, to=None, **fields):
    message = make.message(live, to or make.user(email="a@example.org"), channels=["email"], **fields)
    services.pump(live)
    return services.receipts(message).get()


def test_it_is_a_plain_mail_with_an_id_that_stays_the_same(live, post_office, monkeypatch, later):
    monkeypatch.setenv("HAITANG_SMTP", "mail.example.org:2525")
    monkeypatch.setenv("HAITANG_MAIL_FROM", "haitang@cm.example.org")
    row = mailed(live, url="/w/7/")
    mail = post_office.mails[0]
    assert post_office.where == ("mail.example.org", 2525, False)
    assert (mail["To"], mail["Subject"], mail["Message-ID"]) == (
        "a@example.org",
        "台风黄色预警",
        f"<{row.key}@cm.example.org>",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "请做好防御准备。" in mail.get_content() and "/w/7/" in mail.get_content()
    assert (row.state, row.is_simulated, row.gateway_ref) == ("sent", False, mail["Message-ID"])


def test_without_a_server_the_sink_beside_the_simulators_takes_it(live, post_office, monkeypatch):
    monkeypatch.setenv("HAITANG_SIM_PORT", "8442")
    row = mailed(live)
    assert post_office.where == ("127.0.0.1", 8443, False)
    assert row.is_simulated


def test_a_server_with_a_password_is_spoken_to_behind_tls(live, post_office, monkeypatch):
    monkeypatch.setenv("HAITANG_SMTP", "smtp://user%40x:p%3Aw@mail.example.org:587")
    mailed(live)
    assert (post_office.secured, post_office.logins, post_office.where[1]) == (1, [("user@x", "p:w")], 587)
    monkeypatch.setenv("HAITANG_SMTP", "smtps://u:p@mail.example.org")
    mailed(live)
    assert (post_office.secured, post_office.where[1:]) == (1, (465, True))


def test_a_line_break_in_a_title_starts_no_header(live, post_office):
    mailed(live, title_zh="台风\r\nBcc: all@example.org")
    assert post_office.mails[0]["Subject"] == "台风 Bcc: all@example.org"
    assert post_office.mails[0]["Bcc"] is None


@pytest.mark.parametrize("address", ["no-at-sign", "a@b c", "a@x.org\nBcc: b@x.org", "@", "a@"])
def test_what_is_no_address_is_given_up_at_once(live, post_office, address):
    row = mailed(live, Recipient(email=address, organisation=make.organisation()))
    assert post_office.mails == []
    assert (row.state, row.reason) == ("failed", "mailbox_unknown: not an e-mail address")


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (
            smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"no such user")}),
            "failed",
            "mailbox_unknown: 550 no such user",
        ),
        (smtplib.SMTPRecipientsRefused({"a@example.org": (451, b"grey")}), "queued", "server: 451 grey"),
        (smtplib.SMTPDataError(554, b"spam"), "failed", "rejected: 554 spam"),
        (smtplib.SMTPDataError(452, b"full"), "queued", "server: 452 full"),
        (smtplib.SMTPServerDisconnected("gone"), "queued", "connection: SMTPServerDisconnected"),
        (TimeoutError(), "queued", "timeout"),
        (ConnectionRefusedError(), "queued", "connection: ConnectionRefusedError"),
    ],
)
def test_what_the_server_says_decides_whether_to_try_again(live, post_office, error, state, reason):
    post_office.error = error
    row = mailed(live)
    assert (row.state, row.reason) == (state, reason)
