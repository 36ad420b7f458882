"""What both replays of OGC's suite share: the mandatory properties of each collection, and the check of one entity."""

from haitang.monitoring.sensorthings.schema import BY_PLURAL, KINDS

COLLECTIONS = {
    "Things": ("name", "description"),
    "Locations": ("name", "description", "encodingType", "location"),
    "HistoricalLocations": ("time",),
    "Datastreams": ("name", "description", "unitOfMeasurement", "observationType"),
    "Sensors": ("name", "description", "encodingType", "metadata"),
    "ObservedProperties": ("name", "definition", "description"),
    "Observations": ("phenomenonTime", "result", "resultTime"),
    "FeaturesOfInterest": ("name", "description", "encodingType", "feature"),
}


def relations(plural):
    return {name: (KINDS[kind].plural, many) for name, (kind, many) in BY_PLURAL[plural].relations.items()}


def check(plural, entity, *, chosen=None, expanded=()):
    """Control information, properties and relations of an entity as the standard wants them."""
    if chosen is None:
        assert isinstance(entity["@iot.id"], int)
        assert entity["@iot.selfLink"].endswith(f"/sta/v1.1/{plural}({entity['@iot.id']})")
    for name in COLLECTIONS[plural]:
        assert (name in entity) == (chosen is None or name in chosen), name
    for name, (_to, many) in relations(plural).items():
        if name in expanded:
            assert isinstance(entity[name], list if many else dict)
        else:
            assert (f"{name}@iot.navigationLink" in entity) == (chosen is None or name in chosen), name


def counts(sta):
    return {plural: sta.get(plural, count="true")["@iot.count"] for plural in COLLECTIONS}
