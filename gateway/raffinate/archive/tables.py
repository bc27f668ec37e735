"""The archive's tables and statements.

`frames` is an index: the bytes are in `blocks`. `unlinked` keeps the chain link of a frame whose
predecessor had not come when it did.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks(
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS boots(
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, boot INTEGER NOT NULL, node TEXT NOT NULL,
    spans TEXT NOT NULL, step_max INTEGER NOT NULL, offset_ms INTEGER, timed INTEGER NOT NULL,
    changed INTEGER NOT NULL, UNIQUE(key, boot));
CREATE INDEX IF NOT EXISTS boots_by_change ON boots(key, changed);
CREATE TABLE IF NOT EXISTS frames(
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, step INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, first_up_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, last_up_ms INTEGER NOT NULL,
    PRIMARY KEY(boot, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unlinked(
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, prev BLOB NOT NULL,
    PRIMARY KEY(boot, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejected(
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, key TEXT NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE(key, boot, seq, reason));
CREATE TABLE IF NOT EXISTS findings(
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, key TEXT NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, code TEXT NOT NULL, found_ms INTEGER NOT NULL,
    UNIQUE(key, boot, seq, code));
CREATE TABLE IF NOT EXISTS cursors(name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine(
    id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, source TEXT NOT NULL,
    reason TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

# ruff: noqa: S608 - the only text put into statements is this list of columns
PLACE = "seq, digest, step, first_ms, first_up_ms, last_ms, last_up_ms"
ADD_FRAME = f"INSERT INTO frames(boot, {PLACE}) VALUES (?,?,?,?,?,?,?,?)"
BEFORE = f"SELECT {PLACE} FROM frames WHERE boot=? AND seq<? ORDER BY seq DESC LIMIT 1"
AFTER = f"SELECT {PLACE} FROM frames WHERE boot=? AND seq>? ORDER BY seq LIMIT 1"
BEFORE_AT_STEP = (
    f"SELECT {PLACE} FROM frames WHERE boot=? AND seq<? AND step=? ORDER BY seq DESC LIMIT 1"
)
AFTER_AT_STEP = f"SELECT {PLACE} FROM frames WHERE boot=? AND seq>? AND step=? ORDER BY seq LIMIT 1"
ADD_FINDING = (
    "INSERT OR IGNORE INTO findings(node, key, boot, seq, code, found_ms) VALUES (?,?,?,?,?,?)"
)
ADD_REJECTED = "INSERT OR IGNORE INTO rejected(node, key, boot, seq, reason) VALUES (?,?,?,?,?)"
ADD_COUNT = (
    "INSERT INTO counts(name, value) VALUES (?,?) "
    "ON CONFLICT(name) DO UPDATE SET value=value+excluded.value"
)
SAVE_BOOT = "UPDATE boots SET spans=?, step_max=?, offset_ms=?, timed=?, changed=? WHERE id=?"
