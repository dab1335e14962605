"""Every fact has one home: one client, one journal, one ledger."""
