"""The request body: reading it completely, parsing forms and uploads."""
