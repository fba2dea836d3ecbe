"""Encrypted channels: what only clients and the application can read.

Pusher's "Encrypted channels": each channel has a secret of its own, made of its name and a master
key. Its events are sealed by NaCl's secretbox; whoever carries them sees nonce and ciphertext.
"""

import base64
import hashlib

from realtime.conf import pusher_encryption_key
from realtime.events import dumps
from realtime.exceptions import NoEncryptionKey


def shared_secret(channel: str) -> bytes:
    """The secret of a channel, for those who may read it; raises `NoEncryptionKey`."""
    key = pusher_encryption_key()
    if not key:
        raise NoEncryptionKey("Encrypted channels need PUSHER_ENCRYPTION_MASTER_KEY to be set.")
    return hashlib.sha256(channel.encode() + key).digest()


def seal(channel: str, text: str) -> str:
    """The data, as JSON, by which an encrypted channel carries a text; raises `NoEncryptionKey`."""
    # Imported here: it comes with the extra `pusher`, and only these channels need it.
    from nacl.secret import SecretBox  # noqa: PLC0415

    sealed = SecretBox(shared_secret(channel)).encrypt(text.encode())
    return dumps({"nonce": _base64(sealed.nonce), "ciphertext": _base64(sealed.ciphertext)})


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
