"""Holds machines against their licences by the engine, from the bundle alone. Pure.

Decided is at each permit, each start and each activity, when a document, regime or licence takes
force, and at the end; each with the versions in force at that time. What fails, or rests on a rule
past its review, counts whenever it was found. What cannot be shown counts where it withholds a
start, and else only if it still cannot be shown in the end: papers may come later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from raffinate.audit.accounts import Account, ConditionSeen, QuotaSeen
from raffinate.audit.conditions import code_of, family_of
from raffinate.audit.findings import INSUFFICIENT, PASS, WORST_FIRST
from raffinate.audit.gathering import gather
from raffinate.audit.ledger import Ledger
from raffinate.audit.machines import Where
from raffinate.licence.decide import decide
from raffinate.licence.facts import IDLE
from raffinate.licence.papers import Assay, Reagent
from raffinate.licence.parts import OPERATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.audit.documents import Documents
    from raffinate.audit.ledger import Amount
    from raffinate.audit.machines import Machine
    from raffinate.audit.result import Result
    from raffinate.licence.decide import ConditionResult
    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts, Used
    from raffinate.licence.regime import Regime

ACCOUNTS_MAX = 4096
WAITING_MAX = 1024
CHANGES_MAX = 200
"""Decisions of an account because a document took force; later ones wait for the next event."""
QUOTA, DUTY = "quota", "duty"


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A permit of a machine that no statement has described yet, with what was known then."""

    machine: Machine
    licence: Licence
    facts: Facts
    regimes: tuple[Regime, ...]
    at_ms: int
    where: Where


