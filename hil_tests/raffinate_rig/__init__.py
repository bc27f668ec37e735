"""Raffinate."""
