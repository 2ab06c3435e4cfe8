# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node makes of the record that the store, or a peer, shows: believe it or doubt it, and take the place it gives. Pure."""

from __future__ import annotations

from typing import List, Optional

from ..commands import Adopt, ForgetRecord, ReadRecord
from ..model.messages import Tail
from ..model.record import Record
from .links import Links
from .recovery import Recovery
from .standing import HANDED_OVER, Standing
from .trust import Trust


class RecordView:
    """``read_once``: this process has seen the record; what the one before knew of it begins nothing."""

    def __init__(self, standing: Standing, links: Links, trust: Trust) -> None:
        self.standing = standing
        self.links = links
        self.trust = trust
        self.read_once = False
        self.recovery: Optional[Recovery] = None  # an active that was restarted asks first what its disk has lost
        self._in_sync_noted = ""

    # --- believing it ---------------------------------------------------------------------------------------------------

    def takes(self, version: int, record: Optional[Record], now: float) -> bool:
        """Take what the store shows; return whether it is our record now."""
        here = self.standing
        state = here.state
        if record is None:
            self._no_record(now)
            return False
        if here.doubt.is_forced_anew(version, record):
            state.believe(version, record)
        elif here.doubt.is_older(version, record):
            self._doubt(version, record, now)
            return False
        self._end_doubt()
        self.read_once = True
        if state.cluster_id and record.cluster_id != state.cluster_id:
            here.stop(f"the data here belongs to cluster {state.cluster_id}, the record to {record.cluster_id}: point "
                      "this node to its own store, or give it an empty data directory")  # fmt: skip
            return False
        if not state.cluster_id:
            here.join_cluster(record.cluster_id)
        state.remember(version, record)
        return True

    def believe_store(self) -> bool:
        """A person forces us: if the store is older than we know, or empty, go on from what it shows; return whether it was."""
        here = self.standing
        if here.doubt.shown is None:
            return False
        here.state.believe(*here.doubt.shown)
        here.swap = None  # one from before can't come to anything
        self._end_doubt()
        return True

    def _no_record(self, now: float) -> None:
        here = self.standing
        if here.state.known >= 0 or (here.state.cluster_id and here.config.shared):
            self._doubt(-1, None, now)
        elif here.config.may_create and not here.state.cluster_id:
            here.create(here.names.nonce(), now)
        elif here.role != "passive":
            here.set_role("unjoined" if not here.state.cluster_id else "passive")

    def _end_doubt(self) -> None:
        here = self.standing
        if here.doubt.stands and here.leading is not None:
            here.leading.trouble, here.leading.in_doubt, here.leading.doubtful = "", False, None
        here.doubt.end()

    def _doubt(self, version: int, record: Optional[Record], now: float) -> None:
        """An older record than we know of, or none: ask again, and believe it when it is said again and again."""
        here = self.standing
        if not here.doubt.stands:
            here.out.append(ReadRecord())
        text = here.doubt.look(version, record, now)
        if text and here.leading is None:
            here.stop(text)
        elif text and here.leading is not None:
            # It goes on serving as long as all that could be promoted by that record acknowledge, too.
            here.leading.in_doubt, here.leading.doubtful = True, record
            if here.leading.trouble != text:
                here.leading.trouble = text
                here.state.note("error", text)

    # --- our place in it --------------------------------------------------------------------------------------------------

    def place(self, record: Record, now: float) -> str:
        """Take the place that the record gives to a node that is not active now; return how it is to begin to lead, or ""."""
        here = self.standing
        if here.installing:
            return ""
        if here.me in record.in_sync and not here.state.reaches_floor(record):
            self.links.become_passive(now)
            here.stop(f"the log here ends at {here.state.log.end.seq}, without entry {record.floor} that was acknowledged: this "
                      "disk was set back; make another node active, and this one copies what it lacks")  # fmt: skip
        elif record.active != here.config.node:
            self.links.become_passive(now)
        elif here.me not in record.in_sync:
            here.stop(f"the record names {here.config.node} as active with another data directory: the data here is not "
                      "that of the active; restore it, or make another node active")  # fmt: skip
        elif here.role == "passive" and self._is_handed_over(record):
            return HANDED_OVER
        elif self._may_start_again() and self._recovered(record, now):
            here.start_epoch(now)
        return ""

    def _is_handed_over(self, record: Record) -> bool:
        """Whether another has made us active: an epoch that a process of ours began, or a copy of it, is not to be continued."""
        here = self.standing
        return record.epoch.number > here.state.promised.number and record.holder not in ("", here.config.node)

    def _may_start_again(self) -> bool:
        """Whether the active that the record names, and we were, may go on in a new epoch: also if it stepped down and nobody followed."""
        here = self.standing
        if here.config.shared:
            return here.role in ("starting", "passive")
        return here.role == "starting" and self._all_heard()

    def outruled(self, record: Record) -> str:
        """Return the in-sync member that has promised itself to a newer epoch than the record has, or ""."""
        here = self.standing
        for member in record.in_sync if here.config.shared else ():
            hello = here.peers.get(member.node)
            known = hello is not None and hello.incarnation == member.incarnation
            if known and hello is not None and hello.promised.number > record.epoch.number:
                return member.node
        return ""

    def _recovered(self, record: Record, now: float) -> bool:
        here = self.standing
        knows = self.outruled(record)
        if knows:
            here.stop(f"{knows} has promised itself to a newer epoch than {record.epoch.number}, which the store shows: it was "
                      f"rolled back, or {knows} has not read it yet; look at {knows}, and make it active by force if need be")  # fmt: skip
            return False
        if here.twins.doubted(now):
            return False
        if self.recovery is None:
            self.recovery = Recovery(here.config.node, here.state, here.config.timing.silence, now)
        return self.recovery.done(record, here.peers, here.out, now)

    def recovers_by(self, node: str, tail: Tail) -> bool:
        """Take what a member has of the log that our disk has lost; return whether that brings the next reign nearer."""
        here = self.standing
        if self.recovery is None or here.leading is not None or here.swap is not None or not self.read_once:
            return False
        if not self.recovery.take(node, tail, here.record):
            return False
        for entry in tail.entries:
            for sha in entry.blobs:
                here.following.need_blob(sha, entry.seq, node)
        return True

    def _all_heard(self) -> bool:
        """``manual``: a restarted active asks everybody first, because somebody may have been forced meanwhile."""
        here = self.standing
        told = (hello.record for node, hello in here.peers.items() if self.trust.knows(node))
        return not self.unheard() and not any(here.is_apart(record) for record in told)

    def unheard(self) -> List[str]:
        """Return whom nothing was heard of since this process started."""
        here = self.standing
        # What our log has, committed or not: of the last entries a start does not know yet that they are.
        tail = here.state.log.after(here.state.commit)
        fresh = {e["key"] for entry in tail for e in entry.body.get("effects", ()) if e["kind"] == "nodes" and "value" in e}
        known = {*here.members(), *here.record.nodes(), *fresh}
        return sorted(n for n in known if n != here.config.node and n not in here.peers)

    # --- what is told of it -------------------------------------------------------------------------------------------------

    def tell(self, active_before: str) -> None:
        """Tell what has become of the role, where this node is not active."""
        here = self.standing
        if here.leading is None and here.record.active != active_before:
            here.tell_role()
        if not here.trouble:
            here.no_trouble()
        self.note_in_sync()

    def note_in_sync(self) -> None:
        here = self.standing
        if here.following.active != here.record.active:
            return
        if here.role == "passive" and here.in_sync() and self._in_sync_noted != here.state.incarnation:
            self._in_sync_noted = here.state.incarnation
            here.state.note("info", "Stream switch to realtime streaming")
            here.tell_role()
        elif here.role == "passive" and not here.in_sync():
            self._in_sync_noted = ""

    def reign_ended(self) -> None:
        """That this node is in sync is said anew."""
        self._in_sync_noted = ""

    # --- news by way of the peers -------------------------------------------------------------------------------------------

    def news(self, node: str, version: int, record: Record, now: float) -> None:
        """A peer told of a newer record: read the shared store, or take the copy that travels with the data."""
        here = self.standing
        if here.config.shared and version > here.state.version:
            self.trust.ask(version, now)
        elif record.cluster_id != here.state.cluster_id:
            return
        elif version <= here.state.version or here.is_apart(record):
            if self.trust.knows(node):
                self._diverged(node, version, record)
        elif self.trust.takes(node, version, record):
            here.step_down(record.reign)
            here.out.append(Adopt(version, record))

    def _diverged(self, node: str, version: int, record: Record) -> None:
        """One epoch number with two ids: both sides were forced. They are never merged; a person says which one is given up."""
        here = self.standing
        if not here.is_apart(record) or here.leading is not None:
            return
        if here.config.discard and not here.config.shared and record.active != here.config.node:
            here.state.forget_record()
            here.out += [ForgetRecord(), Adopt(version, record)]
        else:
            here.following.refused = (
                f"{node} and this node were both forced into epoch {record.epoch.number}: decide which history to keep, and start "
                "the other with --discard-foreign-data"
            )
