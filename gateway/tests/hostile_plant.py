"""Hostile boards, contacts, licences and clocks: what happens before the log."""

from __future__ import annotations

from hashlib import sha256

from hostile_story import DAY_MS, STEP_MS, Framed, is_by
from hostile_threats import (
    BRIDGED,
    CLOCK,
    CLONE,
    FIRMWARE,
    FLASH,
    LICENCE,
    PAPERS,
    QUOTA,
    RECEIPTS,
    REPLAY,
    SENSOR,
    STARVED,
    WITHHELD,
    hostile,
)
from licence_story import (
    APPROVAL,
    CURRENT,
    EXPIRED,
    NEEDS_APPROVAL,
    RESTS,
    Licensed,
    time_text,
)
from licence_story import QUOTA as TERMS
from raffinate.tlog.hashing import leaf_hash
from verify_story import make

# Records withheld


@hostile(WITHHELD, "EQUIPMENT-UNCOVERED", nodes=1)
def dropped_node(plant):
    plant.trust(serials=("SN-0", "SN-1"))


@hostile(WITHHELD, "MISSING")
def dropped_statement(plant):
    with plant.unlogged():
        plant.usage()
    plant.usage()


@hostile(WITHHELD, "UNCOVERED-TIME")
def silent_node(plant):
    for _ in range(62):
        plant.usage()


@hostile(WITHHELD, "FRAME-MISSING", Framed)
def dropped_frame(plant):
    plant.frames[8] = None


@hostile(WITHHELD, "REGISTER-SUM", Framed)
def use_left_out_of_the_deltas(plant):
    plant.meter[0] += 5 * STEP_MS
    plant.minute()


@hostile(WITHHELD, "PERIOD-CLOSE")
def false_period_close(plant):
    times = {"from": 0, "to": plant.log.size, "fromMs": make.START_MS, "toMs": plant.maker.time_ms}
    plant.gateway("period-close", **times, part=1, parts=1, nodes=[], late=[])


# Receipts


@hostile(RECEIPTS, "UNRECEIPTED")
def withheld_receipts(plant):
    for count in range(1, 64):
        plant.usage(unreceipted=count)


@hostile(RECEIPTS, "RECEIPT-BAD")
def poisoned_receipt(plant):
    plant.usage(why="bad receipt 4 bad-signature", unreceipted=1)


@hostile(RECEIPTS, "SEEN-MISMATCH")
def false_log_shown(plant):
    plant.usage(seen={"size": plant.log.size, "root": "ab" * 32})


# Licences and permits


@hostile(LICENCE, "LICENCE-UNAUTHENTICATED")
def edited_licence(plant):
    old = plant.maker.licences["n01"]
    data = (plant.folder / f"licences/{old}.toml").read_bytes().replace(b"2040", b"2050")
    digest = sha256(data).hexdigest()
    plant.log.write(f"licences/{digest}.toml", data)
    plant.maker.licences["n01"] = digest
    plant.gateway("licence", licence="L-0", sha256=digest, replaces=old)
    plant.maker.permits(plant.number * STEP_MS)


@hostile(LICENCE, "LICENCE-ABSENT")
def licence_swapped_in_the_bundle(plant):
    path = f"licences/{plant.maker.licences['n01']}.toml"
    return lambda: plant.edit(path, lambda data: data.replace(b"2040", b"2050"))


@hostile(LICENCE, "PERMIT-BEYOND-LICENCE")
def permit_for_more_than_the_licence(plant):
    plant.maker.time_ms += 14 * 366 * DAY_MS
    plant.maker.permits(plant.number * STEP_MS)


@hostile(LICENCE, "START-OUTSIDE-LICENCE")
def start_after_the_licence(plant):
    plant.maker.time_ms += 14 * 366 * DAY_MS
    plant.usage(uses=(True, STEP_MS, 1, 0))


@hostile(LICENCE, "USE-WITHOUT-LICENCE")
def use_without_any_licence(plant):
    for item in [item for item in plant.log.files if item["path"].startswith("licences/")]:
        plant.log.files.remove(item)
        (plant.folder / item["path"]).unlink()


@hostile(LICENCE, "LICENCE-SUPERSEDED", Licensed)
def permit_under_a_replaced_version(plant):
    old = plant.maker.licences["n01"]
    plant.license(permit=False)
    plant.maker.licences["n01"] = old
    plant.permit()


