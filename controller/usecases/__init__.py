"""What the controller does: each use case loads, calls the pure rule, saves, then wakes.

One message, one transaction. A use case opens `Deps.db` itself and commits at its end; only then
does it wake those who wait (`Signals`). Each is idempotent by the id that its initiator made.

- ``purchase.py``  an order becomes a payment, and a prompt on the payer's phone
- ``settle.py``    what a provider says becomes money, a grant and desired state; callback and query
- ``evidence.py``  the same rule for both roads: what may be believed, and what it changes
- ``asking.py``    a payment that is written down is asked for, once
- ``account_payments.py``  money for an account is asked for, of a friend too
- ``arrivals.py``  money that came in, by whatever road: claimed, booked, placed, assigned
- ``owners.py``    whose it is, by what the payer typed; ``odd_amounts.py`` what too little buys
- ``paybill.py``   money from payers' menus: confirmed, pulled, looked up
- ``refunds.py``   money goes back; ``giving_back.py`` its bookings, ``unselling.py`` an order's
- ``mandates.py``, ``cards.py``  consents to collect; ``collecting.py`` charges what is owed
- ``statements.py``, ``reconcile.py``  what providers say, line by line, beside the books
- ``imports.py``   what another system knew is brought over, and undone
- ``doors.py``     addresses that providers post to for ever; ``places.py`` where money lands
- ``schedule.py``  PURE: when to ask the provider again
- ``redeem.py``    a voucher becomes a grant
- ``ingest.py``    an agent's records become sessions, usage and spending
- ``sites.py``     sites, join tokens, certificates, desired state for agents
- ``plans.py``     what is for sale; that for hotspots on every site
- ``prices.py``    other amounts for a plan: for a segment, at a branch, on certain days
- ``operators.py``  who sells, its logo, and the rates of taxes
- ``branches.py``  branches of the operator
- ``subscribers.py``  who pays and is granted
- ``crediting.py``  an invoice, or an amount of it, is taken back by staff
- ``particulars.py``  PURE: names, PINs and addresses as they may be written
- ``grants.py``    give, revoke, suspend, add a device, bring to another site
- ``allowances.py``  what each site may spend of a grant unasked, and what it is told of it
- ``vouchers.py``  batches of codes, and the chunks by which sites redeem them offline
- ``redemptions.py``  codes that sites redeemed offline, also twice
- ``tokens.py``    20 digits that a site accepts with its link down: issued, sent again, redeemed
- ``token_keys.py``  the keys and slots by which a site proves and prices them
- ``phone_codes.py``  a short code by SMS proves a phone
- ``messages.py``, ``emails.py``  the outboxes of text messages and of letters
- ``delivery_reports.py``  what carriers tell later of messages
- ``paid_notices.py``  whoever paid is told
- ``faces.py``, ``works.py``  how sites present the operator; what work they announce
- ``outages.py``   sites that fall silent and come back
- ``documents.py``  invoices, credit notes and receipts are issued; each once for its cause
- ``frozen.py``    PURE: what a document prints beside its lines, as it was on the day of issue
- ``money_in.py``  money comes in for an account, and is reversed
- ``allocation.py``  wallets pay what is open, the oldest first
- ``wallets.py``   wallets are put right by staff, and give to other wallets
- ``debts.py``     parts, promises and losses of what is open
- ``dunning.py``   reminders, fees, suspensions and the recovery list, by policy
- ``reckoning.py``  how far a debt has come, and when its next step is due
- ``promotions.py``  discounts, coupons, referrals and loyalty are made and taken up
- ``rewards.py``   what they give into wallets, and take back
- ``payers.py``    whose money moves
- ``expire.py``    grants and vouchers that have come to their end
- ``agreements.py``  the terms of a subscription, and whether they can be
- ``subscriptions.py``  agreed on, served, held back, served again, ended
- ``pauses.py``, ``plan_changes.py``  by the subscriber's wish; changes are quoted to the cent
- ``placement.py``  the site and the devices of a running subscription
- ``standing.py``  what brings back what is suspended for want of money
- ``settling.py``  a part of a running period is billed, or credited
- ``billing_run.py``  what is due is billed, in batches; ``billing_preview.py`` a dry run of it
- ``billing_batch.py``  a batch: load, ask the pure rule, save in bulk
- ``invoice_rows.py``  PURE: the invoices of a batch as rows
- ``period_grants.py``  the grants of billed periods, many at once

Refusals are exceptions named as sentences; outcomes that a caller branches on are values.
"""
