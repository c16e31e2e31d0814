"""The price list: what the operations of the Mana apps cost, in credits. Local-first work is free, so not in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.errors import OperationNotUsable, PriceDisagrees, UnknownOperation
from domain.units import Credits

QUANTITY_MAX: Final = 10_000


class Category(StrEnum):
    """What kind of operation it is."""

    AI = "ai"
    PREMIUM = "premium"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that costs credits.

    Attributes:
        app: The app it belongs to; `general` is any.
        credits: What one `unit` of it costs.
        usable: Whether it is paid by `use`; what a subscription charges is not.
    """

    operation: str
    category: Category
    app: str
    credits: Credits
    unit: str
    usable: bool = True


def _ai(operation: str, app: str, credit_count: int, unit: str = "request") -> Operation:
    return Operation(operation=operation, category=Category.AI, app=app, credits=Credits(credit_count), unit=unit)


def _premium(operation: str, app: str, credit_count: int, unit: str, *, usable: bool = True) -> Operation:
    return Operation(
        operation=operation,
        category=Category.PREMIUM,
        app=app,
        credits=Credits(credit_count),
        unit=unit,
        usable=usable,
    )


OPERATIONS: Final = (
    _ai("ai_chat_gpt4", "chat", 5),
    _ai("ai_chat_claude", "chat", 5),
    _ai("ai_chat_gemini", "chat", 2),
    _ai("ai_chat_qwen", "chat", 2),
    _ai("ai_image_generation", "picture", 10, "image"),
    _ai("ai_image_upscale", "picture", 5, "image"),
    _ai("ai_research_quick", "research", 5),
    _ai("ai_research_deep", "research", 25),
    _ai("ai_food_analysis", "food", 3),
    _ai("ai_deck_generation", "decks", 20, "deck"),
    _ai("ai_card_generation", "decks", 2, "card"),
    _ai("ai_quote_explanation", "quotes", 2),
    _ai("ai_plant_analysis", "plants", 2),
    _ai("ai_guide_generation", "guides", 5, "guide"),
    _ai("ai_context_generation", "context", 2),
    _ai("ai_smart_scheduling", "calendar", 2),
    _ai("ai_suggestions", "general", 2),
    _ai("ai_enrichment", "general", 2),
    _premium("pdf_export", "general", 1, "export"),
    _premium("bulk_import", "general", 1, "50 items"),
    _premium("premium_theme", "general", 3, "theme"),
    _premium("cloud_sync", "sync", 30, "month", usable=False),
)

_BY_NAME: Final[Mapping[str, Operation]] = {listed.operation: listed for listed in OPERATIONS}


def price(operation: str, quantity: int, *, amount: int | None = None) -> Credits:
    """Tell what `quantity` units of an operation cost.

    Args:
        quantity: Units, 1 to `QUANTITY_MAX`; the unit of `bulk_import` is 50 items.
        amount: The price that the client expects, in credits; `None` if it names none.

    Raises:
        UnknownOperation: it is not in the price list.
        OperationNotUsable: it is charged by a subscription, not by use.
        PriceDisagrees: `amount` is not the price.
    """
    listed = _BY_NAME.get(operation)
    if listed is None:
        raise UnknownOperation
    if not listed.usable:
        raise OperationNotUsable
    cost = Credits(listed.credits * quantity)
    if amount is not None and amount != cost:
        raise PriceDisagrees(amount=amount, price=cost)
    return cost
