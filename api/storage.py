"""Where the addresses of static files come from."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Names that change with the files' contents, once they are collected; until then plain names,
    under which the files are found in their applications."""

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """As the base class, without an error for what was not collected."""
        try:
            return super().stored_name(name)
        except ValueError:
            return name
