"""Compares JSON responses with the members that stripe-python's typed objects annotate."""

import types
import typing
from collections.abc import Iterator
from typing import Any

import stripe
from stripe import ErrorObject, StripeObject
from stripe._object_classes import get_object_class
from stripe._stripe_object import UntypedStripeObject


def unknown_members(value: Any, annotation: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each member of a JSON value that the annotation does not have or does not allow."""
    options = list(_options(annotation))
    match value:
        case dict():
            yield from _of_object(value, options, path)
        case list():
            yield from _of_list(value, options, path)
        case None:
            if type(None) not in options and Any not in options:
                yield f"{path}: null"
        case _:
            if not any(_allows(option, value) for option in options):
                yield f"{path}: {value!r}"


def class_of(value: dict[str, Any]) -> type[StripeObject]:
    """Return the typed class of an API object, by its `object` member."""
    return get_object_class("V1", value["object"])


def _of_object(value: dict[str, Any], options: list[Any], path: str) -> Iterator[str]:
    if Any in options or any(typing.get_origin(option) is UntypedStripeObject for option in options):
        return
    classes = [option for option in options if isinstance(option, type) and issubclass(option, StripeObject)]
    lists = [option for option in options if typing.get_origin(option) is stripe.ListObject]
    if lists:
        for index, member in enumerate(value["data"]):
            yield from unknown_members(member, typing.get_args(lists[0])[0], f"{path}.data[{index}]")
        return
    if not classes:
        yield f"{path}: an object"
        return
    members = annotations(classes[0])
    for name, member in value.items():
        if name in members:
            yield from unknown_members(member, members[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def _of_list(values: list[Any], options: list[Any], path: str) -> Iterator[str]:
    lists = [option for option in options if typing.get_origin(option) is list]
    if not lists:
        yield f"{path}: a list"
        return
    for index, member in enumerate(values):
        yield from unknown_members(member, typing.get_args(lists[0])[0], f"{path}[{index}]")


def annotations(cls: type[StripeObject]) -> dict[str, Any]:
    """Return the annotated members of a typed class."""
    return {name: kind for name, kind in cls.__annotations__.items() if not name.startswith(("_", "OBJECT_NAME"))}


def _options(annotation: Any) -> Iterator[Any]:
    """Yield the types of an annotation: the members of unions, and the targets of forward references."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        # An alias inside the library becomes `StripeObject`, which has no members, so an object under it is reported.
        annotation = getattr(stripe, annotation, StripeObject)
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        for option in typing.get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def _allows(option: Any, value: object) -> bool:
    if typing.get_origin(option) is typing.Literal:
        return value in typing.get_args(option)
    if option is Any:
        return True
    if isinstance(option, type) and option.__name__ == "Decimal":
        return isinstance(value, str)
    return isinstance(option, type) and isinstance(value, option) and (option is bool or not isinstance(value, bool))


__all__ = ["ErrorObject", "annotations", "class_of", "unknown_members"]
