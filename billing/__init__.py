"""The money rules: what is owed, what was bought, what is left. PURE, every file.

Standard library only; no async, no clock, no input or output, no ORM, no float. Time is an
argument. Amounts are integers of minor units. The same quota rule runs at the controller and at
every site, so the two can never disagree about what a grant still allows.

Files:

- ``ids.py``       typed identifiers
- ``errors.py``    the tree of refusals
- ``money.py``     Money and the one rounding function, ``split``
- ``msisdn.py``    phone numbers as M-PESA wants them, and how they are masked
- ``plan.py``      what is for sale
- ``grant.py``     the right to use, bought or given
- ``metering.py``  readings in, usage out
- ``quota.py``     what a grant has left: the one quota rule, and the slices that sites are handed
- ``speed.py``     how fast a grant is now: rate, fair-use steps, hours
- ``ledger.py``    postings and transactions
- ``accounts.py``  the names of the ledger's accounts
- ``period.py``    cycles and periods of subscriptions, in the calendar of Nairobi
- ``subscription.py``  the life of a subscription as a state machine
- ``price.py``     what a plan costs whom, where and when
- ``proration.py`` what a part of a period costs
- ``rating.py``    what volume costs: graduated, package and volume tariffs
- ``charge.py``    what a subscription costs: lines for parts of periods, and for volume
- ``run.py``       what all that is due of a subscriber comes to: run, preview and single case
- ``change.py``    what a change of plan comes to
- ``tax.py``       excise and VAT, by dated rates
- ``invoice.py``   lines of documents, and what they move in the ledger
- ``crediting.py``  what a credit note of an amount stands for
- ``sale.py``      the same of a sale that is paid at once
- ``promo.py``     discounts and coupons, referral and loyalty rewards
- ``scope.py``     for what, for whom, where and when a promotion is
- ``dunning.py``   what happens to an invoice that is not paid, and when
- ``instalment.py``  a debt that is paid in parts
- ``ageing.py``    how old debts are
- ``written.py``   terms that are kept as JSON text, read strictly
- ``payment.py``   the life of a payment as a state machine
- ``voucher.py``   prepaid codes: alphabet, check character, normal form
- ``token.py``     activation tokens: 20 digits that a site accepts with its link down
- ``proof.py``     by which code a device may join a grant
- ``receipt.py``   what a payer can show: the code in the M-PESA message
- ``matching.py``  whose money it is, when nothing exact says so
- ``reconciling.py``  what a provider's statement tells against what our books say

Nothing in here imports anything else of ours.
"""
