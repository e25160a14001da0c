"""Which release this is, and which RoadRunner it stands in for."""

__version__ = "0.1.0"

# What `rr --version`, RR_VERSION and rpc.Version answer. Laravel Octane refuses (and replaces!) a binary whose version
# is below 2023.3.0, and packages gate features on it, so the compatible version is spoken, not ours.
ROADRUNNER_VERSION = "2025.1.11"
