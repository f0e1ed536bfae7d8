"""A proof fits one grant, one kind and one code."""

from billing.ids import GrantId, RedemptionId, grant_of
from billing.proof import PROOF_BYTES, ProofKind, proof

A, B = GrantId("a" * 32), GrantId("b" * 32)


def test_a_proof_fits_nothing_else() -> None:
    proofs = {
        proof(grant, kind, code)
        for grant in (A, B)
        for kind in ProofKind
        for code in ("SGH7K2Q0XD", "SGH7K2Q0XE")
    }

    assert len(proofs) == 2 * 3 * 2
    assert {len(one) for one in proofs} == {PROOF_BYTES}


def test_both_ends_name_the_grant_of_a_redemption_alike() -> None:
    assert grant_of(RedemptionId("0" * 32)) == grant_of(RedemptionId("0" * 32))
    assert grant_of(RedemptionId("0" * 32)) != grant_of(RedemptionId("1" * 32))
    assert len(grant_of(RedemptionId("0" * 32))) == 32
