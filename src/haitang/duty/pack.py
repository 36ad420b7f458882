"""Duty rosters in a data pack: `duty.toml`, read by the section `duty.rosters` (demonstration only, for it names people).

    [[roster]]                           # one for each organisation that keeps a duty room
    code = "CM-DUTY"                     # stays the same
    organisation = "CM-EMC"              # code of the organisation
    name_zh = "区应急指挥中心值班表"
    name_en = "Command centre duty roster"     # may be left out, as every *_en
    changes = ["08:00"]                  # hand-over times, local; ["08:00", "20:00"] makes two shifts a day
    first_day = 2024-01-01               # the day on which the first person of every post takes the first shift
    source = "made up for the demonstration"

    [[roster.post]]                      # follows the roster it belongs to; in order of rank
    name_zh = "带班领导"
    name_en = "Shift leader"
    leader = true                        # exactly one post of a roster leads: it hands over and accepts
    people = ["duty1", "duty2"]          # user names of the pack's people, who take one shift each in turn

    [[roster.post]]
    name_zh = "值班员"
    name_en = "Duty officer"
    people = ["officer1", "officer2", "officer3"]

Shifts are planned from the present day on, and on and on as time passes; what people swapped stays swapped.
"""