@hostile(LICENCE, "USE-OUTSIDE-LICENCE", Licensed)
def plant_that_runs_on_after_its_licence(plant):
    end = time_text(plant.maker.time_ms + STEP_MS)
    plant.license(dates=f"from = 2026-01-01T00:00:00Z\nto = {end}\ngrace_s = 0\n", permit=False)
    for _ in range(4):
        plant.usage()


# Papers and rules


@hostile(PAPERS, "DOCUMENT-ABSENT", Licensed)
def edited_paper(plant):
    plant.state(APPROVAL, data=APPROVAL.replace("2026", "2025").encode())


@hostile(PAPERS, "X-WITHOUT-PAPER", Licensed)
def paper_that_nobody_vouches_for(plant):
    plant.license(NEEDS_APPROVAL)
    plant.state(APPROVAL, trusted=False)


@hostile(PAPERS, "DOCUMENT-UNAUTHENTICATED", Licensed)
def paper_signed_by_a_stranger(plant):
    plant.state(APPROVAL, signer=plant.pair_of("stranger", 81))


@hostile(PAPERS, "RULE-UNKNOWN", Licensed)
def rules_that_nobody_signed(plant):
    plant.license(RESTS)
    plant.state(CURRENT, trusted=False)


@hostile(PAPERS, "EXPIRED-RULE", Licensed)
def rules_that_were_not_reviewed(plant):
    plant.state(EXPIRED)
    plant.license(RESTS)


@hostile(PAPERS, "DOCUMENT-ORDER", Licensed)
def overwritten_paper(plant):
    plant.state(APPROVAL)
    plant.state(APPROVAL.replace("start", "operation"))


@hostile(PAPERS, "DOCUMENT-HELD", Licensed)
def paper_deleted_under_a_hold(plant):
    plant.state(APPROVAL)
    plant.hold()
    plant.state(APPROVAL, "delete")


# Quotas


@hostile(QUOTA, "QUOTA-EXCEEDED", Licensed)
def more_than_the_quota(plant):
    plant.license(TERMS.format("run-h", "0.05", "licence"))


@hostile(QUOTA, "PERMIT-SERIAL")
def replayed_permit(plant):
    for entry in [e for e in plant.log.entries if is_by(e, plant.maker.permit)]:
        plant.log.append(entry)


def wipe(plant, opening):
    """The board has another key."""
    new = plant.pair_of(plant.one.node, 70)
    specific = {"role": "node", "name": new.node, "key": new.keyid, "spki": new.spki}
    plant.authority("enrol", **specific, opening=opening)
    plant.maker.nodes[0] = new
    plant.meter = [0, 0]


@hostile(QUOTA, "PERMIT-UNKNOWN")
def old_permit_on_a_wiped_board(plant):
    wipe(plant, None)
    plant.usage()


@hostile(QUOTA, "OPENING-ABSENT")
def wiped_board(plant):
    wipe(plant, None)
    plant.usage(permit=None)


@hostile(QUOTA, "KEY-REPLACED")
def replaced_board(plant):
    run_ms = plant.number * STEP_MS
    register = {"id": "m-n01", "runMs": run_ms, "starts": 1, "volumeMl": run_ms}
    old = plant.one
    wipe(plant, {"keyid": old.keyid, "seq": old.seq, "head": old.prev, "registers": [register]})


@hostile(QUOTA, "PERMIT-LIMIT")
def raised_limit(plant):
    plant.maker.permits(plant.number * STEP_MS + DAY_MS)


@hostile(STARVED, "CLOCK")
def starved_clock(plant):
    plant.usage(clock="R", timeMs=plant.maker.time_ms)


@hostile(STARVED, "USE-TIME-UNKNOWN")
def use_without_a_clock(plant):
    plant.usage(clock="U")


# Contacts and sensors


@hostile(BRIDGED, "STARTED-ANYWAY")
def bridged_contact(plant):
    plant.denial("STARTED-ANYWAY")


@hostile(BRIDGED, "FLOW-WITHOUT-RUN", Framed)
def run_input_tied_off(plant):
    for _ in range(7):
        plant.minute(run=False)
    plant.minute(run=False, flow_ml_s=0)


@hostile(BRIDGED, "RUN-WITHOUT-FLOW", Framed)
def run_input_tied_on(plant):
    for _ in range(12):
        plant.minute(flow_ml_s=0)


