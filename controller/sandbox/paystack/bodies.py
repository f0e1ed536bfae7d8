"""Answers and events as Paystack writes them. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from controller.sandbox.paystack.bank import Dispute, Payment, Refund

SIGNATURE_OF_CARD = "SIG_{}"


def fine(message: str, data: object) -> dict[str, Any]:
    """Paystack's envelope of a success."""
    return {"status": True, "message": message, "data": data}


def transaction(payment: Payment, *, status: str | None = None) -> dict[str, Any]:
    """A transaction, as verify and events show it."""
    asked, held = payment.asked, payment.authorisation
    authorisation: dict[str, Any] = {}
    if held is not None:
        card = held.typed.card
        authorisation = {
            "authorization_code": held.code,
            "bin": card.number[:6],
            "last4": card.number[-4:],
            "exp_month": held.typed.exp_month,
            "exp_year": held.typed.exp_year,
            "channel": "card",
            "card_type": f"{card.brand} ",
            "brand": card.brand,
            "bank": "TEST BANK",
            "country_code": "KE",
            "reusable": held.reusable,
            "signature": SIGNATURE_OF_CARD.format(card.number[-8:]),
        }
    return {
        "id": payment.id,
        "domain": "test",
        "status": status or payment.status,
        "reference": asked.reference,
        "amount": asked.amount,
        "message": None,
        "gateway_response": payment.gateway_response or "The transaction was not completed",
        "paid_at": _stamp(payment.paid_at),
        "created_at": _stamp(payment.asked_at),
        "channel": "card",
        "currency": asked.currency,
        "metadata": asked.metadata,
        "fees": None,
        "customer": {"id": payment.id % 100_000, "email": asked.email, "phone": None},
        "authorization": authorisation,
    }


def refund(told: Refund) -> dict[str, Any]:
    """A refund, as its doors show it; the payment inside by its number."""
    return {
        "id": told.id,
        "integration": 100_001,
        "transaction": told.payment.id,
        "domain": "test",
        "amount": told.amount,
        "currency": told.payment.asked.currency,
        "channel": "card",
        "status": told.status,
        "fully_deducted": told.amount == told.payment.asked.amount,
        "merchant_note": told.merchant_note,
        "customer_note": told.customer_note,
        "refunded_by": "api",
        "createdAt": _stamp(told.created_at),
    }


def created_refund(told: Refund) -> dict[str, Any]:
    """A refund just taken: here the whole payment stands inside."""
    return {**refund(told), "transaction": transaction(told.payment)}


def refund_event(told: Refund) -> dict[str, Any]:
    """What an event of a refund holds: the payment's reference, and no number of the refund.

    The amount is a text here.
    """
    done = told.status == "processed"
    return {
        "status": told.status,
        "transaction_reference": told.payment.asked.reference,
        "refund_reference": f"TRF_{told.id}" if done else None,
        "amount": str(told.amount),
        "currency": told.payment.asked.currency,
        "processor": "card",
        "customer": {"email": told.payment.asked.email},
        "integration": 100_001,
        "domain": "test",
    }


def dispute(told: Dispute) -> dict[str, Any]:
    """A dispute, with its whole payment inside."""
    return {
        "id": told.id,
        "refund_amount": told.amount,
        "currency": told.payment.asked.currency,
        "status": "resolved" if told.resolution else "awaiting-merchant-feedback",
        "resolution": told.resolution,
        "domain": "test",
        "transaction": transaction(told.payment),
        "category": "chargeback",
        "dueAt": _stamp(told.due_at),
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
