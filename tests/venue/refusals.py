"""Why an order is not taken, before a venue says it in its own words."""

from enum import Enum


class No(Enum):
    SYMBOL = "no such instrument"
    CANCEL_ONLY = "the instrument is halted"
    PRICE = "the price is off the grid, missing, or too many"
    QUANTITY = "the quantity is off the grid"
    QUANTITY_MIN = "the quantity is too small"
    NOTIONAL_MIN = "the notional is too small"
    FUNDS = "the free balance does not cover it"
    DUPLICATE = "an open order has this client id"
    TOO_MANY = "too many open orders"
    POST_ONLY = "it would take"
    UNKNOWN = "no such open order"
    LATE = "its trigger is reached already"
    TERMS = "terms that cannot be"


class Refused(Exception):
    def __init__(self, why: No) -> None:
        super().__init__(why.value)
        self.why = why
