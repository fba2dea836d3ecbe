"""django-eventstream's functions, settings and clients, on this package's log and streams."""
