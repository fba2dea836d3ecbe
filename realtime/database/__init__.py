"""Connections, locks and statements of the log's database."""
