"""Pusher's HTTP: the API for servers, and the endpoints that sign for browsers."""
