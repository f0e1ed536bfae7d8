"""What each rule makes of facts: a table for each, with the edges of its thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from controller.alerts.rules import (
    OFFICE_RULES,
    RULE_NAMES,
    SITE_RULES,
    OfficeFacts,
    Seen,
    SiteFacts,
    Thresholds,
)
from controller.alerts.texts import TABLES

DEFAULTS = Thresholds()

SITE = """
    agent_silent      silent_s=59 unheard_s=59            well
    agent_silent      silent_s=60 unheard_s=60            warn
    agent_silent      silent_s=179 unheard_s=179          warn
    agent_silent      silent_s=180 unheard_s=180          critical
    agent_silent      silent_s=5 unheard_s=86400          between
    agent_silent      -                                   between
    wan_loss          loss_ppm=50000                      between
    wan_loss          loss_ppm=50001                      warn
    wan_loss          loss_ppm=20000                      well
    users_drop        users_now=2 users_then=9            well
    users_drop        users_now=2 users_then=10           warn
    users_drop        users_now=3 users_then=10           between
    users_drop        users_now=5 users_then=10           well
    users_drop        users_now=5                         between
    disk_full         disk_pct=85                         between
    disk_full         disk_pct=86                         warn
    disk_full         disk_pct=96                         critical
    disk_full         disk_pct=80                         well
    hot               temperature_c=81                    warn
    hot               temperature_c=91                    critical
    hot               temperature_c=75                    well
    clock_skew        clock_skew_ms=5001                  warn
    clock_skew        clock_skew_ms=-5001                 warn
    clock_skew        clock_skew_ms=-2000                 well
    dhcp_pool         dhcp_pct=91                         warn
    dhcp_pool         dhcp_pct=90                         between
    outbox_filling    outbox_pct=81                       warn
    certificate_ends  certificate_s=1209599               warn
    certificate_ends  certificate_s=1209600               well
    certificate_ends  certificate_s=172799                critical
    voucher_guessing  voucher_tries=31                    warn
    voucher_guessing  voucher_tries=30                    between
    voucher_guessing  voucher_tries=10                    well
    sudden_volume     down_bps=20000000 down_then_bps=3000000   warn
    sudden_volume     down_bps=19999999 down_then_bps=1000      well
    sudden_volume     down_bps=20000000                         between
"""
OFFICE = """
    payments_failing  payments_tried=9 payments_settled=0     between
    payments_failing  payments_tried=10 payments_settled=7    warn
    payments_failing  payments_tried=10 payments_settled=5    critical
    payments_failing  payments_tried=10 payments_settled=8    between
    payments_failing  payments_tried=10 payments_settled=9    well
    payments_failing  payments_tried=0 payments_settled=0     well
    not_connected     not_connected=1 not_connected_s=10      between
    not_connected     not_connected=1 not_connected_s=11      critical
    not_connected     not_connected=0 not_connected_s=0       well
    unmatched         unmatched=1 unmatched_s=1800            well
    unmatched         unmatched=1 unmatched_s=1801            warn
    callbacks_silent  hour=12 prompts=3 callbacks=0           critical
    callbacks_silent  hour=12 prompts=3 callbacks=1           well
    callbacks_silent  hour=12 prompts=2 callbacks=0           between
    callbacks_silent  hour=23 prompts=9 callbacks=0           between
    callbacks_silent  hour=7 prompts=9 callbacks=0            critical
    callbacks_silent  hour=6 prompts=9 callbacks=0            between
    backup_old        backup_s=93600                          well
    backup_old        backup_s=93601                          warn
    backup_old        backup_s=604801                         critical
    sms_balance       sms_balance=199                         warn
    sms_balance       sms_balance=49                          critical
    sms_balance       sms_balance=200                         well
    free_access       free_grants=11                          warn
    free_access       free_grants=10                          well
    cloned_devices    cloned_devices=1                        warn
    cloned_devices    cloned_devices=0                        well
    double_redemptions double_redemptions=3                   warn
    double_redemptions double_redemptions=2                   well
    sign_in_person    sign_in_tries=10                        warn
    sign_in_person    sign_in_tries=9                         well
    sign_in_address   host_tries=30                           warn
    sign_in_address   host_tries=29                           well
"""


def lines(table: str) -> list[tuple[str, dict[str, Any], str]]:
    found = []
    for line in filter(str.strip, table.splitlines()):
        name, *facts, wanted = line.split()
        known = [fact.split("=") for fact in facts if fact != "-"]
        found.append((name, {key: int(value) for key, value in known}, wanted))
    return found


def said(seen: Seen) -> str:
    return seen.severity.value if seen.mood == "bad" else seen.mood.value


@pytest.mark.parametrize(("name", "facts", "wanted"), lines(SITE))
def test_a_rule_judges_a_site_as_the_table_says(
    name: str, facts: dict[str, Any], wanted: str
) -> None:
    (rule,) = (one for one in SITE_RULES if one.name == name)

    assert said(rule.judge(SiteFacts(**facts), DEFAULTS)) == wanted


@pytest.mark.parametrize(("name", "facts", "wanted"), lines(OFFICE))
def test_a_rule_judges_the_business_as_the_table_says(
    name: str, facts: dict[str, Any], wanted: str
) -> None:
    (rule,) = (one for one in OFFICE_RULES if one.name == name)

    assert said(rule.judge(OfficeFacts(**facts), DEFAULTS)) == wanted


def test_every_rule_stands_in_the_tables() -> None:
    assert {name for name, *_ in lines(SITE + OFFICE)} == RULE_NAMES


def test_what_is_not_known_neither_raises_nor_recovers() -> None:
    nothing = [rule.judge(SiteFacts(), DEFAULTS) for rule in SITE_RULES]
    nothing += [rule.judge(OfficeFacts(), DEFAULTS) for rule in OFFICE_RULES]

    assert {said(seen) for seen in nothing} == {"between"}


def test_settings_may_have_other_numbers_and_no_unknown_ones() -> None:
    assert Thresholds.of({"disk_pct": 50}).disk_pct == 50
    with pytest.raises(KeyError, match="disk"):
        Thresholds.of({"disk": 50})


def test_every_rule_has_its_sentence_in_both_languages() -> None:
    assert TABLES["en"].keys() == TABLES["sw"].keys()
    assert TABLES["en"].keys() >= RULE_NAMES
