# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left when all clients have stopped and all leases that nobody keeps have had their time. Pure."""

from histories.record import Violation

MODEL = "ending"
END = "a lease that is not kept ends"
LEFT = "what was held under a lease that has ended is gone"
STAY = "what is held under a lease that is kept stays"
SIZE = "a lease is no larger than what hangs on it"
ALIKE = "all nodes have the same documents"


def judge(history):
    """Return what is there and should not be, and the other way round."""
    final = history.final
    if not final:
        return []
    found = []
    if not final["ended"]:
        rest = sorted(
            lease["Id"] for lease in final["leases"] or () if lease["Id"] not in final["kept"]
        )
        found.append(Violation(MODEL, END, "leases", f"{', '.join(rest)} are still there"))
    if not final["alike"]:
        found.append(Violation(MODEL, ALIKE, "nodes", differences(final["nodes"])))
    if any(final[kind] is None for kind in ("profiles", "leases", "locks", "barriers")):
        return [*found, Violation(MODEL, ALIKE, "nodes", "the active does not answer in the end")]
    return found + holders(final) + kept(final) + sizes(final)


def differences(nodes):
    """Return in one line where the nodes differ."""
    (first, ours), *others = nodes.items()
    for name, theirs in others:
        for kind in ours:
            if theirs.get(kind) != ours[kind]:
                return f"{kind} of {first}: {ours[kind]!r}; of {name}: {theirs.get(kind)!r}"[:1500]
    return "they do not answer alike"


def holders(final):
    """Nobody holds a lock or a seat but under a lease that is kept: all others have given theirs back, or had a lease."""
    found = []
    for lock in final["locks"]:
        for entry in (*lock["Holders"], *lock["Queue"]):
            if entry["Lease"] not in final["kept"]:
                on = f"locks/{lock['Name']}"
                found.append(
                    Violation(
                        MODEL,
                        LEFT,
                        on,
                        f"{entry['Owner']} is still there, under lease {entry['Lease']}",
                    )
                )
    for profile in final["profiles"]:
        if profile["Name"] in ("seats", "fenced"):
            for param, value in profile["Params"].items():
                if param.startswith("leader") and value not in ("none", []):
                    found.append(
                        Violation(
                            MODEL, LEFT, f"{profile['Name']}/{param}", f"{value!r} still sits"
                        )
                    )
    return found


def kept(final):
    """What a client holds under a lease that it kept all the time is still its own."""
    found, locks = [], {f"locks/{lock['Name']}": lock["Holders"] for lock in final["locks"]}
    there = {lease["Id"] for lease in final["leases"]}
    for lease in final["kept"]:
        if lease not in there:
            found.append(Violation(MODEL, STAY, f"leases/{lease}", "it is not there in the end"))
    for _kind, on, token in final["holds"]:
        if token not in [holder["Token"] for holder in locks.get(on, ())]:
            found.append(
                Violation(MODEL, STAY, on, f"nobody holds it with token {token} in the end")
            )
    return found


def sizes(final):
    """Each tie of a lease stands."""
    found = []
    profiles = {profile["Name"]: profile["Params"] for profile in final["profiles"]}
    locks = {lock["Name"]: [*lock["Holders"], *lock["Queue"]] for lock in final["locks"]}
    for lease in (one for one in final["raw"] if one is not None):
        for tie in lease["Ties"]:
            if tie["Kind"] == "locks":
                stands = any(
                    entry["Owner"] == tie["Owner"] and entry["Lease"] == lease["Id"]
                    for entry in locks.get(tie["Key"], ())
                )
            else:
                stands = tie["Kind"] != "profiles" or tie["Path"][1] in profiles.get(tie["Key"], ())
            if not stands:
                found.append(
                    Violation(MODEL, SIZE, f"leases/{lease['Id']}", f"it still names {tie}")
                )
        names = [
            (tie["Kind"], tie["Key"], tie.get("Owner"), str(tie.get("Path")))
            for tie in lease["Ties"]
        ]
        if len(set(names)) < len(names):
            found.append(
                Violation(
                    MODEL,
                    SIZE,
                    f"leases/{lease['Id']}",
                    f"it names something twice: {lease['Ties']}",
                )
            )
    return found[:5]
