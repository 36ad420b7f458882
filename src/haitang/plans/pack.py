'''Plans in a data pack: every `plans/*.toml` of the pack. A file holds one plan, or the list of plans a district must have.

One plan:

    [plan]
    code = "CM-FLOOD"                   # unique in the whole pack; stays the same from version to version
    name_zh = "崇明区防汛防台专项应急预案"
    name_en = "Chongming flood and typhoon plan"
    kind = "special"                    # overall special department township village enterprise event
    hazards = ["typhoon", "rainstorm"]  # the `hazard` keys of alerting's event kinds; [] for a plan about anything
    version = "2024"
    place = "310151"                    # code of the place the plan is for
    owner = "CM-FLOODHQ"                # organisation that keeps the plan and leads the response
    approved = 2024-05-06               # dates are TOML dates, without quotes; leave out what is not known
    filed = 2024-05-20                  # filed with the government above
    review = 2027-05-06                 # to be reviewed by
    cumulative = true                   # each level includes the actions of the graver-numbered (milder) levels; default true
    source = "..."                      # where the text comes from, with its date
    note_zh = ""                        # optional remark, shown on the plan's page
    note_en = ""
    is_demo = false                     # true: made up for the demonstration, and shown as such

    [[level]]                           # one table each; a plan with responses has all four
    level = "IV"                        # I II III IV; I is the gravest
    colour = "blue"                     # red orange yellow blue
    condition = "typhoon >= blue or rainstorm >= blue"   # see below; "" means started by decision only
    start = "propose"                   # "propose" asks the commander; "auto" starts at once
    term_hours = 24                     # the expected term that a start must state (突发事件应对法 art. 72)
    measures_zh = "加强值班值守……"        # the measures a start must state, in one paragraph
    measures_en = "..."
    clause = "4.3.1"                    # where the plan's text says so

    [[level.action]]                    # follows the level it belongs to
    code = "patrol-seawall"             # unique within the plan's level; the same code at a graver level replaces it there
    text_zh = "巡查海塘、水闸，报告险情"
    text_en = "Patrol sea walls and sluices, report danger"
    by = ["CM-WATER", "townships"]      # who: organisation codes or patterns, see below; one task for each
    minutes = 120                       # limit, counted from the start of the level
    clause = "4.3.1(2)"
    confirm = false                     # true: the command must confirm what is reported done
    photo = false                       # true: wanted with a photograph
    moves = "inspection"                # what it sets moving, one of MOVES: evacuation shelter closure traffic teams
                                        # supplies inspection information recovery, or "" for none

`by` patterns: "townships", "villages", "departments", "enterprises", "social" mean every organisation of that kind that
stands in the area of the response (departments: at the plan's place); "owner" is the plan's owner, "command" the command
centre of the plan's place. Anything else is an organisation's code.

Conditions speak of the warnings in force, by hazard, colour and place, and are read by `plans.conditions`:

    typhoon >= orange                          the gravest typhoon warning that touches the plan's place is orange or red
    rainstorm = red or typhoon >= red          = < <= > >= compare colours: blue < yellow < orange < red
    typhoon >= yellow and storm_surge >= blue  `and` binds closer than `or`; brackets group
    rainstorm >= orange in 310151101           touches that place (or one inside it)
    typhoon >= yellow in 3 townships           touches at least three townships of the plan's place
    any >= red                                 any hazard

One plan for each township (or village) of a place, from one file: `for_each = "townships"` in `[plan]` in place of
`owner`; `place` is then the place whose townships are meant. `{code}`, `{name_zh}`, `{name_en}` of the township may stand
in `code`, `name_zh`, `name_en` and `note_*` of the plan; the owner is the organisation of that kind that stands at the
township. A village plan may have no levels.

    [plan]
    code = "CM-TS-{code}"
    name_zh = "{name_zh}防汛防台应急预案"
    kind = "township"
    for_each = "townships"              # or "villages"
    place = "310151"

The plans a district must have (K5, plan coverage), in a file of their own such as `plans/required.toml`:

    [[required]]
    kind = "special"                    # kind of plan
    hazard = "typhoon"                  # optional: the plan must name this hazard
    level = "district"                  # every place of this level: district township village
    name_zh = "区级防汛防台专项预案"
    name_en = "District flood and typhoon plan"
    source = "..."                      # rule that asks for it
'''
