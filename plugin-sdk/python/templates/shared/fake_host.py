"""
A small fake of the host, for `python3 -m unittest`: the modules that componentize-py makes out of the contract, as far
as the policy imports them, and objects that write down what the policy did with them. The test imports it in front of
the policy.
"""

import enum
import sys
import types
from dataclasses import dataclass, make_dataclass
from typing import Any


class Err(Exception):
    """An error of the contract, as componentize-py raises and catches it."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


@dataclass
class Unavailability:
    retry_ms: int
    message: str


class Fake:
    """
    An object with every method that there could be: each writes its name and arguments into `calls` and answers what
    was said for it, a value or a function.
    """

    def __init__(self, **answers: Any) -> None:
        self.calls: list = []
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        def method(*args: Any) -> Any:
            self.calls.append((name, *args))
            answer = self._answers.get(name)
            return answer(*args) if callable(answer) else answer

        return method


# What the fake answers, and what it was told. `reset` empties it.
config: dict[str, str] = {}
lines: list[tuple[str, str]] = []
requests: list[Fake] = []
responses: list[Fake] = []


def reset() -> None:
    for kept in (config, lines, requests, responses):
        kept.clear()


def request(method: str, url: str) -> Fake:
    made = Fake(send=lambda: responses.pop(0))
    made.calls.append((method, url))
    requests.append(made)
    return made


def refused(call: Any, *args: Any, **named: Any) -> Any:
    """The error of the contract that a call ends with. As in the component, a class made from `Err` would not do."""
    try:
        call(*args, **named)
    except Exception as error:
        if type(error) is Err:
            return error.value
        raise AssertionError("the call ends with what is no error of the contract") from error
    raise AssertionError("the call was not refused")


def failing(value: Any) -> Any:
    """A function that raises an error as the host does."""

    def fail(*_: Any) -> None:
        raise Err(value)

    return fail


def error(name: str) -> type:
    """One case of the contract's error."""
    return make_dataclass(name, [("value", Any)])


def module(name: str, **members: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(members)
    sys.modules[name] = made
    return made


KINDS = ["Invalid", "NotFound", "Conflict", "Denied", "Unsupported", "Unavailable", "Internal", "Other"]
CASES = [f"Error_{kind}" for kind in KINDS]
INTERFACES = ["Driver", "Authenticator", "Resolver", "Verifier"]
HOOKS = ["Mutate", "Admit", "BeforeStart", "AfterExit", "Observe"]
Level = enum.Enum("Level", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"])

module("componentize_py_types", Err=Err)
module(
    "wit_world.imports",
    config=module("wit_world.imports.config", get=config.get),
    host=module("wit_world.imports.host"),
    http=module("wit_world.imports.http", Request=request),
    secrets=module("wit_world.imports.secrets"),
    log=module("wit_world.imports.log", Level=Level, write=lambda level, text: lines.append((level.name, text))),
    types=module("wit_world.imports.types", Unavailability=Unavailability, **{name: error(name) for name in CASES}),
)
exports = module("wit_world.exports", **{name: type(name, (), {}) for name in INTERFACES + HOOKS})
module("wit_world", exports=exports, imports=sys.modules["wit_world.imports"])
