"""Stores of updates: each implements ``contract.py``."""
