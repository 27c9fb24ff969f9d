"""A request as the JSON that is sealed, and back."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from anruflotse.rights.model import Request

VERSION = 1
"""Of the shape. A request lives for years: a later version has to read this one."""


def pack(request: Request) -> dict[str, object]:
    """The request as shapes of JSON."""
    return {"v": VERSION, "request": _packed(request)}


def unpack(body: Mapping[str, object]) -> Request:
    """The request as it was packed. Raises `ValueError` for the shape of a later version, or none at all."""
    try:
        if body["v"] != VERSION:
            message = "This request was written by a later version of the software: use that one."
            raise ValueError(message)
        return typing.cast("Request", _unpacked(body["request"], Request))
    except (LookupError, TypeError, AttributeError):
        message = "What is stored of this request has a shape no request has."
        raise ValueError(message) from None


def _packed(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {one.name: _packed(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_packed(one) for one in value]
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, StrEnum) else value


def _unpacked(value: Any, kind: Any) -> object:  # noqa: ANN401 - one line for every shape there is
    arguments = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        inner = next(one for one in arguments if one is not types.NoneType)
        return None if value is None else _unpacked(value, inner)
    if typing.get_origin(kind) is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_unpacked(one, inner) for one, inner in zip(value, kinds, strict=True))
    if typing.get_origin(kind) is Mapping:
        return {str(key): str(told) for key, told in value.items()}
    if kind in {datetime, date}:
        return kind.fromisoformat(value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        # A field that is newer than what is stored takes its default.
        given = [one.name for one in dataclasses.fields(kind) if one.name in value]
        return typing.cast("type", kind)(**{name: _unpacked(value[name], hints[name]) for name in given})
    return kind(value)
