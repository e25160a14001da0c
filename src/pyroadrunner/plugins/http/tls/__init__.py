"""HTTPS: what the config says, the files it names, what workers are told about clients."""
