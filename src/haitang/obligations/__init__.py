"""Obligations: who must do what by when; asked for, answered, proved, chased."""
