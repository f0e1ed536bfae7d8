"""English. PURE."""

TEXTS = {
    "payment_received": "{operator}: {amount} received{receipt}. Thank you.",
    "payment_still_open": "{operator}: {amount} received{receipt}. {open} is still open.",
    "payment_to_wallet": "{operator}: {amount} received{receipt}. Your wallet holds {wallet}.",
    "order_paid": "{operator}: {amount} received{receipt} for {plan}. Thank you.",
    "paid_waiting_for_site": (
        "{operator}: {amount} received{receipt}. {site} is offline: {plan} starts once it is back."
    ),
    "refunded": "{operator}: {amount} was sent back to you{receipt}.",
    "auto_pay_done": "{operator}: {amount} was paid by {source}, as agreed. Thank you.",
    "auto_pay_confirm": "{operator}: your bank wants you to confirm {amount}.",
    "confirm": "{link}",
    "auto_pay_failed": "{operator}: {amount} could not be taken by {source}. Please pay it.",
    "staff_sign_in": (
        "Lango: {who} signed in from {device}, {network}, {at}. Not you? Change your password."
    ),
    "receipt": "Receipt: {link}",
    "mail.hello": "Hello {name},",
    "mail.hello_nobody": "Hello,",
    "mail.received_subject": "Receipt {number} for {amount}",
    "mail.received": "We received {amount}. Thank you.",
    "mail.refunded_subject": "{amount} was sent back to you",
    "mail.auto_pay_confirm_subject": "Confirm {amount} with your bank",
    "mail.confirm": "Confirm the payment",
    "mail.auto_pay_failed_subject": "{amount} could not be taken",
    "mail.auto_pay_done_subject": "{amount} was paid",
    "mail.staff_sign_in_subject": "New sign-in to Lango",
    "mail.staff_sign_in": (
        "{who} signed in from {device}, {network}, {at}. If it was not you, change your password"
        " and end your other sessions at once."
    ),
    "mail.amount": "Amount",
    "mail.number": "Receipt number",
    "mail.rail": "Paid by",
    "mail.rail_receipt": "Their receipt",
    "mail.day": "Date",
    "mail.wallet": "In your wallet",
    "mail.open": "Still open",
    "mail.see": "See, print or keep the receipt",
}
