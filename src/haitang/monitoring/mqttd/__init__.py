"""Our own MQTT endpoint: publish only; a message is acknowledged when its readings are durable.

packets.py   bytes to packets and back, 3.1.1 and 5. Pure
link.py      what one connection may say when: a machine without sockets. Pure
signin.py    who it is: access token and secret, or a client certificate
hall.py      all connections of one process: limits, sessions, what waits to be stored
server.py    sockets, TLS, the group commit
"""
