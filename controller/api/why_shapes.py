"""What goes out about why a customer is, or is not, online."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from controller.usecases.why import Answer, Finding, Mark, Step


class EvidenceOut(BaseModel):
    """Something that a finding rests on: ``at`` for an instant, ``value`` for all else."""

    name: str
    value: str | None = None
    at: datetime | None = None


class FindingOut(BaseModel):
    """What was found at one link of the chain, in a sentence, and what to do about it."""

    step: Step
    mark: Mark
    code: str
    says: str
    to_do: str
    evidence: list[EvidenceOut]

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """From what the rule found."""
        evidence = [
            EvidenceOut(name=one.name, at=one.value)
            if isinstance(one.value, datetime)
            else EvidenceOut(name=one.name, value=one.value)
            for one in finding.evidence
        ]
        return cls(
            step=finding.step,
            mark=finding.mark,
            code=finding.code,
            says=finding.says,
            to_do=finding.to_do,
            evidence=evidence,
        )


class AnswerOut(BaseModel):
    """One thing that the customer has. ``wrong`` is the first link that is wrong, if any is."""

    plan: str
    online: bool
    wrong: Step | None
    grant_id: str | None
    subscription_id: str | None
    site_id: str | None
    steps: list[FindingOut]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """From the answer of the rule."""
        case, wrong = answer.case, answer.wrong
        return cls(
            plan=case.name,
            online=answer.is_online,
            wrong=None if wrong is None else wrong.step,
            grant_id=None if case.grant is None else case.grant.id,
            subscription_id=None if case.contract is None else case.contract.id,
            site_id=None if case.link is None else case.link.site_id,
            steps=[FindingOut.of(one) for one in answer.findings],
        )


class WhyOut(BaseModel):
    """Why a customer is not online: an answer for each thing that they have."""

    phone: str
    name: str
    at: datetime
    online: bool
    answers: list[AnswerOut]
