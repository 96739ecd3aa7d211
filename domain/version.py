"""The version of the service: pyproject.toml, OpenAPI and AsyncAPI take it from here."""

VERSION = "0.3.0"
"""By Semantic Versioning (semver.org). `CHANGELOG.md` says what each version changes."""
