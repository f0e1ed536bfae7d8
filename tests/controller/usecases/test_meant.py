"""What a text in the one box may mean, in a table of spellings; and what it offers to do."""

from __future__ import annotations

from dataclasses import fields

import pytest

from controller.rights import Role, Who
from controller.usecases.commands import commands
from controller.usecases.meant import Meant, meant, words

# What was typed, and everything that it may mean.
SPELLINGS = """
  0712345678            | phone=254712345678
  0712 345 678          | phone=254712345678
  +254 712-345-678      | phone=254712345678
  254712345678          | phone=254712345678
  712                   | phone=254712 number=712
  0712                  | phone=254712 phone_tail=0712 mac_part=07:12 number=712
  (0712) 34             | phone=25471234 phone_tail=071234
  0110                  | phone=254110 phone_tail=0110 mac_part=01:10 number=110
  5678                  | phone_tail=5678 mac_part=56:78 number=5678
  25471                 | phone=25471 phone_tail=25471 number=25471
  12                    | number=12
  #42                   | number=42
  INV-main-000042       | words=inv,main,000042 series=INV-main number=42
  inv-thika-7           | words=inv,thika,7 series=INV-thika number=7
  rct-main-000001       | words=rct,main,000001 series=RCT-main number=1
  Wanjiku               | words=wanjiku
  wanjiku KAM           | words=wanjiku,kam receipt=WANJIKUKAM
  Ng'ang'a              | words=nganga
  José Müller-Otieno    | words=jose,muller,otieno
  RKT12ABC9Z            | words=rkt12abc9z receipt=RKT12ABC9Z
  rkt12a                | words=rkt12a receipt=RKT12A
  RKT12                 | words=rkt12
  aa:bb:cc:dd:ee:0f     | mac=aa:bb:cc:dd:ee:0f
  AA-BB-CC-DD-EE-0F     | mac=aa:bb:cc:dd:ee:0f
  aabb.ccdd.ee0f        | mac=aa:bb:cc:dd:ee:0f
  aabbccddee0f          | words=aabbccddee0f receipt=AABBCCDDEE0F mac=aa:bb:cc:dd:ee:0f
  ee0f                  | words=ee0f mac_part=ee:0f
  ee:0f                 | words=ee,0f mac_part=ee:0f
  aa:bb:cc              | words=aa,bb,cc mac_part=aa:bb:cc
  ee0                   | words=ee0
  10.77.0.10            | address=10.77.0.10
  fe80::1               | address=fe80::1
  FE80:0:0::1           | address=fe80::1
  10.77.0               | phone=25410770 phone_tail=10770
  CZ6E-P34V-K5DM        | words=cz6e,p34v,k5dm voucher=CZ6EP34VK5DM
  cz6e p34v k5dm        | words=cz6e,p34v,k5dm receipt=CZ6EP34VK5DM voucher=CZ6EP34VK5DM
  dada                  | words=dada mac_part=da:da
  O'Brien Duka 24       | words=obrien,duka,24
  ABCDEFGHIJ            | words=abcdefghij receipt=ABCDEFGHIJ
"""


def told(asked: Meant) -> dict[str, object]:
    skipped = {"text"}
    return {
        one.name: value
        for one in fields(asked)
        if one.name not in skipped and (value := getattr(asked, one.name)) not in ("", (), None)
    }


def in_words(found: dict[str, object]) -> str:
    pairs = [
        f"{name}={','.join(value) if isinstance(value, tuple) else value}"
        for name, value in found.items()
    ]
    return " ".join(pairs)


@pytest.mark.parametrize("row", SPELLINGS.strip().splitlines())
def test_each_spelling_means_what_people_mean_by_it(row: str) -> None:
    typed, expected = (part.strip() for part in row.split("|"))

    assert in_words(told(meant(typed))) == expected


@pytest.mark.parametrize(
    "typed", ["", "   ", "%", "_", "'", "\0", "\u202e", "<script>", "🙂", "a" * 5_000, "1" * 5_000]
)
def test_nothing_that_is_typed_raises(typed: str) -> None:
    assert len(meant(typed).text) <= 80


def test_words_of_a_name_are_few_and_each_is_kept_once() -> None:
    assert words("Duka la Duka la Duka") == ("duka", "la")
    assert len(words(" ".join(map(str, range(100))))) == 6
    assert len(words("x" * 500)[0]) == 40


# What was typed, by whom, and what is offered.
OFFERED = """
  owner   | disconnect 0712345678 | Disconnect {phone} -> /noc/customers/254712345678#sessions-title
  owner    | why 0712 345 678  | Why is {phone} not online? -> /noc/customers/254712345678#why-title
  cashier  | disconnect 0712345678    | -
  owner    | disconnect 0712          | -
  owner    | disconnect0712345678     | -
  cashier  | dark                     | Dark mode -> dark
  cashier  | dar                      | Dark mode -> dark
  cashier  | da                       | -
  owner    | add site                 | Add a site -> /noc/sites/new
  cashier  | add site                 | -
"""


@pytest.mark.parametrize("row", OFFERED.strip().splitlines())
def test_commands_are_offered_to_those_who_may(row: str) -> None:
    role, typed, expected = (part.strip() for part in row.split("|"))
    offered = commands(meant(typed), Who("w", "W", Role(role)))

    shown = ", ".join(f"{one.says} -> {one.to or one.scheme}" for one in offered)
    assert (shown or "-") == expected
