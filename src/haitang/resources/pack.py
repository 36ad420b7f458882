"""What a data pack says about shelters, rescue teams and supplies.

Three CSV files in UTF-8, each optional; the first line names the columns, in any order. A column that is marked * must
stand in the file and be filled; the others may be left out or empty. `place` is the code of a place of the pack (most
exact one known: village, else township, else the district), `owner` the code of an organisation. `lon` and `lat` are
WGS-84 degrees, both or neither. Flags are 1 or 0, dates are like 2026-05-31. `source` says where the row comes from;
`is_demo` is 1 for a row that is made up, and the screen says so.

shelters.csv 应急避难场所
    code*         unique in the district, stays for ever: CM-SH-001
    name_zh*      name_en
    kind*         school | sports | community | office | hotel | park | dedicated | other
    setting       indoor (default) | outdoor
    term          emergency (up to a day) | short (up to 14 days, default) | long (15 days and more)
    place*        owner*
    address       address_en
    area_m2       usable area, square metres
    capacity*     people
    manager       name of the person in charge (personal)
    phone         his telephone (personal)
    note          lon   lat   source   is_demo

teams.csv 应急救援队伍
    code*         CM-TM-001
    name_zh*      name_en
    kind*         fire | professional | grassroots | military | social | regional | expert
    skills        any of: flood fire collapse hazmat medical water power telecom traffic forest mountain; divided by |
    place*        owner*
    address       where it is stationed
    members*      people
    vehicles      boats   pumps        numbers
    commander     name (personal)
    phone         telephone of the commander (personal)
    note          lon   lat   source   is_demo

supplies.csv 应急物资: one row for each kind of thing at one store
    code*         CM-SP-0001
    name_zh*      name_en
    kind*         food | clothing | medical | tent | rescue | flood | fire | power | telecom | light | protection |
                  transport | material | machine | other
    gb_code       code of GB/T 38565-2020, 1 to 7 digits by its levels (1, 1xx, 1xxxx, 1xxxxxx), if known
    place*        owner*
    store         name of the store or its keeper
    address       of the store
    unit*         the unit in Chinese as on the stock card: 顶, 条, 台, 箱, 件
    stock*        how much there is, a number
    minimum       how much there should be at least
    expires_on    date after which the oldest lot is no longer good
    manager       name of the keeper (personal)
    phone         his telephone (personal)
    note          lon   lat   source   is_demo
"""
