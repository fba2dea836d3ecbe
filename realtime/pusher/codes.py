"""The codes of Pusher's protocol, version 7: "Error codes" and "Connection closure". Pure."""

VERSION = 7

# Close codes, and codes of errors. pusher-js stays away after 4000 to 4099 and from 4300 on, comes
# back in a second after 4100 to 4199, and at once after 4200 to 4299.
TOO_BIG = 1009
TLS_ONLY = 4000
NO_APP = 4001
QUOTA = 4004
NO_PATH = 4005
BAD_VERSION = 4006
UNSUPPORTED_VERSION = 4007
NO_VERSION = 4008
UNAUTHORIZED = 4009
OVER_CAPACITY = 4100
SILENT = 4201
CLIENT_EVENT_REFUSED = 4301
WATCHLIST_LIMIT = 4302

# Kinds and statuses of subscription errors.
UNSIGNED = ("AuthError", 401)
FORBIDDEN = ("AuthError", 403)
BAD_NAME = ("LimitReached", 4009)
FULL = ("LimitReached", 4100)
TOO_LARGE = ("LimitReached", 4301)
