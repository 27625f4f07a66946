"""What the columns of a customer are called within a sentence."""

from __future__ import annotations

from config.sentences import say

COLUMNS = {
    "external_id": say("external id"),
    "name": say("name"),
    "company": say("company"),
    "email": say("email"),
    "address": say("address"),
    "note": say("note"),
    "photo": say("photo"),
    "debt_minor": say("debt"),
    "currency": say("currency"),
    "manager_id": say("manager"),
}
