"""Where the log is: for those who connect to its database in other ways, and for people."""

from urllib.parse import urlencode

from django.db import connections

from realtime.log import database

_ADDRESS = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}
_LIBPQ_OPTIONS = ("service", "passfile", "sslmode", "sslcert", "sslkey", "sslrootcert")


def address() -> str:
    """The URL at which the log's database takes NOTIFY and LISTEN, empty if it is another kind."""
    connection = connections[database()]
    if connection.vendor != "postgresql":
        return ""
    parameters = connection.settings_dict
    query = {name: parameters[key] for name, key in _ADDRESS.items() if parameters[key]}
    options = {
        name: value for name, value in parameters["OPTIONS"].items() if name in _LIBPQ_OPTIONS
    }
    return f"postgresql://?{urlencode(query | options)}"


def describe() -> str:
    """Which database holds the log; without its password."""
    connection = connections[database()]
    parameters = connection.settings_dict
    where = f" at {parameters['HOST']}" if parameters["HOST"] else ""
    return f"{connection.display_name}, {parameters['NAME']}{where}"
