"""Checks of the store, on any Python: limits, torn files, failures at every write."""

import os

import raffinate_node.store as module
from raffinate_node.store import Store, StoreFullError


class Failing:
    """Stands at the store's one write function: fails at write number n, before or after it."""

    def __init__(self, at, persists):
        self.at = at
        self.persists = persists
        self.writes = 0
        self.real = module._write

    def __call__(self, file, data):
        self.writes += 1
        if self.writes == self.at:
            if self.persists:
                self.real(file, data)
                file.flush()
            raise OSError(28)
        self.real(file, data)

    def __enter__(self):
        module._write = self
        return self

    def __exit__(self, *_):
        module._write = self.real


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def check_a_value_comes_back_after_a_restart(folder):
    store = Store(folder + "/n")
    assert store.get("seq") is None
    for n in (b"", b"one", b"two" * 100):
        store.put("seq", n)
        assert store.get("seq") == n
        assert Store(folder + "/n").get("seq") == n


def check_numbers(folder):
    store = Store(folder)
    assert store.get_int("boot", 3) == 3
    for n in (0, 1, 1795255200000, (1 << 63) - 1):
        store.put_int("boot", n)
        assert Store(folder).get_int("boot", 3) == n
    for n in (-1, 1 << 63):
        try:
            store.put_int("boot", n)
        except ValueError:
            continue
        raise AssertionError(n)
    assert store.get_int("boot", 3) == (1 << 63) - 1


def check_a_value_above_the_limit_is_refused_whole(folder):
    store = Store(folder)
    store.put("x", b"old")
    try:
        store.put("x", b"n" * (module.VALUE_BYTES_MAX + 1))
        raise AssertionError("taken")
    except StoreFullError:
        pass
    assert store.get("x") == b"old"
    store.put("x", b"n" * module.VALUE_BYTES_MAX)
    assert Store(folder).get("x") == b"n" * module.VALUE_BYTES_MAX


def check_a_slot_torn_at_any_byte_leaves_the_other(folder):
    store = Store(folder)
    store.put("v", b"first")
    store.put("v", b"second")
    newest = max((read(folder + "/state/v.%d" % i)[4:8], i) for i in (0, 1))[1]
    path = folder + "/state/v.%d" % newest
    whole = read(path)
    for length in range(len(whole)):
        write(path, whole[:length])
        assert Store(folder).get("v") == b"first", length
    for at in range(len(whole)):
        write(path, whole[:at] + bytes((whole[at] ^ 0x40,)) + whole[at + 1 :])
        assert Store(folder).get("v") == b"first", at
    write(path, whole)
    assert Store(folder).get("v") == b"second"
    # The torn slot is the one that is written next, so the whole one survives that too.
    write(path, whole[:-1])
    store = Store(folder)
    assert store.get("v") == b"first"
    store.put("v", b"third")
    assert read(folder + "/state/v.%d" % (1 - newest))[8:13] == b"first"
    assert Store(folder).get("v") == b"third"


def check_a_write_that_fails_leaves_old_or_new(folder):
    for persists in (False, True):
        for at in (1, 2, 3):
            root = "%s/%d%d" % (folder, persists, at)
            store = Store(root)
            store.put("v", b"old")
            with Failing(at, persists):
                try:
                    store.put("v", b"new")
                    raise AssertionError("did not fail")
                except OSError:
                    pass
            found = Store(root).get("v")
            assert found == (b"new" if persists and at == 3 else b"old"), (persists, at)
            store.put("v", b"newer")
            assert Store(root).get("v") == b"newer"
            store.put("v", b"newest")
            assert Store(root).get("v") == b"newest"


def check_replace_is_whole_or_not_at_all(folder):
    store = Store(folder)
    store.replace("file", b"old")
    for persists in (False, True):
        with Failing(1, persists):
            try:
                store.replace("file", b"new")
                raise AssertionError("did not fail")
            except OSError:
                pass
        assert store.read("file") == b"old"
    store.replace("file", b"new")
    assert store.read("file") == b"new"
    assert store.read("nothing") is None


def records(store, path):
    data = read(store.path(path)) if store.size(path) else b""
    return [
        (kind, a, b, data[offset : offset + length])
        for kind, a, b, offset, length in store.records(path)
    ]


def check_groups_of_records_come_back(folder):
    store = Store(folder)
    assert list(store.records("log")) == []
    n = store.append("log", [(1, 2, 3, (b"ab", b"c")), (4, 5, 6, ())])
    assert n == store.size("log") == 35
    store.append("log", [(1, 0xFFFFFFFF, 0, (b"z" * 2000,))])
    assert records(store, "log") == [
        (1, 2, 3, b"abc"),
        (4, 5, 6, b""),
        (1, 0xFFFFFFFF, 0, b"z" * 2000),
    ]


def check_a_torn_tail_ends_the_records_and_hides_none_before_it(folder):
    store = Store(folder)
    store.append("log", [(1, 0, 0, (b"first",))])
    store.append("log", [(1, 1, 0, (b"second",)), (1, 2, 0, (b"third",))])
    whole = read(store.path("log"))
    ends = [21, 43, 64]
    assert len(whole) == 64
    for length in range(65):
        write(store.path("log"), whole[:length])
        assert len(records(store, "log")) == len([end for end in ends if end <= length]), length
    for at in range(64):
        write(store.path("log"), whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        expected = [0, 1, 2][len([end for end in ends if end <= at])]
        assert len(records(store, "log")) == expected, at


def check_an_append_that_fails_loses_nothing_before_it(folder):
    for persists in (False, True):
        for at in range(1, 7):
            path = "log%d%d" % (persists, at)
            store = Store(folder)
            store.append(path, [(1, 0, 0, (b"first",))])
            with Failing(at, persists):
                try:
                    store.append(path, [(1, 1, 0, (b"second",)), (1, 2, 0, (b"third",))])
                    raise AssertionError("did not fail")
                except OSError:
                    pass
            found = [body for _, _, _, body in records(store, path)]
            assert found == [b"first", b"second", b"third"][: len(found)]
            assert found


def check_a_record_above_the_limit_is_refused(folder):
    store = Store(folder)
    try:
        store.append("log", [(1, 0, 0, (b"x" * (module.BODY_BYTES_MAX + 1),))])
        raise AssertionError("taken")
    except StoreFullError:
        pass


def check_names_sizes_and_removing(folder):
    store = Store(folder)
    assert store.names("nowhere") == []
    store.replace("state/b", b"12")
    store.replace("state/a", b"1")
    assert store.names("state") == ["a", "b"]
    assert store.size("state/b") == 2
    store.remove("state/b")
    store.remove("state/b")
    assert store.size("state/b") == 0
    assert "b" not in os.listdir(folder + "/state")