@hostile(BRIDGED, "RUN-MISMATCH", Framed)
def run_time_of_an_open_contact(plant):
    plant.minute(run=False)
    plant.minute(run=False, run_ms=STEP_MS // 2)


@hostile(BRIDGED, "HOUR-METER")
def hour_meter_that_went_on(plant):
    for minutes in (100, 400):
        nodes = []
        for node in plant.maker.nodes:
            register = {"id": f"m-{node.node}", "runMs": 0, "starts": 0, "volumeMl": 0}
            meter = {"id": f"m-{node.node}", "minutes": minutes}
            entry = {"node": node.node, "keyid": node.keyid, "firstSeq": 1, "lastSeq": node.seq}
            entry |= {"head": node.prev, "registers": [register], "gaps": []}
            nodes.append({**entry, "hourMeters": [meter]})
        times = {"from": 0, "to": plant.log.size, "fromMs": make.START_MS}
        times["toMs"] = plant.maker.time_ms
        plant.gateway("period-close", **times, part=1, parts=1, nodes=nodes, late=[])
        plant.rounds(1)


@hostile(SENSOR, "VOLUME-MISMATCH", Framed)
def throttled_volume_pulses(plant):
    for _ in range(13):
        plant.minute(volume_ml=20_000)


@hostile(FIRMWARE, "FIRMWARE-UNDECLARED")
def undeclared_firmware(plant):
    plant.usage(firmware="cd" * 32)


@hostile(FIRMWARE, "CALIBRATION-UNDECLARED")
def undeclared_calibration(plant):
    plant.usage(calibration="cd" * 32)


@hostile(FIRMWARE, "CONFIG-UNDECLARED")
def undeclared_configuration(plant):
    plant.usage(config="cd" * 32)


# Replays, keys, flash, clocks


@hostile(REPLAY, "DOUBLE-NUMBER")
def replayed_statement(plant):
    plant.log.append(plant.log.entries[-1])


@hostile(REPLAY, "WRONG-SIGNER")
def statement_of_another_site(plant):
    plant.denial(site="elsewhere")


@hostile(REPLAY, "CHAIN-BROKEN")
def statement_that_hides_its_predecessor(plant):
    plant.one.prev = "ab" * 32
    plant.usage()


def _second(plant):
    """Another statement with the newest number of the first node."""
    one = plant.one
    seq, prev = one.seq, one.prev
    one.seq, one.prev = seq - 1, "cd" * 32
    with plant.unlogged():
        plant.denial()
        found = plant.log.entries[-1]
    one.seq, one.prev = seq, prev
    return found


def _state_fork(plant, second, number, index=0):
    digest = leaf_hash(second).hex()
    plant.log.write(f"blobs/{digest}", second)
    about = {"node": plant.one.node, "keyid": plant.one.keyid}
    plant.gateway("fork", about=about, forkSeq=number, index=index, second=digest)


@hostile(CLONE, "FORK")
def cloned_key(plant):
    _state_fork(plant, _second(plant), plant.one.seq)


@hostile(CLONE, "FORK-FALSE")
def fork_that_the_gateway_made_up(plant):
    _state_fork(plant, _second(plant), plant.one.seq + 1)


@hostile(CLONE, "KEY-REVOKED")
def stolen_key_used_on(plant):
    plant.revoke(plant.one, plant.one.seq)
    plant.usage()


@hostile(CLONE, "KEY-ENDED")
def retired_board_used_on(plant):
    one = plant.one
    said = {"role": "node", "name": one.node, "key": one.keyid, "lastSeq": one.seq}
    plant.authority("retire", **said, head=one.prev, reason="")
    plant.usage()


@hostile(FLASH, "BOOT-FELL")
def rolled_back_board(plant):
    plant.usage(boot=0)


@hostile(FLASH, "SEEN-FELL")
def board_that_forgot_the_log(plant):
    plant.usage(seen={"size": 0, "root": make.EMPTY_ROOT})


@hostile(FLASH, "REGISTER-FELL")
def rolled_back_registers(plant):
    plant.meter = [0, 0]
    plant.usage()


def _at(plant, shift_ms):
    plant.anchor()
    plant.usage(timeMs=plant.maker.time_ms + STEP_MS + shift_ms)


@hostile(CLOCK, "TIME-BACK")
def moved_clock(plant):
    plant.usage(timeMs=plant.maker.time_ms - DAY_MS)


@hostile(CLOCK, "BACKDATED")
def backdated_day(plant):
    for _ in range(3):
        _at(plant, -DAY_MS)


@hostile(CLOCK, "POSTDATED")
def postdated_day(plant):
    _at(plant, DAY_MS)
