"""What carries publications: see ``contract.py``."""
