"""Documents by request: taken whole or not at all, once, versions in order, holds, deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evidence_site import enrolled_site
from raffinate.audit.bundle import export
from raffinate.audit.policy import format_policy, parse_policy
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify
from raffinate.errors import StorageFullError
from raffinate.evidence import documents, dsse, inbox, salted
from raffinate.keys import load_public
from raffinate.licence.shipped import shipped_files
from registry_papers import LICENCE, adding, ask, digest, issuer, item, party, request, stated

YEAR_MS = 366 * 86_400_000


@pytest.fixture
def site(tmp_path):
    site, _ = enrolled_site(tmp_path)
    yield site
    site.close()


def kept(site, kind="document"):
    return {row[0]: row[3] for row in site.service._store.documents() if row[1] == kind}


def add(site, *documents, **how):
    return ask(site, *adding(*documents), **how)


def papers_at(site):
    """Digests of the papers that the permit office goes by."""
    shelf = site.service._office._shelf
    return {vouched.paper.sha256 for vouched in shelf.papers()}


def hold(site, name="case-1"):
    reason, document = salted.details("", "inquiry", [], bytes)
    return ask(site, {"action": "hold", "name": name, "reason": reason}, document)


def test_a_set_of_papers_is_stated_and_kept_by_its_exact_bytes(site):
    one, two = party(), party("Other Works", "ow", "# a remark counts\n")
    answer = add(site, one, two)
    assert answer["ok"], answer
    assert [(row["name"], row["known"]) for row in answer["documents"]] == [
        ("mw", False),
        ("ow", False),
    ]
    said = [statement.body for _, statement in stated(site)]
    assert [(body["kind"], body["version"], body["action"]) for body in said] == [
        ("party", 1, "add")
    ] * 2
    assert [index for index, _ in stated(site)] == [row["index"] for row in answer["documents"]]
    assert {body["sha256"] for body in said} == {digest(one), digest(two)}
    assert said[0]["actor"] == {"id": "op-1", "role": "operator", "auth": "gateway key file"}
    assert kept(site) == {digest(one): one, digest(two): two}
    names = {row[2] for row in site.service._store.documents() if row[1] == "document"}
    assert names == {f"documents/{digest(one)}.toml", f"documents/{digest(two)}.toml"}


def test_what_comes_again_is_answered_and_not_stated_again(site):
    signed = request(site, *adding(party()))
    first = ask(site, None, signed=signed)
    again = ask(site, None, signed=signed, name="s")
    assert first == again
    later = add(site, party(), name="t")
    assert later["documents"][0]["known"]
    assert later["documents"][0]["index"] == first["documents"][0]["index"]
    site.reopen()
    assert add(site, party(), name="u")["documents"][0]["known"]
    assert len(stated(site)) == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (party(extra="colour = 1\n"), "line 5: colour is no key here"),
        (party("Other"), "version 1 is there already with other bytes"),
        (party(extra='issued = "soon"\n'), "without quotes"),
        (party(party_id="x", extra="issued = 2031-01-01\n"), "in the future"),
        (party(extra=f'version = 2\nreplaces = "{"0" * 64}"\n'), "version 1 has SHA-256"),
        (b"\xff\xfe", "UTF-16"),
        (b'colour = "red"\n', "no licence, paper or regime"),
        (shipped_files()["template"], "template is true, so that it states no rule"),
        (LICENCE.format(number="L-1").replace("12-01", "10-01").encode(), "not after `from`"),
        (LICENCE.format(number="L-1").replace("SN-0", "").encode(), "equipment"),
    ],
)
def test_one_bad_document_stops_the_whole_set(site, bad, said):
    before = site.service.log_size()
    answer = add(site, party(), party("New", "new"), bad)
    assert not answer["ok"]
    assert said in answer["error"]
    assert site.service.log_size() == before
    assert not kept(site)
    assert add(site, party(), name="s")["ok"]


def test_versions_follow_each_other_and_none_is_written_over(site):
    first = party()
    second = party("MW GmbH", extra=f'version = 2\nreplaces = "{digest(first)}"\n')
    third = party("MW SE", extra=f'version = 3\nreplaces = "{digest(second)}"\n')
    assert "version 1 is not there" in add(site, second)["error"]
    assert add(site, third, first, second, name="s")["ok"]
    assert [s.body["version"] for _, s in stated(site)] == [1, 2, 3]
    assert [s.body["replaces"] for _, s in stated(site)] == [None, digest(first), digest(second)]
    assert "already with other bytes" in add(site, party("Else"), name="t")["error"]
    assert len(kept(site)) == 3


def test_a_licence_is_stated_as_one_and_its_number_counts_once(site):
    licence = LICENCE.format(number="L-1").encode()
    assert add(site, licence)["ok"]
    ((_, statement),) = stated(site, "licence")
    assert statement.body["sha256"] == digest(licence)
    assert kept(site, "licence") == {digest(licence): licence}
    other = licence.replace(b"grace_s = 20", b"grace_s = 21")
    assert "L-1 version 1 is there already" in add(site, other, name="s")["error"]
    (site.licences / "a.toml").write_bytes(licence)
    site.tick(5000)
    assert len(stated(site, "licence")) == 1


def test_a_licence_of_the_folder_is_known_to_a_request(site):
    licence = site.licence()
    site.tick(5000)
    answer = add(site, licence)
    assert answer["documents"][0]["known"]
    assert len(stated(site, "licence")) == 1


def test_a_signature_is_kept_beside_its_document(site):
    pair = issuer()
    data = party()
    good = dsse.sign(data, dsse.DOCUMENT, pair)
    for wrong in (
        dsse.sign(data, dsse.LICENCE, pair),
        dsse.sign(party("Else"), dsse.DOCUMENT, pair),
    ):
        items = [item(data), item(wrong, "signature", of=digest(data))]
        assert "signs other bytes" in ask(site, *adding(data, wrong, items=items))["error"]
    items = [item(data), item(good, "signature", of=digest(data))]
    assert ask(site, *adding(data, good, items=items))["signatures"] == 1
    rows = [row for row in site.service._store.documents() if row[1] == "signature"]
    assert [(row[2], row[3]) for row in rows] == [(f"documents/{digest(data)}.dsse", good)]


def test_an_attachment_has_its_digest_alone_in_the_log(site):
    name, document = salted.salt("contract.pdf", b"%PDF Magnet Works", bytes)
    items = [item(document, "attachment", name="C-88")]
    assert ask(site, *adding(document, items=items))["ok"]
    ((index, statement),) = stated(site)
    assert (statement.body["kind"], statement.body["sha256"]) == ("attachment", name)
    assert b"Magnet" not in dsse.decode_envelope(site.service._log.entry(index)).payload
    assert kept(site, "private") == {name: document}
    _, newer = salted.salt("contract.pdf", b"%PDF new", bytes)
    items = [item(newer, "attachment", name="C-88")]
    assert ask(site, *adding(newer, items=items), name="s")["documents"][0]["version"] == 2


def test_nothing_is_deleted_before_its_time_or_under_a_hold(site):
    add(site, party(), LICENCE.format(number="L-1").encode())
    wanted = {"action": "delete", "sha256": digest(party())}
    answer = ask(site, wanted, name="s")
    assert "keeps it 5 years, until 2031-12-31" in answer["error"]
    site.now_ms += 7 * YEAR_MS
    assert hold(site)["ok"]
    assert "hold case-1" in ask(site, wanted, name="t")["error"]
    assert "no hold case-2" in ask(site, {"action": "release", "name": "case-2"})["error"]
    assert ask(site, {"action": "release", "name": "case-1"}, name="u")["ok"]
    assert "is released already" in hold(site)["error"]
    answer = ask(site, wanted, name="v")
    assert answer["ok"], answer
    assert not kept(site)
    actions = [s.body["action"] for _, s in stated(site)]
    assert actions == ["add", "hold", "release", "delete"]
    assert "no such document" in ask(site, wanted, name="w")["error"]
    licence = digest(LICENCE.format(number="L-1").encode())
    answer = ask(site, {"action": "delete", "sha256": licence}, name="x")
    assert "verdicts rest on licences" in answer["error"]
    site.reopen()
    assert not site.service._actions.register.holds()
    assert add(site, party(), name="y")["ok"]
    assert digest(party()) in kept(site)


def test_the_office_forgets_a_deleted_paper_and_the_one_before_counts_again(site):
    """SQLite would give the number of a last row to the next one, and its reader miss that."""
    first = party()
    second = party("MW SE", extra=f'version = 2\nreplaces = "{digest(first)}"\n')
    add(site, first, second)
    site.tick(1000)
    assert papers_at(site) == {digest(second)}
    site.now_ms += 7 * YEAR_MS
    assert ask(site, {"action": "delete", "sha256": digest(second)}, name="s")["ok"]
    other = party("Other", "other")
    add(site, other, name="t")
    site.tick(1000)
    assert papers_at(site) == {digest(first), digest(other)}
    assert add(site, second, name="u")["ok"]
    site.tick(1000)
    assert papers_at(site) == {digest(second), digest(other)}
    running = papers_at(site)
    site.reopen()
    site.tick(1000)
    assert papers_at(site) == running


def test_a_hold_outlives_the_gateway(site):
    assert hold(site)["ok"]
    site.reopen()
    assert [row.name for row in site.service._actions.register.holds()] == ["case-1"]


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_gateway_that_dies_at_its_commit_takes_the_set_once(site, step):
    """The commit fails, or is done and its answer is not written."""
    ask(site, *adding(party(), party("O", "o")), tick=False)
    store = site.service._store
    real = type(store).remember

    def fail(*args):
        if step == "before":
            raise StorageFullError("full")
        real(store, *args)
        raise StorageFullError("full")

    store.remember = fail
    with pytest.raises(StorageFullError):
        site.tick(1000)
    site.reopen()
    site.tick(1000)
    assert (site.data / "outbox" / "r.json").exists()
    assert len(stated(site)) == 2
    assert len(kept(site)) == 2


@pytest.mark.parametrize("limit", ["ROWS_MAX", "DOCUMENTS_BYTES_MAX"])
def test_a_full_registry_says_so_and_takes_nothing(site, monkeypatch, limit):
    assert add(site, party())["ok"]
    monkeypatch.setattr(documents, limit, 2 if limit == "ROWS_MAX" else 100)
    assert "is full" in add(site, party("A", "a"), party("B", "b"), name="s")["error"]
    assert len(stated(site)) == 1
    assert add(site, party(), name="t")["ok"]


def test_two_requests_of_one_moment_are_taken_in_order(site):
    ask(site, *adding(party()), tick=False, name="a")
    assert "already with other bytes" in ask(site, *adding(party("Else")), name="b")["error"]
    assert len(stated(site)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "add"},
        {"action": "add", "items": []},
        {"action": "add", "items": [3]},
        {"action": "add", "items": [{"as": "document", "sha256": "0" * 64}]},
        {"action": "add", "items": [{"as": "attachment", "sha256": digest(party())}]},
        {"action": "add", "items": [item(party()), item(party())]},
        {"action": "add", "items": [item(party(), "signature")]},
        {"action": "hold", "name": "a b"},
        {"action": "hold", "name": "a", "reason": 3},
        {"action": "release"},
        {"action": "delete"},
        {"action": "delete", "sha256": [1]},
        {"action": ["add"]},
    ],
)
def test_a_malformed_request_is_refused_in_words(site, body):
    before = site.service.log_size()
    answer = ask(site, body, [party()])
    assert not answer["ok"]
    assert answer["error"]
    assert site.service.log_size() == before


def test_a_bundle_has_papers_and_signatures_and_no_salted_document(site, tmp_path):
    pair, data = issuer(), party()
    licence = LICENCE.format(number="L-1").encode()
    signed = dsse.sign(data, dsse.DOCUMENT, pair)
    signed_licence = dsse.sign(licence, dsse.LICENCE, pair)
    name, private = salted.salt("contract.pdf", b"%PDF Magnet Works", bytes)
    items = [
        item(data),
        item(licence),
        item(signed, "signature", of=digest(data)),
        item(signed_licence, "signature", of=digest(licence)),
        item(private, "attachment", name="C-88"),
    ]
    sent = (data, licence, signed, signed_licence, private)
    assert ask(site, *adding(*sent, items=items))["ok"]
    target = tmp_path / "bundle"
    export(site.keys, site.data, [], target, now_ms=site.now_ms)
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*.*")}
    assert found[f"documents/{digest(data)}.toml"].read_bytes() == data
    assert found[f"documents/{digest(data)}.dsse"].read_bytes() == signed
    assert found[f"licences/{digest(licence)}.toml"].read_bytes() == licence
    assert found[f"licences/{digest(licence)}.dsse"].read_bytes() == signed_licence
    everything = b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())
    assert private not in everything
    assert not list(target.rglob(name))


def test_the_verifier_takes_what_the_registry_states(site, tmp_path):
    first = party()
    second = party("MW SE", extra=f'version = 2\nreplaces = "{digest(first)}"\n')
    regime = shipped_files()["template"].replace(b"template = true", b"template = false")
    pair = issuer()
    signed = dsse.sign(first, dsse.DOCUMENT, pair)
    _, private = salted.salt("contract.pdf", b"%PDF", bytes)
    items = [
        *(item(data) for data in (first, second, regime)),
        item(signed, "signature", of=digest(first)),
        item(private, "attachment", name="C-88"),
    ]
    answer = ask(site, *adding(first, second, regime, signed, private, items=items))
    assert answer["ok"], answer
    assert hold(site)["ok"]
    assert ask(site, {"action": "release", "name": "case-1"}, name="s")["ok"]
    target = tmp_path / "bundle"
    export(site.keys, site.data, [], target, now_ms=site.now_ms)
    policy = parse_policy("policy", format_policy(load_public(site.keys), [], []))
    policy = replace(policy, issuers=(pair.spki,))
    result = verify(open_source(target), policy)
    found = [finding for finding in result.findings if finding.code.startswith("DOCUMENT")]
    told = {finding.code: finding.detail for finding in found}
    assert set(told) <= {"DOCUMENT-UNAUTHENTICATED"}, told
    assert not any(digest(first) in finding.detail for finding in found)
    assert any(digest(second) in finding.detail for finding in found)


def test_a_request_that_ends_the_gateway_ends_it_once(site, monkeypatch):
    def defect(*_):
        raise OverflowError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(site.service._actions.documents, "act", defect)
        with pytest.raises(OverflowError):
            add(site, party(), name="bad")
    inbox = site.data / "inbox"
    assert [path.name for path in inbox.iterdir()] == ["bad.defect"]
    site.reopen()
    assert add(site, party(), name="good")["ok"]
    assert [path.name for path in inbox.iterdir()] == ["bad.defect"]


def test_odd_files_in_the_inbox_end_no_gateway(site):
    inbox = site.data / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / f"{'n' * 250}.dsse").write_bytes(b"its answer's name is too long")
    (inbox / "a.dsse").symlink_to("/dev/zero")
    (inbox / "b.dsse").symlink_to("b.dsse")
    (inbox / "c\n\x1b[31m.dsse").write_bytes(b"[" * 100_000)
    (inbox / "d\udcff.dsse").write_bytes(b"")
    assert add(site, party(), name="good")["ok"]
    assert not (inbox / "d\udcff.dsse").exists()


def test_a_crowded_inbox_holds_no_request_up(site):
    """What commands name goes first, and answers that nobody fetches do not fill the disk."""
    folder = site.data / "inbox"
    folder.mkdir(exist_ok=True)
    for number in range(5000):
        (folder / f"a{number:05d}.dsse").touch()
    for name in ("request-1", "order-1", "checkpoint-1"):
        (folder / f"{name}.dsse").write_bytes(b"")
    found = [path.stem for path in inbox.files(folder, ".dsse")]
    assert found[:4] == ["checkpoint-1", "order-1", "request-1", "a00000"]
    assert len(found) == inbox.FILES_MAX
    assert add(site, party(), name="request-2")["ok"]


def test_answers_that_nobody_fetches_end(site, monkeypatch):
    monkeypatch.setattr(inbox, "ANSWERS_MAX", 2)
    outbox = site.data / "outbox"

    def answers():
        return sorted(path.name for path in outbox.iterdir())

    for name in ("a", "b", "c"):
        assert add(site, party(), name=name)["ok"]
    assert answers() == ["b.json", "c.json"]
    (outbox / "kept").mkdir()
    site.tick(inbox.ANSWER_AGE_MS_MAX - 1000)
    assert answers() == ["b.json", "c.json", "kept"]
    site.tick(1000)
    assert answers() == ["c.json", "kept"]
    site.tick(1001)
    assert answers() == ["kept"]
