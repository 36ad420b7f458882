"""Django's SQLite store, with writers that wait their turn fairly. See base.py."""
