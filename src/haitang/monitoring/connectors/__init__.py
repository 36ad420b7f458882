"""Pulling: readings that another system offers by HTTP, fetched on time and put through the door.

mapping.py        a JSON document to readings, by a few paths. Pure
sensorthings.py   another platform's SensorThings observations to readings. Pure
fetch.py          one guarded request: no inner networks, limits of size and time
pull.py           one pull of one connector, and the loop over those that are due
"""
