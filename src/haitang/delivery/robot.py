"""What the group robots have in common: an organisation's own robot, words in a group, whom to mention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from haitang.accounts.models import Organisation
from haitang.delivery import hooks
from haitang.delivery.channel import Channel, Letter
from haitang.delivery.gateways import Gateway, absolute, simulators, token
from haitang.delivery.models import Delivery
from haitang.delivery.recipients import Recipient


class Robot(Channel):
    """A channel that speaks to an organisation's group, by the hook that was registered for it."""

    group: ClassVar = True
    hooked: ClassVar = True
    missing: ClassVar = "no_organisation"
    # The three platforms allow a robot some twenty posts a minute; a gateway is one robot.
    rate_per_s: ClassVar = 20 / 60
    burst: ClassVar = 18
    # Where the simulator listens for it, with the organisation's code.
    simulated_path: ClassVar[str]

    def address(self, recipient: Recipient) -> str:
        """The organisation's code; where its robot stands is looked up when the letter goes."""
        return recipient.organisation.code if recipient.organisation else ""

    def owners(self, organisations: Sequence[Organisation]) -> Mapping[int, Organisation]:
        """An organisation without a robot of its own listens to that of the organisation above it."""
        return {pk: hook.organisation for pk, hook in hooks.nearest(self.name, organisations).items()}

    def look_up(self, deliveries: Sequence[Delivery]) -> Mapping[int, Any]:
        """Address and secret of each delivery's robot."""
        bodies = {d.organisation.pk: d.organisation for d in deliveries if d.organisation}
        found = hooks.nearest(self.name, bodies.values())
        return {
            d.pk: Gateway(hook.url, hook.secret)
            for d in deliveries
            if d.organisation_id and (hook := found.get(d.organisation_id))
        }

    def set_by_operator(self) -> Gateway | None:
        """The robot for organisations without one, where the operator set it."""
        return None

    def gateway(self, letter: Letter) -> Gateway:
        """The organisation's robot, else the operator's, else the simulator."""
        if isinstance(letter.extra, Gateway):
            return letter.extra
        path = self.simulated_path.format(code=letter.to)
        return self.set_by_operator() or Gateway(f"{simulators()}{path}", token(), simulated=True)

    def words(self, letter: Letter, most_bytes: int = 2000) -> str:
        """Title, text and link on lines of their own, within what a robot takes."""
        url = absolute(letter.url)
        body = f"{letter.title}\n{letter.text}".strip()
        room = most_bytes - len(url.encode()) - 4
        raw = body.encode()
        if len(raw) > room:
            body = f"{raw[: max(0, room - 3)].decode('utf-8', 'ignore')}…"
        return f"{body}\n{url}".strip()
