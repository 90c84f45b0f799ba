#!/usr/bin/env python3
"""Shows the differences between the table of models and LiteLLM's price list.

Usage: compare_prices.py PRICES.json [MODELS.json]

PRICES.json is model_prices_and_context_window_backup.json from the PyPI package litellm. MODELS.json is the built-in
table unless given. Exits with 1 if there are differences. Not every difference is an error: see `source` in the table.
"""

import json
import sys
from datetime import date
from pathlib import Path

BUILT_IN = Path(__file__).parent.parent / "src" / "providers" / "models.json"

# LiteLLM's field for each of our rates, and its suffix above a number of input tokens.
RATES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
}


def entry(prices, name):
    """LiteLLM's entry for a model of ours."""
    prefixes = ("gemini/", "") if name.startswith("gemini-") else ("",)
    return next((prices[prefix + name] for prefix in prefixes if prefix + name in prices), None)


def dollars(theirs, field):
    """A price of LiteLLM in US dollars per million tokens."""
    value = theirs.get(field)
    return None if value is None else round(value * 1e6, 6)


def price_on(model, today):
    """Our price of a model on a day."""
    changes = sorted(day for day in model.get("price_changes", {}) if day <= today)
    return model["price_changes"][changes[-1]] if changes else model["price"]


def differences(model, theirs, today):
    """The differences between our entry and LiteLLM's, as (what, ours, theirs)."""
    price = price_on(model, today)
    for rate, field in RATES.items():
        # OpenAI has no cache that lives for an hour at a price of its own.
        if rate == "cache_write_1h" and field not in theirs:
            continue
        yield rate, price["base"].get(rate), dollars(theirs, field)
    if "long" in price:
        above = f"_above_{price['long']['above'] // 1000}k_tokens"
        for rate, field in RATES.items():
            if field + above in theirs:
                yield f"{rate} of long prompts", price["long"]["rates"].get(rate), dollars(theirs, field + above)
    elif any(field.startswith("input_cost_per_token_above_") and "_tokens" in field for field in theirs):
        yield "long prompts", None, "have prices of their own"
    yield "max_output_tokens", model.get("max_output_tokens"), theirs.get("max_output_tokens")
    yield "retired", model.get("retired", {}).get("on"), theirs.get("deprecation_date")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    prices = json.loads(Path(sys.argv[1]).read_text())
    models = json.loads(Path(sys.argv[2] if len(sys.argv) == 3 else BUILT_IN).read_text())["models"]
    today = date.today().isoformat()
    found = 0
    for model in models:
        theirs = entry(prices, model["name"])
        if theirs is None:
            print(f"{model['name']}: not in LiteLLM's list")
            found += 1
            continue
        for what, ours, other in differences(model, theirs, today):
            if ours != other:
                print(f"{model['name']}: {what}: {ours} here, {other} there")
                found += 1
    print(f"{len(models)} models, {found} differences", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
