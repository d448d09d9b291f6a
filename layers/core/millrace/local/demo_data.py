"""The data of the demo service: a small shop, made up for this project, the same on every start."""

from __future__ import annotations

from typing import Any, Final

_PEOPLE: Final = (
    ("Alma Verbeke", "alma", "Ghent", "gold"),
    ("Bashir Okonjo", "bashir", "Lagos", "silver"),
    ("Carla Montferrat", "carla", "Turin", "gold"),
    ("Dimo Halvorsen", "dimo", "Bergen", "bronze"),
    ("Esi Tanaka", "esi", "Osaka", "silver"),
    ("Farid Lindqvist", "farid", "Malmö", "bronze"),
    ("Greta Nakamura", "greta", "Zürich", "gold"),
    ("Hamza Delacroix", "hamza", "Lyon", "silver"),
    ("Ines Petrov", "ines", "Porto", "bronze"),
    ("Jonas Achterberg", "jonas", "Utrecht", "gold"),
)
_SUBJECTS: Final = ("A slow morning", "Notes on packing", "What arrived today")
_GOODS: Final = (
    ("kettle", "Kettle, enamel", 3990, 12),
    ("lamp", "Desk lamp", 5450, 0),
    ("mug", "Mug, stoneware", 1250, 140),
    ("notebook", "Notebook, ruled", 690, 58),
    ("stool", "Stool, beech", 8900, 4),
)

USERS: Final[dict[int, dict[str, Any]]] = {
    number: {
        "id": number,
        "name": name,
        "email": f"{handle}@shop.example",
        "city": city,
        "tier": tier,
        "active": number % 4 != 0,
    }
    for number, (name, handle, city, tier) in enumerate(_PEOPLE, 1)
}

POSTS: Final[list[dict[str, Any]]] = [
    {
        "id": (user - 1) * len(_SUBJECTS) + place,
        "userId": user,
        "title": subject,
        "words": 80 + 35 * ((user * place) % 7),
        "tags": ["daily"] if place == 1 else ["shop", "work"][: place - 1],
    }
    for user in USERS
    for place, subject in enumerate(_SUBJECTS, 1)
]

INVENTORY: Final[dict[str, dict[str, Any]]] = {
    sku: {"sku": sku, "title": title, "priceCents": price, "stock": stock} for sku, title, price, stock in _GOODS
}


def _order(number: int) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for place in range(1 + number % 3):
        sku, _, price, _ = _GOODS[(number + 2 * place) % len(_GOODS)]
        lines.append({"sku": sku, "quantity": 1 + (number + place) % 4, "priceCents": price})
    return {
        "id": number,
        "userId": 1 + number % len(USERS),
        "status": "open",
        "lines": lines,
        "totalCents": sum(line["quantity"] * line["priceCents"] for line in lines),
        "currency": "EUR",
    }


ORDERS: Final[dict[int, dict[str, Any]]] = {number: _order(number) for number in range(1, 21)}
