"""Statements: signatures, chains, roster, their place in the log, receipts."""
