"""Haitang 海塘: a district emergency-management platform."""

__version__ = "0.1.0"
