"""Opinions, never orders: floats end at this door."""
