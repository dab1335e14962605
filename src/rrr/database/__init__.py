"""Every fact has one home: one client, one journal, one ledger."""

from rrr.database.client import get_db

__all__ = ["get_db"]
