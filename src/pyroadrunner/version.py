"""The version of this release, and of the RoadRunner it replaces."""

__version__ = "0.1.0"

# Reported by `rr --version`, RR_VERSION and rpc.Version. Laravel Octane refuses (and replaces!) a binary whose version
# is below 2023.3.0, and packages gate features on it. So this is the compatible version, not that of this package.
ROADRUNNER_VERSION = "2025.1.11"
