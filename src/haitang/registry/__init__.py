"""The register kit: declare a model once and it is listed, searched, edited, imported, exported, served and mapped.

    # <slice>/registers.py - imported at start
    from haitang.registry.declare import Column, Register, RegisterLayer, register

    SHELTERS = register(Register(
        model=Shelter, slug="shelters", icon="home-shield", menu=Menu.RESOURCES,
        columns=(Column("code"), Column("name"), Column("kind"), Column("place"), Column("capacity", align="right")),
        filters=("kind", "place"), search=("code", "name_zh", "name_en", "address"), sort="code",
        form=("code", "name_zh", "name_en", "kind", "place", "owner", "capacity", "phone", "geometry"),
        personal=("phone",), layer=RegisterLayer(style=circle("#2f9e44"), properties={"capacity": "capacity"}),
    ))

`docs/registers.md` shows a register from nothing to the map; `declare.Register` names everything that can be declared;
`records.Record` is the base of a model that has a code, a name, a place, an owner and a position.
"""
