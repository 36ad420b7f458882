"""P4, 3.4.2: whatever is composed, what is published is valid CAP 1.2 in the Chinese profile and reads back as it was written."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import shapely
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from haitang.accounts.verbs import Refused
from haitang.alerting import cap, cap_signature, composing, services, signing
from haitang.alerting.composing import Texts
from haitang.alerting.models import Audience, Warning
from haitang.alerting.tests import factories as make
from haitang.alerting.tests.samples import SHARED

XSD = SHARED / "CAP-v1.2.xsd"
_words = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
_texts = st.one_of(st.none(), st.builds(Texts, _words, _words, _words, _words, _words, _words))
_lon, _lat = st.floats(121.02, 121.85), st.floats(31.02, 31.55)
_shape = st.one_of(
    st.none(),
    st.builds(lambda x, y, d: shapely.Point(x, y).buffer(d, quad_segs=8), _lon, _lat, st.floats(0.01, 0.3)),
    st.builds(lambda x, y: shapely.box(x, y, x + 0.03, y + 0.03), _lon, _lat),
    st.builds(
        lambda x, y: shapely.union_all(
            [shapely.box(x, y, x + 0.02, y + 0.02), shapely.box(x + 0.03, y, x + 0.04, y + 0.02)]
        ),
        _lon,
        _lat,
    ),
)


@pytest.fixture(scope="module")
def schema():
    return etree.XMLSchema(file=str(XSD)) if XSD.is_file() else None


@given(
    colour=st.sampled_from(["red", "orange", "yellow", "blue"]),
    surge=st.booleans(),
    texts=_texts,
    shape=_shape,
    chosen=st.sets(st.sampled_from(["990000", "990001", "990002", "990003"])),
    hours=st.floats(0.02, 400),
    is_public=st.booleans(),
    step=st.integers(0, 1),
    status=st.sampled_from(["Actual", "Actual", "Exercise", "Test", "System", "Draft"]),
    scope=st.sampled_from([None, "Restricted"]),
    own=st.dictionaries(st.sampled_from(["990001", "990002", "990003"]), st.sampled_from(["orange", "yellow", "blue"])),
    file=st.booleans(),
    category=st.sampled_from(["Met", "Geo", "Fire", "Health", "Transport", "CBRNE", "Other"]),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_published_message_is_valid_and_reads_back(
    house, live, schema, colour, surge, texts, shape, chosen, hours, is_public, step,
    status, scope, own, file, category,
):  # fmt: skip
    """A message goes out valid or not at all; then an update and a cancellation of it too.

    All statuses and scopes that the composer gives, both languages, several colours, files, any category.
    """
    places = list(make.Place.objects.filter(code__in=chosen))
    is_public = is_public and status == "Actual"
    audiences = [Audience.PUBLIC, Audience.RESPONSIBLE] if is_public else [Audience.DEPARTMENTS]
    make.EventKind.objects.update(categories=[category])
    at = services.now(live)
    try:
        warning = make.draft(
            house, live, kind=house.surge if surge else house.typhoon, colour=colour, places=places, geometry=shape, texts=texts,
            audiences=audiences, expires=at + timedelta(hours=hours), status=status, cap_scope=scope, own_colours=own,
        )  # fmt: skip
        if file:
            services.attach(warning, by=house.duty, content=b"%PDF-1.7", description_zh="图")
        services.submit(warning, by=house.duty)
        warning = services.publish(services.approve(warning, by=house.chief), by=house.duty)
        for _ in range(step):
            warning = make.follow(house, services.update(warning, by=house.duty, colour="blue"))
        made = [
            *services.chain_of(warning),
            make.follow(house, services.cancel(warning, by=house.duty, reason_zh="已过")),
        ]
    except Refused:
        # Refused with its reason: no area, or a text that XML cannot carry. Nothing invalid was kept.
        made = list(Warning.objects.exclude(sha256=""))
    for row in made:
        stored = Warning.objects.get(pk=row.pk)
        data = bytes(stored.cap_xml)
        if schema is not None:
            schema.assertValid(etree.fromstring(data))
        alert, findings = cap.parse(data)
        assert not cap.errors(findings + cap.validate(alert, "cn", composing.event_codes()))
        # What was frozen is what we write, and our signature as its last child.
        written = etree.fromstring(cap.build(alert))
        assert etree.tostring(written, method="c14n") == etree.tostring(_unsigned(data), method="c14n")
        own = signing.signer()
        judged = cap_signature.judge(data, [own.certificate], timezone.now())
        assert judged.verdict == "valid" and judged.fingerprint == stored.signer
        assert stored.sha256 == hashlib.sha256(data).hexdigest()
        assert (alert.identifier, alert.msg_type, alert.scope) == (stored.identifier, stored.msg_type, stored.cap_scope)
        info = alert.infos[0]
        assert info.headline == stored.headline_zh.replace("\r\n", "\n").strip()
        # One info for each language and colour, gravest first, each place in exactly one of them.
        assert len({(one.language, one.parameter("ColorCode")) for one in alert.infos}) == len(alert.infos)
        assert info.parameter("ColorCode") == stored.colour.upper()
        chinese = [area for one in alert.infos if one.language == info.language for area in one.areas]
        assert len({area.description for area in chinese}) == len(chinese)
        covered = shapely.union_all([s for area in chinese if (s := composing_shape(area)) is not None])
        if shape is not None and stored.geometry is not None:
            assert covered.buffer(1e-4).covers(stored.geometry)
    Warning.objects.update(state="discarded")


def _unsigned(data):
    root = etree.fromstring(data)
    (signature,) = root.iterchildren("{*}Signature")
    root.remove(signature)
    root[-1].tail = "\n"
    return root


def composing_shape(area):
    from haitang.alerting import area_shapes

    return area_shapes.from_cap(area)


def test_the_schema_of_the_standard_is_at_hand_for_this_test():
    if not XSD.is_file():
        pytest.skip("the official XSD is not on this machine; the own schema layer was checked all the same")
    assert etree.XMLSchema(file=str(XSD))
