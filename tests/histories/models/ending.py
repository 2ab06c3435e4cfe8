# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left when all clients have stopped and all leases that nobody keeps have had their time. Pure."""

from histories.models.strict import windows
from histories.models.terms import Leases
from histories.record import Violation

MODEL = "ending"
END = "a lease that is not kept ends"
LEFT = "what was held under a lease that has ended is gone"
STAY = "what is held under a lease that is kept stays"
SIZE = "a lease is no larger than what hangs on it"
TOLD = "whoever reads events is told of a change"
ALIKE = "all nodes have the same documents"
FEW = 8  # ties that a lease may keep though they are over


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
    return found + holders(final) + kept(final, unbroken(history)) + sizes(final)


def unbroken(history):
    """Return the leases that were kept in time from the beginning to the end. While strict refuses writes no time passes."""
    leases, standing = Leases(history), windows(history) if history.strict else ()
    return [lease for lease in history.final["kept"] if len(leases.spans(lease, standing)) == 1]


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


def kept(final, unbroken):
    """What a client holds under a lease that it kept all the time is still its own."""
    found, locks = [], {f"locks/{lock['Name']}": lock["Holders"] for lock in final["locks"]}
    there = {lease["Id"] for lease in final["leases"]}
    for lease in unbroken:
        if lease not in there:
            found.append(Violation(MODEL, STAY, f"leases/{lease}", "it is not there in the end"))
    for lease, on, token in final["holds"]:
        if lease in unbroken and token not in [holder["Token"] for holder in locks.get(on, ())]:
            found.append(
                Violation(MODEL, STAY, on, f"nobody holds it with token {token} in the end")
            )
    return found


def sizes(final):
    """A lease shows the ties that stand, each once, and keeps no more than twice as many."""
    found = []
    profiles = {profile["Name"]: profile["Params"] for profile in final["profiles"]}
    locks = {lock["Name"]: [*lock["Holders"], *lock["Queue"]] for lock in final["locks"]}

    def stands(tie, lease):
        if tie["Kind"] == "locks":
            entries = locks.get(tie["Key"], ())
            return any(one["Owner"] == tie["Owner"] and one["Lease"] == lease for one in entries)
        return tie["Kind"] != "profiles" or tie["Path"][1] in profiles.get(tie["Key"], ())

    for lease in final["leases"]:
        on, shown = f"leases/{lease['Id']}", []
        for tie in lease["Ties"]:
            name = (tie["Kind"], tie["Key"], tie.get("Owner"), str(tie.get("Path")))
            if not stands(tie, lease["Id"]) or name in shown:
                found.append(
                    Violation(MODEL, SIZE, on, f"it names {tie}, which is gone or named twice")
                )
            shown.append(name)
    if None in final["raw"]:
        found.append(
            Violation(MODEL, TOLD, "leases", "no event came of a lease that was given another TTL")
        )
    for lease in (one for one in final["raw"] if one is not None):
        standing = sum(stands(tie, lease["Id"]) for tie in lease["Ties"])
        if len(lease["Ties"]) > max(FEW, 2 * standing):
            text = f"{len(lease['Ties'])} ties are kept, and {standing} of them stand"
            found.append(Violation(MODEL, SIZE, f"leases/{lease['Id']}", text))
    return found[:5]
