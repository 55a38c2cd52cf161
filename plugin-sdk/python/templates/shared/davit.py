"""
The contract's errors, the log, and what keeps a mistake in the policy from ending the instance. Knows no kind of
plugin.
"""

import functools
import json
import traceback
from collections.abc import Callable

from componentize_py_types import Err
from wit_world.imports import log, types

U64 = 2**64 - 1


class PluginError(Err):
    """An error of the contract, with a text for people. Raise one of its kinds."""

    case: type

    def __init__(self, text: str) -> None:
        super().__init__(self.case(_sent(text)))


class Invalid(PluginError):
    """The request makes no sense."""

    case = types.Error_Invalid


class NotFound(PluginError):
    """Something that the request names does not exist."""

    case = types.Error_NotFound


class Conflict(PluginError):
    """The request collides with what is there."""

    case = types.Error_Conflict


class Denied(PluginError):
    """Policy says no."""

    case = types.Error_Denied


class Unsupported(PluginError):
    """This policy cannot do it."""

    case = types.Error_Unsupported


class Unavailable(Err):
    """Try again later: after so many milliseconds, 0 where that is unknown."""

    case = types.Error_Unavailable

    def __init__(self, text: str, retry_ms: int = 0) -> None:
        super().__init__(self.case(types.Unavailability(max(0, min(int(retry_ms), U64)), _sent(text))))


class Internal(PluginError):
    """The policy is broken."""

    case = types.Error_Internal


class Other(PluginError):
    """Anything else."""

    case = types.Error_Other


CASES = tuple(kind.case for kind in (Invalid, NotFound, Conflict, Denied, Unsupported, Unavailable, Internal, Other))

# Functions that answer a text. What else they answered would end the instance while it is handed to the host.
TEXTS = ("commit_layer", "promote")


def _sent(text: object) -> str:
    """As a text of the contract, which is Unicode without lone surrogates."""
    return str(text).encode("utf-8", "replace").decode()


def quoted(text: str) -> str:
    """A text between quotation marks, for messages."""
    return json.dumps(text, ensure_ascii=False)


def info(text: str) -> None:
    """A line for the operator in the plugin's log."""
    log.write(log.Level.INFO, _sent(text))


def warn(text: str) -> None:
    """A line in the plugin's log about something to look at."""
    log.write(log.Level.WARN, _sent(text))


def guarded(exported: type) -> type:
    """
    Makes the functions of an exported interface safe: an error of the contract goes to the host as it is, every other
    exception becomes `internal` with its text, and its traceback goes to the log.
    """
    for name, function in list(vars(exported).items()):
        if callable(function) and not name.startswith("_"):
            setattr(exported, name, _guard(name, function))
    return exported


def _guard(name: str, function: Callable) -> Callable:
    @functools.wraps(function)
    def safe(*args):
        try:
            answer = function(*args)
            if name in TEXTS and not isinstance(answer, str):
                raise Internal(f"{name} answers a text, not {type(answer).__name__}")
            return answer
        except BaseException as error:
            value = getattr(error, "value", None)
            if not isinstance(error, Err) or type(value) not in CASES:
                warn(f"{name}: {traceback.format_exc()}")
                value = types.Error_Internal(_sent(f"{type(error).__name__}: {error}"))
            # What is raised to the host has to be an `Err` itself; of a class made from it the interpreter dies.
            raise Err(value) from None

    return safe
