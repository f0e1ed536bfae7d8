"""What a controller does: what sites ask of it, and what it looks after by itself.

It stands apart from the doors, so that who only works need not wait for their imports.
"""

from __future__ import annotations

from controller.edge.dispatch import Verbs
from controller.edge.watch import Watch
from controller.jobs import Job
from controller.usecases import alerts, sites, works
from controller.usecases.arrivals import place_due
from controller.usecases.audit import seal_due, tell_head
from controller.usecases.backups import backup_due, trial_due
from controller.usecases.billing_run import bill_due
from controller.usecases.collecting import collect_due
from controller.usecases.dunning import dun_due
from controller.usecases.emails import send_due as send_emails_due
from controller.usecases.expire import expire_due
from controller.usecases.ingest import ingest
from controller.usecases.maintenance import tell_due
from controller.usecases.messages import send_due
from controller.usecases.outage_credits import book_due as book_due_credits
from controller.usecases.outages import SilenceWatch
from controller.usecases.paybill import balance_due, confirm_due, pull_due, register_due
from controller.usecases.phone_codes import join_by_phone, send_code
from controller.usecases.probes import give_up as give_up_probes
from controller.usecases.purchase import purchase
from controller.usecases.reconcile import reconcile_due
from controller.usecases.redeem import redeem
from controller.usecases.refunds import refunds_due
from controller.usecases.sampling import RollUp, Sampler
from controller.usecases.settle import query_due
from controller.usecases.sms_balance import ask_due
from controller.usecases.statements import book_due
from controller.usecases.token_keys import make_ready
from controller.usecases.webhooks import send_due as send_webhooks_due

QUERY_EVERY_S = 2.0
PLACE_EVERY_S = 5.0
REGISTER_EVERY_S = 10.0
PULL_EVERY_S = 10.0
RECONCILE_EVERY_S = 10.0
EXPIRE_EVERY_S = 5.0
WATCH_EVERY_S = 1.0
SILENCE_EVERY_S = 10.0
SEAL_EVERY_S = 1.0
BACKUP_EVERY_S = 10.0
BACKUP_MAX_S = 6 * 3_600.0
TELL_HEAD_EVERY_S = 10.0
ALERTS_EVERY_S = 5.0
BALANCE_EVERY_S = 10.0
SMS_EVERY_S = 1.0
EMAIL_MAX_S = 600.0
"""A long talk with a slow mail server, many times over; what was not reached is due still."""

TOKENS_EVERY_S = 5.0
PROBES_EVERY_S = 10.0
SAMPLE_EVERY_S = 5.0
ROLL_EVERY_S = 10.0
ROLL_MAX_S = 600.0
"""Days of many sites that were not rolled up; each hour is a transaction of its own."""

BILL_EVERY_S = 10.0
BILL_MAX_S = 1_800.0
"""A night's run of a large operator; what it has not reached is due still."""

VERBS = Verbs(
    enrol=sites.enrol,
    renew=sites.renew,
    changes_since=sites.changes_since,
    ingest=ingest,
    purchase=purchase,
    redeem=redeem,
    send_code=send_code,
    join_by_phone=join_by_phone,
    certificate_is_good=sites.certificate_is_good,
)


def due_work() -> tuple[Job, ...]:
    """The jobs of one controller."""
    return (
        Job("query_due", QUERY_EVERY_S, query_due),
        Job("place_due", PLACE_EVERY_S, place_due),
        Job("refunds_due", QUERY_EVERY_S, refunds_due),
        Job("confirm_due", QUERY_EVERY_S, confirm_due),
        Job("register_due", REGISTER_EVERY_S, register_due),
        Job("pull_due", PULL_EVERY_S, pull_due),
        Job("balance_due", PULL_EVERY_S, balance_due),
        Job("book_statements", BILL_EVERY_S, book_due),
        Job("reconcile_due", RECONCILE_EVERY_S, reconcile_due),
        Job("collect_due", RECONCILE_EVERY_S, collect_due),
        Job("expire_due", EXPIRE_EVERY_S, expire_due),
        Job("silence", SILENCE_EVERY_S, SilenceWatch().look),
        Job("alerts", ALERTS_EVERY_S, alerts.look),
        Job("sms_balance", BALANCE_EVERY_S, ask_due),
        Job("tell_areas", ALERTS_EVERY_S, tell_due),
        Job("tell_works", RECONCILE_EVERY_S, works.tell_due),
        Job("outage_credits", RECONCILE_EVERY_S, book_due_credits),
        Job("send_sms", SMS_EVERY_S, send_due),
        Job("send_webhooks", SMS_EVERY_S, send_webhooks_due),
        Job("send_emails", SMS_EVERY_S, send_emails_due, round_max_s=EMAIL_MAX_S),
        Job("make_tokens_ready", TOKENS_EVERY_S, make_ready),
        Job("bill_due", BILL_EVERY_S, bill_due, round_max_s=BILL_MAX_S),
        Job("dun_due", BILL_EVERY_S, dun_due, round_max_s=BILL_MAX_S),
        Job("give_up_probes", PROBES_EVERY_S, give_up_probes),
        Job("sample", SAMPLE_EVERY_S, Sampler().look, worth_telling=False),
        Job("roll_up", ROLL_EVERY_S, RollUp().look, round_max_s=ROLL_MAX_S),
        Job("seal_audit", SEAL_EVERY_S, seal_due, worth_telling=False),
        Job("tell_audit_head", TELL_HEAD_EVERY_S, tell_head),
        Job("backup_due", BACKUP_EVERY_S, backup_due, round_max_s=BACKUP_MAX_S),
        Job("try_backup", BACKUP_EVERY_S, trial_due, round_max_s=BACKUP_MAX_S),
        Job("watch", WATCH_EVERY_S, Watch().look, worth_telling=False),
    )
