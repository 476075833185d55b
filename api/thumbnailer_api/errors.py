"""What can be wrong with a request; problems.py says which answer each of these gets. The text is for the caller.

ApiError
├── Unauthenticated
│   ├── NoKey             none was sent
│   ├── WrongToken        no token of the issuer for this service, or not any more
│   └── WrongKey          malformed, unknown, revoked or ended: nobody is told which
├── IssuerUnavailable     nobody can say just now whether a token is good
├── MissingScope          we know who calls: they may not do this
├── TooMany               the owner has reached a limit
├── Malformed             not the HTTP, JSON or multipart that it says it is
│   └── BodyCut           the caller went away in the middle of its body
├── Invalid               understood, and nothing that we do: names the field and what is allowed
├── IdempotencyMismatch   the key came with something else before
├── NoImage               plainly no image, by its first bytes
├── WrongContentType
├── TooLarge
├── TooSlow
├── Busy                  all threads for this kind of work are taken
├── NoSuchOutput
├── NotFinished           the job still runs: it has no outputs yet
├── JobFailed             the job failed: it will never have outputs
├── Gone                  the job's data was removed
├── RangeOutside          the bytes asked for lie outside the output
└── ServerDied            not for callers: there is nobody left to answer them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """Anything that the API raises on purpose."""


class Unauthenticated(ApiError):
    """We do not know who calls; `challenge` is what HTTP wants to be told (RFC 6750)."""

    detail = ""
    challenge = 'Bearer realm="thumbnailer"'

    def __init__(self) -> None:
        super().__init__(self.detail)


class NoKey(Unauthenticated):
    """No key was sent."""

    detail = (
        "This service wants a key with each call: send the header `Authorization: Bearer <key>`. Whoever runs the "
        "service makes keys, with `thumbnailer-api keys create`."
    )


class WrongKey(Unauthenticated):
    """The key that was sent is none of ours, or not any more."""

    detail = (
        "The key that was sent is not valid: see that it is whole, or ask whoever runs the service for another one."
    )
    challenge = f'{Unauthenticated.challenge}, error="invalid_token"'


class WrongToken(Unauthenticated):
    """The token that was sent is no good here."""

    detail = (
        "The token that was sent is not valid here: it may have ended, or be meant for another service. Get a new one, "
        "for the audience that whoever runs the service names."
    )
    challenge = f'{Unauthenticated.challenge}, error="invalid_token"'


class IssuerUnavailable(ApiError):
    """The keys that would tell whether a token is good cannot be had."""

    def __init__(self) -> None:
        super().__init__(
            "The issuer of your token does not answer, so that nobody can tell whether it is good: try again."
        )


class MissingScope(ApiError):
    """The caller is known, and may not do this; `scope` is the one that it takes."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This needs the scope `{scope}`, which your key or token does not have: ask whoever runs the service."
        )
        self.challenge = f'{Unauthenticated.challenge}, error="insufficient_scope", scope="{scope}"'


class TooMany(ApiError):
    """The owner has reached a limit; `headers` say which, and when to ask again."""

    def __init__(self, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.headers = headers


class Malformed(ApiError):
    """The request is not what it says it is."""


class BodyCut(Malformed):
    """The body ended before its end."""


class Invalid(ApiError):
    """The request asks for something that we do not do.

    `fields` are pairs of a field's name and what is wrong with it.
    """

    def __init__(self, detail: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.fields = fields


class IdempotencyMismatch(ApiError):
    """The idempotency key stands for a job that was made of another request."""


class NoImage(ApiError):
    """The first bytes are those of no image format that we take."""


class WrongContentType(ApiError):
    """The body is of a type that we do not take."""


class TooLarge(ApiError):
    """The body is larger than allowed."""


class TooSlow(ApiError):
    """The body stood still, or did not end in time."""


class Busy(ApiError):
    """There is no thread left for this kind of request."""


class NoSuchOutput(ApiError):
    """The job makes fewer outputs."""


class NotFinished(ApiError):
    """The outputs are not made yet."""


class JobFailed(ApiError):
    """The outputs could not be made."""


class Gone(ApiError):
    """The outputs were removed."""


class RangeOutside(ApiError):
    """The range begins after the output's last byte; `length` is how many bytes there are."""

    def __init__(self, detail: str, length: int) -> None:
        super().__init__(detail)
        self.length = length


class ServerDied(ApiError):
    """The thread that accepts connections has ended by itself."""
