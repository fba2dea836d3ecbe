"""Pusher's protocol, version 7, without I/O."""
