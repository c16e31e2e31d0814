"""The price list."""

import pytest

from domain.errors import OperationNotUsable, PriceDisagrees, UnknownOperation
from domain.rules.prices import OPERATIONS, price


def test_the_price_list_is_the_contracts() -> None:
    assert {price.operation: price.credits for price in OPERATIONS} == {
        "ai_chat_gpt4": 5,
        "ai_chat_claude": 5,
        "ai_chat_gemini": 2,
        "ai_chat_qwen": 2,
        "ai_image_generation": 10,
        "ai_image_upscale": 5,
        "ai_research_quick": 5,
        "ai_research_deep": 25,
        "ai_food_analysis": 3,
        "ai_deck_generation": 20,
        "ai_card_generation": 2,
        "ai_quote_explanation": 2,
        "ai_plant_analysis": 2,
        "ai_guide_generation": 5,
        "ai_context_generation": 2,
        "ai_smart_scheduling": 2,
        "ai_suggestions": 2,
        "ai_enrichment": 2,
        "pdf_export": 1,
        "bulk_import": 1,
        "premium_theme": 3,
        "cloud_sync": 30,
    }


def test_a_price_is_times_the_quantity() -> None:
    assert price("ai_card_generation", 12) == 24
    assert price("ai_card_generation", 12, amount=24) == 24


def test_what_has_no_price_here_is_refused() -> None:
    with pytest.raises(UnknownOperation):
        price("crud", 1)
    with pytest.raises(OperationNotUsable):
        price("cloud_sync", 1)
    with pytest.raises(PriceDisagrees):
        price("ai_chat_gpt4", 1, amount=4)
