"""What a key looks like: `thn_`, thirty random characters, six of a checksum; or, made elsewhere, forty without one.

As GitHub's tokens do since 2021 ("Behind GitHub's new authentication token formats"): the prefix lets people and
scanners of leaked secrets know a key when they see one, and the CRC-32 of all before it tells a mistyped or cut key
without a look into the database. It protects nothing: the thirty characters do, which are 178 bits.

Tools that make a key for us, as Helm does, cannot compute a CRC-32: theirs are longer, so that neither passes for the
other, and a mistyped one costs a look into the database.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "thn_"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 30
CHECKSUM_LENGTH = 6
"""62 to the sixth is more than 2 to the 32nd."""
SHAPE = re.compile(f"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")
MADE_ELSEWHERE = re.compile(f"{PREFIX}[0-9A-Za-z]{{40}}")


def new_key() -> str:
    """A key that nobody has and nobody can guess."""
    text = PREFIX + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return text + checksum(text)


def is_well_formed(key: str) -> bool:
    """Whether it could be one of ours: no more than that."""
    ours = SHAPE.fullmatch(key) is not None and key.endswith(checksum(key[:-CHECKSUM_LENGTH]))
    return ours or MADE_ELSEWHERE.fullmatch(key) is not None


def hash_of(key: str) -> str:
    """What is kept of a key. It is random, so that one round of SHA-256 is as good as any number of them."""
    return hashlib.sha256(key.encode()).hexdigest()


def checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, rest = divmod(number, len(BASE62))
        digits = BASE62[rest] + digits
    return digits
