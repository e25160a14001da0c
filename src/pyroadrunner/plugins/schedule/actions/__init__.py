"""What a run does: ``contract.py``, and a module for each kind of action."""
