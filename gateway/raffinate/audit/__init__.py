"""Audit: the bundle's export, the auditor's policy, and the offline verifier."""
