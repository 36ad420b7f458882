"""Messages in the app (3.4.2, 3.6.5)."""

import pytest

from haitang.accounts.verbs import Forbidden
from haitang.delivery import services
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def test_it_has_arrived_when_it_is_written(live):
    row = services.receipts(make.message(live, make.user())).get()
    assert (row.state, row.next_at) == ("delivered", None)
    assert row.sent_at == row.delivered_at == row.message.created_at


def test_who_has_no_account_cannot_be_reached_in_it(live):
    row = services.receipts(make.message(live, Recipient(organisation=make.organisation()))).get()
    assert (row.state, row.reason) == ("failed", "no_account")


def test_only_the_recipient_marks_it_as_read_and_the_first_time_counts(live):
    person = make.user()
    row = services.receipts(make.message(live, person)).get()
    with pytest.raises(Forbidden):
        services.mark_read(row, by=make.user())
    first = services.mark_read(row, by=person).read_at
    assert services.mark_read(row, by=person).read_at == first
    assert row.message.deliveries.get().state == "read"
