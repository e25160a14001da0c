"""HTTPS: what the config says, the files behind it, the listener whose certificate changes while it serves."""