class Weighing:
    """Keeps an account for each machine under each licence, and decides."""

    def __init__(self, documents: Documents, result: Result, site: str) -> None:
        self._documents = documents
        self._extremes = result.extremes
        self._result = result
        self._site = site
        self._open: dict[tuple[str, str], tuple[Account, Machine, Licence]] = {}
        self._replaced: dict[tuple[str, str, str], tuple[Account, Machine, Licence]] = {}
        self._whole: dict[tuple[str, str], Ledger] = {}
        self._told: set[tuple[str, str, str, str]] = set()
        self._changed: dict[tuple[str, str], int] = {}
        self._waiting: list[_Waiting] = []
        self._changes = 0

    def use(
        self,
        machine: Machine,
        licence: Licence,
        times: tuple[int | None, int | None],
        amount: Amount,
    ) -> None:
        """Use under a licence; nothing is decided."""
        account = self._account(machine, licence)
        if account is not None:
            account.ledger.add(*times, amount)
            self._ledger(licence).add(*times, amount)

    def permit(self, machine: Machine, licence: Licence, at_ms: int, where: Where) -> None:
        """A permit was issued; of a machine not described yet it is told when that is known."""
        if machine.descriptor.serial is None and len(self._waiting) < WAITING_MAX:
            facts = self._facts(machine, licence, at_ms, OPERATION, "none")
            now = _Waiting(machine, licence, facts, self._documents.regimes, at_ms, where)
            self._waiting.append(now)
            return
        account = self._account(machine, licence)
        if account is not None:
            account.permits += 1
            self._decide(account, machine, licence, at_ms, where, OPERATION, "none")

    def start(
        self, machine: Machine, licence: Licence, at_ms: int, kind: str, where: Where
    ) -> None:
        """The machine was started; `kind` as in facts.START_KINDS."""
        account = self._account(machine, licence)
        if account is not None:
            self._decide(account, machine, licence, at_ms, where, OPERATION, kind)

    def activity(self, machine: Machine, kind: str, at_ms: int, where: Where) -> None:
        """Work on the machine."""
        for licence in self._documents.licences(machine.descriptor.serial):
            if licence.in_force(at_ms) and self._documents.is_newest(licence):
                account = self._account(machine, licence)
                if account is not None:
                    self._decide(account, machine, licence, at_ms, where, kind, "none")

    def named(self, machine: Machine) -> None:
        """The machine's descriptor came: tell of its permits, by what was known at each."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if one.machine is not machine:
                self._waiting.append(one)
                continue
            account = self._account(machine, one.licence)
            if account is not None:
                account.permits += 1
                said = machine.descriptor
                facts = replace(one.facts, serial=said.serial, stages=said.stages)
                self._judge(account, one.licence, facts, one.at_ms, one.where, regimes=one.regimes)

    def change(self, at_ms: int, where: Where) -> None:
        """A licence, regime or paper may have taken force: decide what is in use again."""
        if self._changes == self._documents.changes:
            return
        self._changes = self._documents.changes
        self._close_superseded(at_ms)
        for key, (account, machine, licence) in self._open.items():
            count = self._changed[key] = self._changed.get(key, 0) + 1
            if count <= CHANGES_MAX and licence.in_force(at_ms):
                activity = OPERATION if machine.outside is None else IDLE
                self._decide(account, machine, licence, at_ms, where, activity, "none")

    def finish(self, at_ms: int) -> None:
        """The end of the log: the last decisions, and every quota in every period with use."""
        for machine in {id(one.machine): one.machine for one in self._waiting}.values():
            self.named(machine)
        for account, machine, licence in self._open.values():
            if not self._documents.is_newest(licence):
                continue  # told when it was replaced, and by permits given under it since
            end_ms = max(licence.from_ms, min(at_ms, licence.ends_ms - 1))
            used = account.ledger.total()
            activity = OPERATION if used.run_ms or used.starts else IDLE
            facts = self._facts(machine, licence, end_ms, activity, "none", final=True)
            self._judge(account, licence, facts, end_ms, Where(), final=True)
            if at_ms > end_ms:  # what was due after the licence's end
                self._judge(account, licence, facts, at_ms, Where(), final=True, only=DUTY)
            self._quotas(account, machine, licence, at_ms)
            self._replaced.pop((account.serial, account.number, account.issuer), None)
        # A revocation is a version under which nothing is used: the one before has the quotas.
        for account, machine, licence in self._replaced.values():
            self._quotas(account, machine, licence, at_ms)

    def _close_superseded(self, at_ms: int) -> None:
        """Decide a last time what a later version replaces, as it was."""
        for key, (account, machine, licence) in list(self._open.items()):
            if self._documents.is_newest(licence):
                continue
            end_ms = max(licence.from_ms, min(at_ms, licence.ends_ms - 1))
            facts = self._facts(machine, licence, end_ms, OPERATION, "none")
            # What changed undeclared is known at the end, for all versions.
            facts = replace(facts, newest=True, changed=())
            self._judge(account, licence, facts, end_ms, Where(), final=True)
            name = (account.serial, account.number, account.issuer)
            self._replaced[name] = account, machine, licence
            del self._open[key]

    def _quotas(self, account: Account, machine: Machine, licence: Licence, end_ms: int) -> None:
        ledger = self._ledger(licence)
        times = {time for quota in licence.quotas for time in ledger.times(quota)}
        for time_ms in sorted(times):
            at_ms = max(licence.from_ms, min(time_ms, end_ms, licence.ends_ms - 1))
            facts = self._facts(machine, licence, at_ms, OPERATION, "none", final=True)
            self._judge(account, licence, facts, at_ms, Where(), final=True, only=QUOTA)
        for number, quota in enumerate(licence.quotas):
            for time_ms in ledger.times(quota):
                used = self._used(licence, time_ms).get(number)
                seen = QuotaSeen(quota, time_ms, used)
                account.quotas.append(seen)

    def _account(self, machine: Machine, licence: Licence) -> Account | None:
        serial = machine.name
        key = (serial, licence.number, licence.issuer)
        account = self._result.accounts.get(key)
        if account is None:
            if len(self._result.accounts) >= ACCOUNTS_MAX:
                return None
            account = self._result.accounts[key] = Account(*key)
        if licence.sha256 not in account.versions:
            account.versions.append(licence.sha256)
        self._open[serial, licence.sha256] = account, machine, licence
        for limit in licence.discharge:
            self._extremes.watch(limit.outfall, limit.point)
        return account

    def _ledger(self, licence: Licence) -> Ledger:
        return self._whole.setdefault((licence.number, licence.issuer), Ledger())

    def _used(self, licence: Licence, at_ms: int) -> dict[int, Used | None]:
        papers = [item.paper.members for item in self._documents.papers if item.by is not None]
        assays = [item for item in papers if isinstance(item, Assay)]
        reagents = [item for item in papers if isinstance(item, Reagent)]
        ledger = self._ledger(licence)
        return {
            number: ledger.used(quota, at_ms, assays, reagents)
            for number, quota in enumerate(licence.quotas)
        }

    def _facts(
        self,
        machine: Machine,
        licence: Licence,
        at_ms: int,
        activity: str,
        start: str,
        *,
        final: bool = False,
    ) -> Facts:
        undeclared = tuple(sorted(set(self._result.undeclared.get(machine.keyid, ()))))
        return gather(
            machine,
            licence,
            self._documents,
            at_ms,
            site=self._site,
            activity=activity,
            start=start,
            used=self._used(licence, at_ms),
            discharge=self._extremes.of(licence, at_ms),
            changed=undeclared if final else None,
        )

    def _decide(
        self,
        account: Account,
        machine: Machine,
        licence: Licence,
        at_ms: int,
        where: Where,
        activity: str,
        start: str,
    ) -> None:
        facts = self._facts(machine, licence, at_ms, activity, start)
        self._judge(account, licence, facts, at_ms, where)

    def _judge(
        self,
        account: Account,
        licence: Licence,
        facts: Facts,
        at_ms: int,
        where: Where,
        *,
        final: bool = False,
        only: str | None = None,
        regimes: tuple[Regime, ...] | None = None,
    ) -> None:
        known = self._documents.regimes if regimes is None else regimes
        decision = decide(licence, known, facts, at_ms)
        if only is None:
            account.recorded = decision.recorded
            account.as_of_ms = at_ms
        for condition in decision.conditions:
            if only is None or family_of(condition) == only:
                self._note(account, licence, condition, at_ms, where, final=final)

    def _note(
        self,
        account: Account,
        licence: Licence,
        condition: ConditionResult,
        at_ms: int,
        where: Where,
        *,
        final: bool,
    ) -> None:
        seen = account.conditions.get(condition.code)
        if seen is None:
            seen = ConditionSeen(condition, at_ms, licence.sha256, PASS)
            account.conditions[condition.code] = seen
        seen.last, seen.at_ms, seen.licence_sha256 = condition, at_ms, licence.sha256
        seen.decisions += 1
        result = PASS if condition.waived is not None else condition.result
        if result == PASS:
            return
        if result == INSUFFICIENT and not (final or condition.withholds):
            return
        seen.against += 1
        if WORST_FIRST.index(result) < WORST_FIRST.index(seen.worst):
            seen.worst, seen.first_ms = result, at_ms
        code = code_of(condition)
        key = (account.serial, licence.number, condition.code, result)
        if code is None or key in self._told:
            return
        self._told.add(key)
        level = condition.evidence or "unknown"
        rule = "" if condition.rule is None else f"; rule {condition.rule} ({level})"
        self._result.add(
            code,
            f"{condition.code} of licence {licence.number} version {licence.version} (class "
            f"{condition.klass}): {condition.text}{rule}",
            index=where.index,
            node=where.node,
            seq=where.seq,
            equipment=account.serial,
            condition=condition,
        )


def worst_of(conditions: Iterable[ConditionSeen]) -> str:
    """The worst that counts of some conditions."""
    return min((item.worst for item in conditions), key=WORST_FIRST.index, default=PASS)
