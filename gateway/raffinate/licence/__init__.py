"""Licence files, permits issued under them, and the composition of the evidence service."""
