"""Kiswahili. PURE."""

TEXTS = {
    "payment_received": "{operator}: tumepokea {amount}{receipt}. Asante.",
    "payment_still_open": "{operator}: tumepokea {amount}{receipt}. Bado unadaiwa {open}.",
    "payment_to_wallet": "{operator}: tumepokea {amount}{receipt}. Pochi yako ina {wallet}.",
    "order_paid": "{operator}: tumepokea {amount}{receipt} ya {plan}. Asante.",
    "paid_waiting_for_site": (
        "{operator}: tumepokea {amount}{receipt}. {site} haina mtandao: {plan} itaanza ukirudi."
    ),
    "refunded": "{operator}: umerudishiwa {amount}{receipt}.",
    "auto_pay_done": "{operator}: {amount} imelipwa kwa {source}, kama ulivyokubali.",
    "auto_pay_confirm": "{operator}: benki yako inataka uthibitishe {amount}.",
    "confirm": "{link}",
    "auto_pay_failed": "{operator}: {amount} haikuweza kulipwa kwa {source}. Tafadhali lipa.",
    "staff_sign_in": (
        "Lango: {who} ameingia kwa {device}, {network}, {at}. Si wewe? Badilisha nenosiri."
    ),
    "receipt": "Risiti: {link}",
    "mail.hello": "Habari {name},",
    "mail.hello_nobody": "Habari,",
    "mail.received_subject": "Risiti {number} ya {amount}",
    "mail.received": "Tumepokea {amount}. Asante.",
    "mail.refunded_subject": "Umerudishiwa {amount}",
    "mail.auto_pay_confirm_subject": "Thibitisha {amount} kwa benki yako",
    "mail.confirm": "Thibitisha malipo",
    "mail.auto_pay_failed_subject": "{amount} haikuweza kulipwa",
    "mail.auto_pay_done_subject": "{amount} imelipwa",
    "mail.staff_sign_in_subject": "Kuingia kupya kwenye Lango",
    "mail.staff_sign_in": (
        "{who} ameingia kwa {device}, {network}, {at}. Kama si wewe, badilisha nenosiri lako na"
        " ufunge vipindi vyako vingine mara moja."
    ),
    "mail.amount": "Kiasi",
    "mail.number": "Namba ya risiti",
    "mail.rail": "Imelipwa kwa",
    "mail.rail_receipt": "Risiti yao",
    "mail.day": "Tarehe",
    "mail.wallet": "Ndani ya pochi yako",
    "mail.open": "Bado unadaiwa",
    "mail.see": "Tazama, chapisha au hifadhi risiti",
}
