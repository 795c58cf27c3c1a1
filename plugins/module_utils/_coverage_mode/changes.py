# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is different between two objects of Kubernetes, field by field, and how to do and undo just that.

Lists whose items have a name are compared item by item, as the API server merges them: a path stays right whatever
somebody else adds before it. Undoing compares three ways: a field that is no longer what it was changed to belongs to
somebody else by now, and stays.
"""

from __future__ import annotations

import copy
import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object

Step = t.Union[str, tuple[str, str]]  # a key; or (key, value) of the list's item that has it

# lists that are merged by a key: patchMergeKey in k8s.io/api/core/v1/types.go
KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
# only valid as they are: half of one and half of another is neither
WHOLE_ITEMS = ("env", "volumes", "volumeMounts")
WHOLE = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


class _Absent:
    def __repr__(self) -> str:
        return "absent"

    def __copy__(self) -> _Absent:
        return self

    def __deepcopy__(self, memo: t.Any) -> _Absent:
        return self


ABSENT: t.Final = _Absent()


@dataclass(frozen=True)
class Change:
    """One field that is not what it was.

    :ivar path: how to get there. :ivar before, after: its values; C(ABSENT) where it was or is not there.
    :ivar made: it only came to be because something is in it: it goes when nothing is left.
    :ivar at: index that an item had which was taken out of a list.
    """

    path: tuple[Step, ...]
    before: t.Any = ABSENT
    after: t.Any = ABSENT
    made: bool = False
    at: int = -1

    @property
    def field(self) -> str:
        """The path as a person writes it: C(spec.containers[app].env[GOCOVERDIR])."""
        return as_field(self.path)

    def values(self) -> Object:
        """Return both values; without a key for the one that is absent."""
        return _present(before=self.before, after=self.after)

    def as_json(self) -> Object:
        """Return it as JSON takes it."""
        value = {"path": [step if isinstance(step, str) else list(step) for step in self.path], **self.values()}
        if self.made:
            value["made"] = True
        if self.at >= 0:
            value["at"] = self.at
        return value


@dataclass(frozen=True)
class Kept:
    """A field that somebody else changed, too: theirs stays.

    :ivar field: its path. :ivar coverage: what coverage mode had set. :ivar now: what it is. ABSENT as in C(Change).
    """

    field: str
    coverage: t.Any
    now: t.Any

    def values(self) -> Object:
        """Return both values; without a key for the one that is absent."""
        return _present(coverage=self.coverage, now=self.now)

    def __str__(self) -> str:
        return f"{self.field} is {_shown(self.now)}, not {_shown(self.coverage)} as coverage mode set it: it is kept."


def as_field(path: t.Sequence[Step]) -> str:
    """Return a path as text."""
    text = ""
    for step in path:
        if isinstance(step, tuple):
            text += f"[{step[1]}]"
        elif any(sign in step for sign in "./["):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def change_from_json(value: t.Any) -> Change:
    """Return what C(as_json) wrote.

    :raises InputError: it is not a recorded change.
    """
    try:
        path = tuple(step if isinstance(step, str) else (str(step[0]), str(step[1])) for step in value["path"])
        return Change(
            path,
            value.get("before", ABSENT),
            value.get("after", ABSENT),
            bool(value.get("made")),
            int(value.get("at", -1)),
        )
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(f"A recorded change cannot be read: {value!r}.") from error


def differences(before: t.Any, after: t.Any, path: tuple[Step, ...] = ()) -> list[Change]:
    """Return what has to be changed in C(before) to make it C(after), containers before what is in them."""
    if before is not ABSENT and after is not ABSENT and before == after:
        return []
    name = path[-1] if path and isinstance(path[-1], str) else ""
    whole = name in WHOLE or (len(path) > 1 and not isinstance(path[-1], str) and path[-2] in WHOLE_ITEMS)
    if not whole:
        if isinstance(after, dict) and (before is ABSENT or before is None or isinstance(before, dict)):
            return _of_dictionaries(before, after, path)
        key = KEYS.get(name, "")
        if key and _has_keys(after, key) and (before is ABSENT or before is None or _has_keys(before, key)):
            found = _of_lists(before, after, path, key)
            if found is not None:
                return found
    return [Change(path, copy.deepcopy(before), copy.deepcopy(after))]


def applied(changes: t.Sequence[Change], item: Object) -> Object:
    """Return a copy of the object with the changes; what they need to lie in is made where it is missing."""
    result = copy.deepcopy(item)
    for change in changes:
        if change.made and isinstance(_value(result, change.path), (dict, list)):
            continue
        _set(result, change.path, copy.deepcopy(change.after), change.at)
    return result


def undone(
    changes: t.Sequence[Change],
    item: Object,
    *,
    needed: t.Callable[[Object, Change], bool] = lambda _item, _change: False,
) -> tuple[Object, list[Kept]]:
    """Return a copy of the object without the changes, and what somebody else had changed meanwhile.

    :arg needed: whether what a change brought has to stay, because something that stays needs it. Asked last, for
        items of lists that are whole (a volume that is still mounted).
    """
    result = copy.deepcopy(item)
    kept: list[Kept] = []
    last = [change for change in changes if change.path[-2:-1] and change.path[-2] in ("env", "volumes")]
    others = [change for change in changes if change not in last and not change.made]
    made = [change for change in changes if change.made]
    for change in [*_backwards(others), *_backwards(last), *reversed(made)]:
        now = _value(result, change.path)
        if change.made:
            if now is not ABSENT and not now:
                _set(result, change.path, copy.deepcopy(change.before))
        elif _same(now, change.after):
            if change in last and needed(result, change):
                kept.append(Kept(change.field, change.after, now))
            else:
                _set(result, change.path, copy.deepcopy(change.before), change.at)
        elif not _same(now, change.before):
            kept.append(Kept(change.field, change.after, now))
    return result, kept


def covers(whole: t.Any, part: t.Any, name: str = "") -> bool:
    """Whether all that C(part) says is so in C(whole), which may say more: a manifest against what the server has."""
    if isinstance(part, dict):
        return (isinstance(whole, dict) or not part) and all(
            value is None or covers(whole.get(key), value, key) for key, value in part.items()
        )
    if isinstance(part, list):
        key = KEYS.get(name, "")
        if key and _has_keys(part, key) and _has_keys(whole, key):
            there = {item[key]: item for item in whole}
            return all(item[key] in there and covers(there[item[key]], item) for item in part)
        if not part and not whole:
            return True
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(covers(*pair) for pair in zip(whole, part, strict=True))
        )
    return bool(whole == part) or _same_number(whole, part)


def _of_dictionaries(before: t.Any, after: Object, path: tuple[Step, ...]) -> list[Change]:
    found = []
    if not isinstance(before, dict):
        found.append(Change(path, before, {}, made=True))
        before = {}
    for key in [*before, *(key for key in after if key not in before)]:
        there = key in before and key in after
        if there and before[key] is None and after[key] is None:
            continue
        found += differences(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
    return found


def _of_lists(before: t.Any, after: list[Object], path: tuple[Step, ...], key: str) -> t.Optional[list[Change]]:
    """The changes of the items; None where the order of those that stay is another one."""
    found = []
    if not isinstance(before, list):
        found.append(Change(path, before, [], made=True))
        before = []
    old, new = ({item[key]: item for item in items} for items in (before, after))
    stay = [name for name in old if name in new]
    if stay != [name for name in new if name in old]:
        return None
    if list(new)[: len(stay)] != stay and list(new)[-len(stay) :] != stay:
        # items between others: their place would be lost
        return None
    for index, (name, item) in enumerate(old.items()):
        if name not in new:
            found.append(Change((*path, (key, name)), copy.deepcopy(item), ABSENT, at=index))
    for index, (name, item) in enumerate(new.items()):
        if name not in old:
            # in front of all others, or behind them
            at = index if stay and index < list(new).index(stay[0]) else -1
            found.append(Change((*path, (key, name)), ABSENT, copy.deepcopy(item), at=at))
        else:
            found += differences(old[name], item, (*path, (key, name)))
    return found


def _backwards(changes: t.Sequence[Change]) -> list[Change]:
    """The order in which to undo: what was taken out of a list comes back by its index there, the first one first."""
    out = [change for change in changes if change.at >= 0 and change.after is ABSENT]
    return [*(change for change in reversed(changes) if change not in out), *out]


def _has_keys(items: t.Any, key: str) -> bool:
    """Whether the key identifies each item of a list."""
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and isinstance(item.get(key), str) for item in items
    ):
        return False
    return len({item[key] for item in items}) == len(items)


def _same(one: t.Any, other: t.Any) -> bool:
    return one is other or (one is not ABSENT and other is not ABSENT and bool(one == other))


def _same_number(one: t.Any, other: t.Any) -> bool:
    """Whether a number is written as text in one of them, as quantities are."""
    return isinstance(one, (int, float, str)) and isinstance(other, (int, float, str)) and str(one) == str(other)


def _value(item: t.Any, path: t.Sequence[Step]) -> t.Any:
    for step in path:
        if isinstance(step, str):
            if not isinstance(item, dict) or step not in item:
                return ABSENT
            item = item[step]
        else:
            index = _index(item, step)
            if index < 0:
                return ABSENT
            item = item[index]
    return item


def _index(items: t.Any, step: tuple[str, str]) -> int:
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict) and item.get(step[0]) == step[1]:
            return index
    return -1


def _set(item: t.Any, path: tuple[Step, ...], value: t.Any, at: int = -1) -> None:
    for step, following in itertools.pairwise(path):
        if isinstance(step, str):
            if item.get(step) is None:
                if value is ABSENT:
                    return  # it is not there, nor what it would lie in
                item[step] = {} if isinstance(following, str) else []
            item = item[step]
        else:
            index = _index(item, step)
            if index < 0:
                if value is ABSENT:
                    return
                item.append({step[0]: step[1]})
            item = item[index]
    step = path[-1]
    if isinstance(step, str):
        if value is ABSENT:
            item.pop(step, None)
        else:
            item[step] = value
        return
    index = _index(item, step)
    if value is ABSENT:
        if index >= 0:
            del item[index]
    elif index >= 0:
        item[index] = value
    else:
        item.insert(len(item) if at < 0 else at, value)


def _present(**values: t.Any) -> Object:
    return {key: value for key, value in values.items() if value is not ABSENT}


def _shown(value: t.Any) -> str:
    return "absent" if value is ABSENT else repr(value)
