"""What is said about a customer who is not online: plain sentences, and what to do. PURE.

The sentences are English; in braces stands what the case fills in. Pages say them in other
languages by the whole sentence.
"""

from __future__ import annotations

_AGAIN = "Send the prompt again, or let them pay to the PayBill."
_BUY = "They buy again, or you give them access."

SAYS: dict[str, tuple[str, str]] = {
    "paid": ("{amount} was paid at {at}.", ""),
    "granted_before_money": ("Access was given before the money of {amount} was confirmed.", ""),
    "given_by_staff": ("Staff gave it: nothing is to be paid.", ""),
    "given_by_code": ("A voucher or a token paid for it.", ""),
    "bought_free": ("The plan is free.", ""),
    "paid_until": ("The subscription is paid until {until}.", ""),
    "nothing_owed": ("Nothing is overdue.", ""),
    "never_paid": (
        "Nothing was ever bought by this customer.",
        "Let them buy a plan, or give them access.",
    ),
    "unplaced": (
        "{amount} came in {ago} (receipt {receipt}), and nobody could tell whose it is.",
        "Open the payment in Exceptions and match it to this customer.",
    ),
    "refused": ("The payment of {amount} was refused {ago}.", _AGAIN),
    "refused_no_balance": (
        "The payment of {amount} was refused {ago}: too little money on the phone.",
        "Let them top up, or take a smaller plan.",
    ),
    "refused_cancelled": ("They cancelled the prompt for {amount} {ago}.", _AGAIN),
    "refused_no_reply": (
        "The phone did not answer the prompt for {amount} {ago}.",
        "Is the phone on, and near? Then send the prompt again.",
    ),
    "refused_wrong_pin": ("A wrong PIN was typed for {amount} {ago}.", _AGAIN),
    "refused_line_busy": (
        "Another prompt was open on the phone when {amount} was asked for {ago}.",
        "Wait a minute, then send the prompt again.",
    ),
    "refused_provider_slow": ("The provider was too slow for {amount} {ago}.", _AGAIN),
    "refused_limit": (
        "The payment of {amount} was over a limit of the payer {ago}.",
        "Let them pay from another phone, or a smaller amount.",
    ),
    "refused_our_side": (
        "Our own payment account refused {amount} {ago}.",
        "Look at System: keys and shortcode of the provider.",
    ),
    "not_asked": (
        "The prompt for {amount} never left us {ago}. Nothing was charged.",
        "Send the prompt again.",
    ),
    "unsure": (
        "Whether {amount} was paid {ago} is not known: the provider gave no answer.",
        "Ask for the receipt in their SMS, and look for it in Payments. Never say that it failed.",
    ),
    "being_asked": (
        "{amount} was asked for {ago}; the phone has not answered yet.",
        "Let them enter their PIN. It settles by itself.",
    ),
    "held_debt": ("An invoice is overdue, so the subscription is stopped.", "Take the payment."),
    "held_debt_amount": (
        "An invoice is overdue, so the subscription is stopped. {amount} brings it back.",
        "Ask for {amount}. Access comes back by itself when it is paid.",
    ),
    "held_unpaid": ("The wallet does not hold the next period.", "Take the payment."),
    "held_unpaid_amount": (
        "The wallet does not hold the next period. {amount} brings it back.",
        "Ask for {amount}. Access comes back by itself when it is paid.",
    ),
    "held_staff": (
        "Staff stopped the subscription; no money changes that.",
        "Ask who stopped it, and resume it: lango subscription resume {id}",
    ),
    "paused": ("The customer paused the subscription until {resumes}.", "Resume it if they ask."),
    "not_begun": ("The subscription begins on {begins}.", "Nothing: it begins by itself."),
    "contract_ended": ("The subscription has ended.", "Make a new subscription."),
    "active_without_grant": (
        "The subscription is active, and its period has no grant.",
        "Run the billing, and look at its log: this should not be.",
    ),
    "no_grant_yet": ("Nothing was granted, for nothing is paid.", ""),
    "grant_follows": ("It was paid {ago}; access follows.", ""),
    "paid_without_grant": (
        "It was paid {ago}, and no access was given.",
        "Give them access, and look at the payment: this should not be.",
    ),
    "ended": ("{plan} ended at {ended}.", _BUY),
    "ended_time": ("The time of {plan} was used up at {ended}.", _BUY),
    "ended_data": ("The data of {plan} was used up at {ended}.", _BUY),
    "ended_renewed": ("{plan} was followed by its next period at {ended}.", ""),
    "ended_revoked": ("Staff ended {plan} at {ended}.", "Ask who ended it and why. " + _BUY),
    "suspended": (
        "The grant has been suspended since {suspended}: nothing passes.",
        "Resume it when the reason is gone.",
    ),
    "granted_until": ("The grant is good until {valid until}.", ""),
    "granted": ("The grant is good.", ""),
    "granted_unused": ("The grant is good; its time begins with the first access.", ""),
    "nothing_to_apply": ("There is nothing that a site would have to apply.", ""),
    "site_not_told": (
        "The site {site} is not told of this grant.",
        "Suspend and resume the grant (or its subscription): that tells the site anew.",
    ),
    "applied": ("{site} has applied generation {theirs}; the grant came with {ours}.", ""),
    "being_applied": ("{site} is applying it just now.", ""),
    "not_applied": (
        "{site} answers, but has applied generation {theirs} only; the grant came with {ours}.",
        "Look at the notices of {site}: it may be refusing its state. Restart the agent there.",
    ),
    "not_applied_silent": (
        "{site} has not taken the grant: it has been silent for {ago}.",
        "Get the link of {site} back. The grant is applied as soon as it answers.",
    ),
    "not_applied_never": (
        "{site} has not taken the grant: it has never reported.",
        "Join it: lango site join-token SITE",
    ),
    "no_session_possible": ("Without a grant there is no session.", ""),
    "session_untold": ("{site} is silent: whether a session is open cannot be known.", ""),
    "never_opened": (
        "No device has used the grant yet. {devices} may.",
        "Let them join the Wi-Fi and open any page. A new phone joins with the receipt or code.",
    ),
    "never_dialled": (
        "Nobody has dialled in as {login} yet.",
        "Look at name and password in their router. Their page here makes a new password.",
    ),
    "line_ended": (
        "The line of {login} ended at {at}.",
        "Has their router power, a cable, the right password? lango-agent status at {site} helps.",
    ),
    "open": ("{mac} has a session, open since {opened}.", ""),
    "closed": (
        "The last session, of {mac}, closed at {at}.",
        "Let them reconnect to the Wi-Fi and open any page.",
    ),
    "closed_idle": (
        "{mac} was silent for ten minutes, and its session closed at {at}.",
        "Let them wake the device, check that Wi-Fi is on, and open any page.",
    ),
    "closed_left": (
        "The customer logged {mac} off at {at}.",
        "Let them open the portal and connect again.",
    ),
    "closed_moved": (
        "Access moved from {mac} to another device at {at}.",
        "Let them move it back on the portal, or buy for this device too.",
    ),
    "closed_revoked": ("The session of {mac} was ended by us at {at}.", "See the grant above."),
    "closed_time": ("The session of {mac} ended at {at}: its time was up.", _BUY),
    "closed_data": ("The session of {mac} ended at {at}: its data was used up.", _BUY),
    "nothing_counted": ("Without an open session nothing is counted.", ""),
    "counters_untold": ("The site is silent: its last reading is of {ago}.", ""),
    "moving": ("The kernel counts: {down} down, {up} up, last reading {ago}.", ""),
    "just_opened": ("The session has just opened: too early to judge.", ""),
    "no_byte": (
        "The session is open, and not one byte has passed.",
        "Let {mac} forget the Wi-Fi and join again: it may have an old address. Then probe arp.",
    ),
    "only_up": (
        "{mac} sends ({up}), and nothing comes back.",
        "Look at the uplink of the site: lango probe SITE trace --wait, then dns.",
    ),
    "still": (
        "Nothing has moved since the last reading {ago} ({down} down, {up} up).",
        "The device sleeps or is out of reach: let them open a page, nearer to the access point.",
    ),
    "no_site": ("No site has to do with it.", ""),
    "heard": ("{site} reported {ago} ago.", ""),
    "silent": (
        "Nothing has been heard of {site} for {ago}, since {at}.",
        "Power and uplink of {site}: call somebody there. Customers with access keep it meanwhile.",
    ),
    "never_joined": (
        "{site} has never reported.",
        "Join it: lango site join-token SITE",
    ),
}
"""What each finding says, and what to do about it; in braces what the case fills in."""
